//! One record at a time: what is read, and which fault is reported.

use serde_json::{Value, json};

use super::*;
use crate::cdc::rows::Amount;
use crate::cdc::{Cell, CustomerRow, ItemRow, OrderRow};

const KEY: &[u8] = br#"{"id":7}"#;

fn customer() -> Value {
    json!({"id": 7, "shop_id": "s1", "email": "a@b.c", "name": "Ada", "phone": null, "country": "DE", "marketing_opt_in": true,
           "created_at": "2024-05-01T10:00:00.000000Z", "updated_at": "2024-05-01T10:00:00.5Z"})
}

fn order() -> Value {
    json!({"id": 7, "shop_id": "s1", "customer_id": 3, "status": "new", "currency": "EUR", "discount": "1.500", "shipping": "0.000", "tax": "-2.000",
           "placed_at": "2024-05-01T10:00:00Z", "updated_at": "2024-05-01T12:00:00+02:00"})
}

fn item() -> Value {
    json!({"id": 7, "order_id": 17, "sku": "A-1", "title": null, "quantity": 2, "unit_price": "9.990"})
}

fn envelope(op: &str, after: impl Into<Value>) -> Value {
    json!({"op": op, "before": null, "after": after.into(), "source": {"lsn": 50, "ts_ms": 1_000, "snapshot": "false"}, "ts_ms": 2_000})
}

fn with(mut value: Value, path: &str, new: Value) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(name.to_owned(), new);
    value
}

fn without(mut value: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    value
}

fn read_json<R: Row>(value: &Value) -> Result<Message<R>, Rejection> {
    read(Some(KEY), Some(value.to_string().as_bytes()))
}

fn row<R: Row + std::fmt::Debug>(value: &Value) -> R {
    match read_json::<R>(value) {
        Ok(Message::Change(Change { op: Op::Snapshot { row, .. } | Op::Upsert { row, .. }, .. })) => row,
        other => panic!("no row: {other:?}"),
    }
}

fn reason<R: Row>(value: &Value) -> Option<Reason> {
    read_json::<R>(value).err().map(|rejection| rejection.reason)
}

#[test]
fn rule_31_each_op_is_read() {
    let row = row::<ItemRow>(&envelope("c", item()));
    let change = |op| Ok(Message::Change(Change { id: 7, ts_ms: 1_000, op }));
    let snapshot = |place| change(Op::Snapshot { row: row.clone(), place });
    let first = Some(LogPlace { lsn: 50, is_incremental: false });
    let sequence = |text| with(without(envelope("r", item()), "/source/lsn"), "/source/sequence", json!(text));
    for (value, expected) in [
        (envelope("c", item()), change(Op::Upsert { lsn: 50, row: row.clone() })),
        (envelope("u", item()), change(Op::Upsert { lsn: 50, row: row.clone() })),
        (envelope("r", item()), snapshot(first)),
        (without(envelope("r", item()), "/source/lsn"), snapshot(None)),
        (sequence("[\"70\",\"80\"]"), snapshot(Some(LogPlace { lsn: 80, is_incremental: true }))),
        (sequence("[null,\"80\"]"), snapshot(Some(LogPlace { lsn: 80, is_incremental: true }))),
        (sequence("[\"70\",null]"), snapshot(None)),
        (sequence("[\"70\"]"), snapshot(None)),
        (sequence("of events"), snapshot(None)),
        (with(envelope("r", item()), "/source/snapshot", json!(true)), snapshot(first)),
        (with(envelope("r", item()), "/source/snapshot", json!("incremental")), snapshot(first)),
        (with(envelope("c", item()), "/source/snapshot", json!(false)), change(Op::Upsert { lsn: 50, row: row.clone() })),
        (envelope("d", Value::Null), change(Op::Delete { lsn: 50 })),
        (with(envelope("d", Value::Null), "/before", json!({"id": 7})), change(Op::Delete { lsn: 50 })),
        (with(envelope("d", Value::Null), "/before", item()), change(Op::Delete { lsn: 50 })),
        (without(envelope("d", Value::Null), "/after"), change(Op::Delete { lsn: 50 })),
        (json!({"op": "m", "source": {"lsn": 1}, "message": {"prefix": "x"}}), Ok(Message::LogicalMessage)),
    ] {
        assert_eq!(read_json::<ItemRow>(&value), expected, "{value}");
    }
    assert_eq!(read::<ItemRow>(Some(KEY), None), Ok(Message::Tombstone));
    assert_eq!(read::<ItemRow>(None, None), Ok(Message::Tombstone));
}

