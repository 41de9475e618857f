//! Rule 42, reading: what a line must say.

use serde_json::{Value, json};

use super::*;

fn line() -> Value {
    json!({"shop_id": "s1", "provider": "stripe", "line_id": "txn_1", "order_id": "17", "kind": "charge", "currency": "EUR", "gross_minor": 1000,
           "fee_minor": 30, "net_minor": 970, "occurred_at": "2024-05-01T10:00:00Z", "available_on": "2024-05-03T00:00:00Z", "file": "a.csv",
           "line_number": 4})
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

fn read_json(value: &Value) -> Result<(LineKey, LineVersion), Rejection> {
    read(Some(b"s1|stripe:txn_1"), Some(value.to_string().as_bytes()))
}

#[test]
fn rule_42_a_line_is_read() {
    let (key, version) = read_json(&line()).unwrap();
    assert_eq!(key, LineKey { shop_id: "s1".into(), provider: Provider::Stripe, line_id: "txn_1".into() });
    let expected = LineVersion {
        order_id: Some("17".into()),
        kind: Kind::Charge,
        currency: "EUR".into(),
        gross_minor: 1_000,
        fee_minor: 30,
        net_minor: 970,
        occurred_at: 1_714_557_600_000_000,
        available_on: Some(1_714_694_400_000_000),
    };
    assert_eq!(version, expected);
    let elsewhere = with(with(line(), "file", json!("b.csv")), "line_number", json!(9));
    assert_eq!(read_json(&elsewhere), Ok((key.clone(), expected.clone())), "where it was found is not what it is");
    for name in ["file", "line_number", "unknown"] {
        assert_eq!(read_json(&with(line(), name, Value::Null)), Ok((key.clone(), expected.clone())), "{name}");
    }
    for absent in [Value::Null, json!("")] {
        let value = with(with(line(), "order_id", absent.clone()), "available_on", absent);
        assert_eq!(read_json(&value), Ok((key.clone(), LineVersion { order_id: None, available_on: None, ..expected.clone() })));
    }
}

#[test]
fn rule_42_what_is_required_is_missed() {
    let required = ["shop_id", "provider", "line_id", "kind", "currency", "gross_minor", "fee_minor", "net_minor", "occurred_at"];
    for name in required {
        for absent in [Value::Null, json!("")] {
            let found = read_json(&with(line(), name, absent.clone())).map_err(|rejection| rejection.reason);
            assert_eq!(found, Err(Reason::MissingField), "{name} = {absent}");
        }
    }
}

#[test]
fn rule_42_each_impossible_value_has_its_reason() {
    use Reason::{BadTimestamp, BadValue, KeyMismatch, UnknownCurrency, WrongType};
    for (name, new, expected) in [
        ("gross_minor", json!(10.0), WrongType),
        ("gross_minor", json!("10"), WrongType),
        ("gross_minor", json!(9_223_372_036_854_775_808_u64), BadValue),
        ("fee_minor", json!(true), WrongType),
        ("net_minor", json!(1.5), WrongType),
        ("provider", json!("paypal"), BadValue),
        ("provider", json!("Stripe"), BadValue),
        ("kind", json!("chargeback"), BadValue),
        ("kind", json!(1), WrongType),
        ("order_id", json!(17), WrongType),
        ("line_id", json!(1), WrongType),
        ("currency", json!("XXX"), UnknownCurrency),
        ("currency", json!("eur"), UnknownCurrency),
        ("occurred_at", json!("2024-05-01"), BadTimestamp),
        ("occurred_at", json!("2024-05-01 10:00:00"), BadTimestamp),
        ("occurred_at", json!(1_714_557_600), WrongType),
        ("available_on", json!("2024-05-03"), BadTimestamp),
        ("available_on", json!(5), WrongType),
        ("file", json!(5), WrongType),
        ("line_number", json!("5"), WrongType),
        ("shop_id", json!("s2"), KeyMismatch),
        ("provider", json!("adyen"), KeyMismatch),
        ("line_id", json!("txn_2"), KeyMismatch),
    ] {
        let found = read_json(&with(line(), name, new.clone())).map_err(|rejection| rejection.reason);
        assert_eq!(found, Err(expected), "{name} = {new}");
    }
}

#[test]
fn rule_15_key_and_shape_are_judged_before_the_fields() {
    let good = line().to_string();
    let worse = with(with(line(), "kind", json!("x")), "currency", json!(1)).to_string();
    for (key, value, expected) in [
        (None, Some(good.as_bytes()), Reason::BadKey),
        (Some(&b""[..]), Some(&b""[..]), Reason::BadKey),
        (Some(b"\xff"), None, Reason::BadKey),
        (Some(b"x"), None, Reason::EmptyValue),
        (Some(b"x"), Some(b""), Reason::EmptyValue),
        (Some(b"x"), Some(b"\xff"), Reason::NotUtf8),
        (Some(b"x"), Some(b"{"), Reason::NotJson),
        (Some(b"x"), Some(br#"{"file":"\ud800"}"#), Reason::NotJson),
        (Some(b"x"), Some(b"[]"), Reason::NotObject),
        (Some(b"x"), Some(worse.as_bytes()), Reason::WrongType),
        (Some(b"x"), Some(good.as_bytes()), Reason::KeyMismatch),
    ] {
        assert_eq!(read(key, value).map_err(|rejection| rejection.reason), Err(expected), "{key:?} {value:?}");
    }
}
