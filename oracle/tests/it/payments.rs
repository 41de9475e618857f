//! Rule 42: the versions of a payment line.

use serde_json::{Value, json};
use shoppulse_oracle::{InputRecord, expect};

use crate::records::{record, rows, verdict, verdicts};

/// Line `l` of shop `s` at stripe with these fields over a charge of 10.00 for order 5.
pub(crate) fn line(id: &str, fields: Value) -> InputRecord {
    let mut value = json!({
        "shop_id": "s", "provider": "stripe", "line_id": id, "order_id": "5", "kind": "charge", "currency": "EUR",
        "gross_minor": 1000, "fee_minor": 30, "net_minor": 970, "occurred_at": "1970-01-01T00:00:10Z",
        "available_on": null, "file": "f", "line_number": 1,
    });
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    record("raw.payments", &format!("s|stripe:{id}"), Some(&value.to_string()), 0)
}

#[test]
fn versions_repeat_correct_and_move() {
    let records = [
        line("l", json!({})),
        line("l", json!({"file": "g", "line_number": 9})),
        line("l", json!({"fee_minor": 31})),
        line("l", json!({})),
        line("l", json!({"order_id": "6"})),
        line("n", json!({"order_id": ""})),
    ];
    assert_eq!(
        verdicts(&records),
        [
            "processed",
            "duplicate line_id",
            "processed corrected",
            "duplicate line_id",
            "processed corrected",
            "filtered no_order"
        ]
    );
    let columns = ["order_id", "paid_minor", "fees_minor", "payments"];
    assert_eq!(rows(&expect(&records[..4]), "curated.order_facts", &columns), [json!(["5", 1000, 31, 1])]);
    assert_eq!(rows(&expect(&records), "curated.order_facts", &columns), [json!(["6", 1000, 30, 1])]);
}

#[test]
fn the_last_eight_versions_are_remembered() {
    let version = |fee: i64| line("l", json!({"fee_minor": fee}));
    let mut records: Vec<InputRecord> = (0..8).map(version).collect();
    records.push(version(0));
    assert_eq!(verdict(&records), "duplicate line_id");
    records.push(version(8));
    records.push(version(0));
    assert_eq!(verdict(&records), "processed corrected");
}

#[test]
fn lines_are_refused_for_the_first_reason() {
    for (fields, reason) in [
        (json!({"gross_minor": 10.0}), "wrong_type"),
        (json!({"gross_minor": "10"}), "wrong_type"),
        (json!({"order_id": 5}), "wrong_type"),
        (json!({"net_minor": null}), "missing_field"),
        (json!({"kind": ""}), "missing_field"),
        (json!({"occurred_at": ""}), "missing_field"),
        (json!({"kind": "gift"}), "bad_value"),
        (json!({"provider": "paypal"}), "bad_value"),
        (json!({"fee_minor": 9_223_372_036_854_775_808_u64}), "bad_value"),
        (json!({"currency": "XXX"}), "unknown_currency"),
        (json!({"occurred_at": "1970-01-01"}), "bad_timestamp"),
        (json!({"available_on": "1970-01-01"}), "bad_timestamp"),
        (json!({"shop_id": "t"}), "key_mismatch"),
        (json!({"line_id": "m"}), "key_mismatch"),
    ] {
        assert_eq!(verdict(&[line("l", fields.clone())]), format!("dead_lettered {reason}"), "{fields}");
    }
    assert_eq!(verdict(&[InputRecord { value: None, ..line("l", json!({})) }]), "dead_lettered empty_value");
    assert_eq!(verdict(&[InputRecord { key: None, ..line("l", json!({})) }]), "dead_lettered bad_key");
}