#[test]
fn rule_31_what_an_op_needs_is_missed() {
    for (value, expected) in [
        (without(envelope("c", item()), "/source/lsn"), Some(Reason::MissingField)),
        (without(envelope("d", Value::Null), "/source/lsn"), Some(Reason::MissingField)),
        (with(envelope("u", item()), "/source/lsn", Value::Null), Some(Reason::MissingField)),
        (without(envelope("c", item()), "/source/ts_ms"), Some(Reason::MissingField)),
        (without(envelope("d", Value::Null), "/source/ts_ms"), Some(Reason::MissingField)),
        (without(envelope("r", item()), "/source/ts_ms"), Some(Reason::MissingField)),
        (without(envelope("r", item()), "/source"), Some(Reason::MissingField)),
        (without(envelope("c", item()), "/op"), Some(Reason::MissingField)),
        (with(envelope("c", item()), "/op", Value::Null), Some(Reason::MissingField)),
        (without(envelope("c", item()), "/after"), Some(Reason::MissingField)),
        (envelope("r", Value::Null), Some(Reason::MissingField)),
        (json!({"schema": {}, "payload": envelope("c", item())}), Some(Reason::MissingField)),
        (envelope("t", Value::Null), Some(Reason::UnsupportedOp)),
        (envelope("x", item()), Some(Reason::UnknownOp)),
        (json!({"op": "x"}), Some(Reason::UnknownOp)),
        (envelope("", item()), Some(Reason::MissingField)),
        (envelope("C", item()), Some(Reason::UnknownOp)),
    ] {
        assert_eq!(reason::<ItemRow>(&value), expected, "{value}");
    }
}

#[test]
fn rule_31_every_not_null_column_must_be_there_and_no_other() {
    fn check<R: Row>(after: &Value, nullable: &[&str]) {
        for name in after.as_object().unwrap().keys() {
            let expected = (!nullable.contains(&name.as_str())).then_some(Reason::MissingField);
            for op in ["c", "u", "r"] {
                let value = envelope(op, without(json!({"a": after}), &format!("/a/{name}"))["a"].take());
                assert_eq!(reason::<R>(&value), expected, "{name} absent, {op}");
                let value = with(envelope(op, after.clone()), &format!("/after/{name}"), Value::Null);
                assert_eq!(reason::<R>(&value), expected, "{name} null, {op}");
            }
        }
    }
    check::<CustomerRow>(&customer(), &["email", "name", "phone", "country"]);
    check::<OrderRow>(&order(), &["customer_id"]);
    check::<ItemRow>(&item(), &["title"]);
}

#[test]
fn rule_35_columns_are_read_as_the_table_means_them() {
    let expected = OrderRow {
        shop_id: "s1".into(),
        customer_id: Some(3),
        status: Cell::Text("new".into()),
        currency: "EUR".into(),
        exponent: 2,
        discount: Amount::parse("1.5").unwrap(),
        shipping: Amount::parse("0").unwrap(),
        tax: Amount::parse("-2").unwrap(),
        placed_at: 1_714_557_600_000_000,
        updated_at: 1_714_557_600_000_000,
    };
    assert_eq!(row::<OrderRow>(&envelope("c", order())), expected);
    assert_eq!(
        row::<OrderRow>(&with(envelope("c", order()), "/after/new_column", json!([1]))),
        expected,
        "unknown columns are ignored"
    );
    assert_eq!(row::<OrderRow>(&with(envelope("c", order()), "/after/status", json!(""))).status, Cell::Text(String::new()));
    for (country, expected) in [
        (json!("DE\t"), Cell::Text("DE".into())),
        (json!("DE"), Cell::Text("DE".into())),
        (json!("D "), Cell::Text("D".into())),
        (json!("  "), Cell::Null),
        (json!(""), Cell::Null),
        (json!(" D"), Cell::Text(" D".into())),
        (Value::Null, Cell::Null),
    ] {
        let value = with(envelope("c", customer()), "/after/country", country);
        assert_eq!(row::<CustomerRow>(&value).country, expected, "{value}");
    }
    let value = with(envelope("c", customer()), "/after/email", json!(""));
    assert_eq!(row::<CustomerRow>(&value).email, Cell::Text(String::new()));
}

#[test]
fn rule_35_each_impossible_value_has_its_reason() {
    fn check<R: Row>(after: &Value, cases: &[(&str, Value, Reason)]) {
        for (name, new, expected) in cases {
            let value = with(envelope("u", after.clone()), &format!("/after/{name}"), new.clone());
            assert_eq!(reason::<R>(&value), Some(*expected), "{name} = {new}");
        }
    }
    use Reason::{BadTimestamp, BadValue, KeyMismatch, UnknownCurrency, WrongType};
    check::<OrderRow>(
        &order(),
        &[
            ("tax", json!(1.5), WrongType),
            ("tax", json!("NaN"), BadValue),
            ("tax", json!("1e3"), BadValue),
            ("tax", json!(""), BadValue),
            ("tax", json!("99999999999999999999"), BadValue),
            ("currency", json!("XXX"), UnknownCurrency),
            ("currency", json!("eur"), UnknownCurrency),
            ("currency", json!("EUR "), UnknownCurrency),
            ("currency", json!("HRK"), UnknownCurrency),
            ("currency", json!(978), WrongType),
            ("placed_at", json!("infinity"), BadTimestamp),
            ("placed_at", json!("-infinity"), BadTimestamp),
            ("placed_at", json!(9_223_372_036_825_200_000_i64), BadTimestamp),
            ("placed_at", json!(-9_223_372_036_832_400_000_i64), BadTimestamp),
            ("placed_at", json!(1_700_000_000_000_i64), WrongType),
            ("placed_at", json!("2024-05-01 10:00:00Z"), BadTimestamp),
            ("customer_id", json!("3"), WrongType),
            ("id", json!(8), KeyMismatch),
            ("id", json!("7"), WrongType),
            ("id", json!(7.0), WrongType),
            ("shop_id", json!(1), WrongType),
        ],
    );
    check::<CustomerRow>(
        &customer(),
        &[("marketing_opt_in", json!("t"), WrongType), ("email", json!({}), WrongType), ("id", json!(8), KeyMismatch)],
    );
    check::<ItemRow>(
        &item(),
        &[("quantity", json!(1.5), WrongType), ("unit_price", json!("NaN"), BadValue), ("title", json!(false), WrongType)],
    );
}

#[test]
fn rule_15_of_several_faults_the_one_tested_first_is_reported() {
    let all_wrong = json!({"id": 8, "shop_id": "s", "customer_id": null, "status": "new", "currency": "XXX", "discount": "NaN", "shipping": "0",
                           "tax": "0", "placed_at": "never", "updated_at": "2024-05-01T10:00:00Z"});
    let mut value = envelope("c", all_wrong);
    for (mend, expected) in [
        (("/ts_ms", json!(0)), Reason::BadValue),
        (("/after/discount", json!("0")), Reason::UnknownCurrency),
        (("/after/currency", json!("EUR")), Reason::BadTimestamp),
        (("/after/placed_at", json!("2024-05-01T10:00:00Z")), Reason::KeyMismatch),
        (("/source/lsn", Value::Null), Reason::MissingField),
        (("/before", json!([])), Reason::WrongType),
        (("/op", json!("x")), Reason::WrongType),
        (("/before", Value::Null), Reason::UnknownOp),
        (("/op", json!(["c"])), Reason::WrongType),
    ] {
        value = with(value, mend.0, mend.1);
        assert_eq!(reason::<OrderRow>(&value), Some(expected), "{value}");
    }
}

#[test]
fn rule_19_the_key_is_tested_first_but_for_records_that_have_none() {
    let change = envelope("c", item()).to_string();
    let truncate = envelope("t", Value::Null).to_string();
    let message = json!({"op": "m"}).to_string();
    let bad_keys: [Option<&[u8]>; 12] = [
        None,
        Some(b""),
        Some(b"7"),
        Some(b"[7]"),
        Some(b"{}"),
        Some(b"{\"id\":null}"),
        Some(b"{\"id\":\"7\"}"),
        Some(b"{\"id\":7.0}"),
        Some(b"{\"id\":9223372036854775808}"),
        Some(b"{\"id\":7"),
        Some(b"\xff"),
        Some(br#"{"id":7,"x":"\ud800"}"#),
    ];
    for key in bad_keys {
        for (value, expected) in [
            (change.as_bytes(), Reason::BadKey),
            (b"", Reason::BadKey),
            (b"{", Reason::BadKey),
            (b"[]", Reason::BadKey),
            (b"{\"op\":\"x\"}", Reason::BadKey),
            (truncate.as_bytes(), Reason::UnsupportedOp),
        ] {
            let found = read::<ItemRow>(key, Some(value)).map_err(|rejection| rejection.reason);
            assert_eq!(found, Err(expected), "{key:?} {value:?}");
        }
        assert_eq!(read::<ItemRow>(key, Some(message.as_bytes())), Ok(Message::LogicalMessage));
        assert_eq!(read::<ItemRow>(key, None), Ok(Message::Tombstone));
    }
    assert_eq!(read::<ItemRow>(Some(KEY), Some(b"")).map_err(|rejection| rejection.reason), Err(Reason::EmptyValue));
    let key_with_more = br#"{"x":[],"id":-7,"id":7}"#;
    assert!(matches!(read::<ItemRow>(Some(key_with_more), Some(change.as_bytes())), Ok(Message::Change(Change { id: 7, .. }))));
}

#[test]
fn rule_34_before_tells_what_after_leaves_unsaid() {
    let marker = json!("__debezium_unavailable_value");
    for (before, expected) in [
        (Value::Null, Cell::Unavailable),
        (json!({"id": 7}), Cell::Unavailable),
        (json!({"id": 7, "email": null}), Cell::Unavailable),
        (json!({"id": 7, "email": marker}), Cell::Unavailable),
        (json!({"id": 7, "email": "old@b.c"}), Cell::Text("old@b.c".into())),
        (json!({"id": 7, "email": ""}), Cell::Text(String::new())),
    ] {
        let value = with(with(envelope("u", customer()), "/after/email", marker.clone()), "/before", before);
        assert_eq!(row::<CustomerRow>(&value).email, expected, "{value}");
    }
    let value = with(with(envelope("u", order()), "/after/status", marker.clone()), "/before", order());
    assert_eq!(row::<OrderRow>(&value).status, Cell::Text("new".into()));
    let value = with(with(envelope("u", item()), "/after/unit_price", marker), "/before", item());
    assert_eq!(row::<ItemRow>(&value).unit_price, Amount::parse("9.99").unwrap());
}

#[test]
fn rule_19_a_lone_surrogate_in_a_column_is_an_absent_value() {
    let text = envelope("c", customer()).to_string();
    let nullable = text.replace("\"a@b.c\"", r#""\ud800""#);
    let Ok(Message::Change(Change { op: Op::Upsert { row, .. }, .. })) =
        read::<CustomerRow>(Some(KEY), Some(nullable.as_bytes()))
    else {
        panic!()
    };
    assert_eq!(row.email, Cell::Null);
    let required = text.replace("\"s1\"", r#""\ud800""#);
    let found = read::<CustomerRow>(Some(KEY), Some(required.as_bytes())).map_err(|rejection| rejection.reason);
    assert_eq!(found, Err(Reason::MissingField));
}

#[test]
fn rule_36_a_changes_time_is_its_commit_and_a_snapshots_the_rows_own() {
    fn time<R: Row>(op: &str, after: Value) -> i64 {
        match read_json::<R>(&envelope(op, after)) {
            Ok(Message::Change(change)) => change.event_time(),
            _ => panic!("no change"),
        }
    }
    assert_eq!(time::<CustomerRow>("c", customer()), 1_000_000);
    assert_eq!(time::<CustomerRow>("r", customer()), 1_714_557_600_500_000);
    assert_eq!(time::<OrderRow>("r", order()), 1_714_557_600_000_000);
    assert_eq!(time::<ItemRow>("r", item()), 1_000_000);
    assert_eq!(time::<ItemRow>("d", Value::Null), 1_000_000);
    let far = with(envelope("c", item()), "/source/ts_ms", json!(i64::MAX));
    assert_eq!(reason::<ItemRow>(&far), Some(Reason::BadValue));
}
