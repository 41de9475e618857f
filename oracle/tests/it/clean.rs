//! Rules 1–26: validation, time, lateness, dedup and the columns of `clean.events`.

use serde_json::{Value, json};
use shoppulse_oracle::{InputRecord, expect};

use crate::records::{NOON_MS, event, record, verdict, verdicts};

const NOON: i64 = NOON_MS * 1_000;

/// The columns of the only clean event.
fn clean(record: InputRecord) -> Value {
    let expected = expect(&[record]);
    assert_eq!(expected.clean_events.len(), 1, "{:?}", expected.dead_letters);
    let value = expected.clean_events[0].value();
    let names: Vec<&String> = value.as_object().unwrap().keys().collect();
    let places: Vec<_> = names.iter().map(|name| expected.clean_events[0].columns.find(&format!("\"{name}\":"))).collect();
    assert!(places.is_sorted(), "the columns are written in the order of their names");
    value
}

#[test]
fn the_whole_row_of_a_page_view() {
    let row = clean(event(json!({
        "messageId": "m1", "userId": 17, "timestamp": "2026-01-05T11:59:58.123456Z", "sentAt": "2026-01-05T11:59:59Z",
        "properties": {"path": "/p", "url": "https://x/p", "order_id": "not a track"},
        "context": {
            "page": {"path": "", "referrer": "r"}, "campaign": {"source": "s", "name": "c", "medium": 5}, "ip": "1.2.3.4",
            "userAgent": "ua", "locale": "de", "library": {"name": "js", "version": "1"},
        },
    })));
    // received − (sent − timestamp) = 12:00:00 − 0.876544 s, floored to ms.
    let expected = json!({
        "message_id": "m1", "shop_id": "shop", "anonymous_id": "v", "user_id": "17", "type": "page", "event": null,
        "occurred_at": NOON - 877_000, "original_timestamp": NOON - 1_876_544, "sent_at": NOON - 1_000_000,
        "received_at": NOON, "clock_skew_ms": 1_000, "page_path": "/p", "page_url": "https://x/p", "referrer": "r",
        "utm_source": "s", "utm_medium": null, "utm_campaign": "c", "ip": "1.2.3.4", "user_agent": "ua", "locale": "de",
        "library": "js/1", "order_id": null, "currency": null, "revenue_minor": null, "product_ids": [],
        "properties": r#"{"order_id":"not a track","path":"/p","url":"https://x/p"}"#,
    });
    assert_eq!(row, expected);
}

#[test]
fn the_time_of_an_event() {
    for (members, occurred, original, skew_ms) in [
        (json!({}), NOON, NOON, 0),
        (json!({"timestamp": "2026-01-05T11:00:00Z"}), NOON - 3_600_000_000, NOON - 3_600_000_000, 0),
        (
            json!({"timestamp": "2026-01-05T11:00:00Z", "originalTimestamp": "2026-01-05T13:30:00+02:00"}),
            NOON - 1_800_000_000,
            NOON - 1_800_000_000,
            0,
        ),
        (json!({"timestamp": "2026-01-05T11:00:00Z", "originalTimestamp": ""}), NOON - 3_600_000_000, NOON - 3_600_000_000, 0),
        // In the future by up to five minutes: it happened on arrival.
        (json!({"timestamp": "2026-01-05T12:05:00Z"}), NOON, NOON + 300_000_000, 0),
        // The clock is an hour ahead, and the event was a second on the way to the batch.
        (
            json!({"timestamp": "2026-01-05T13:00:00Z", "sentAt": "2026-01-05T13:00:01Z"}),
            NOON - 1_000_000,
            NOON + 3_600_000_000,
            -3_601_000,
        ),
        (json!({"sentAt": "2026-01-05T11:59:59.9999Z"}), NOON, NOON, 0),
        (json!({"sentAt": "2026-01-05T12:00:00.0001Z"}), NOON, NOON, -1),
        (json!({"receivedAt": "2026-01-05T12:00:00.000999Z"}), NOON, NOON + 999, 0),
    ] {
        let row = clean(event(members.clone()));
        let found = (row["occurred_at"].as_i64(), row["original_timestamp"].as_i64(), row["clock_skew_ms"].as_i64());
        assert_eq!(found, (Some(occurred), Some(original), Some(skew_ms)), "{members}");
    }
}

#[test]
fn money_and_goods_of_track_events() {
    let completed = |properties: Value| {
        let row = clean(event(json!({"type": "track", "event": "Order Completed", "properties": properties})));
        json!([row["order_id"], row["currency"], row["revenue_minor"], row["product_ids"]])
    };
    for (properties, columns) in [
        (json!({"order_id": 12, "currency": " eur ", "revenue": 10.005}), json!(["12", "EUR", 1001, []])),
        (json!({"order_id": "", "currency": "JPY", "revenue": "1999.5"}), json!([null, "JPY", 2000, []])),
        (json!({"currency": "KWD", "revenue": "x", "total": "1.2345"}), json!([null, "KWD", 1235, []])),
        (json!({"currency": "XXX", "revenue": 10}), json!([null, null, null, []])),
        (json!({"revenue": 10}), json!([null, null, null, []])),
        (json!({"currency": "EUR", "revenue": true, "order_id": 1.5}), json!([null, "EUR", null, []])),
        (json!({"currency": "EUR", "revenue": 0}), json!([null, "EUR", 0, []])),
        (
            json!({"products": [{"product_id": "a"}, {"sku": "b"}, 7, {"product_id": "a"}], "product_id": "c"}),
            json!([null, null, null, ["a", "a"]]),
        ),
        (json!({"products": {}, "product_id": "c"}), json!([null, null, null, ["c"]])),
        (json!({"products": [], "product_id": "c"}), json!([null, null, null, []])),
    ] {
        assert_eq!(completed(properties.clone()), columns, "{properties}");
    }
    let other = clean(event(json!({"type": "track", "event": "Cart Viewed", "properties": {"currency": "EUR", "revenue": 1}})));
    assert_eq!(
        (&other["currency"], &other["revenue_minor"], &other["event"]),
        (&json!("EUR"), &json!(null), &json!("Cart Viewed"))
    );
}

#[test]
fn properties_are_kept_byte_for_byte() {
    for (sent, kept) in
        [("{ \"b\":1.50,\n\"a\" : \"\\ud800\" }", "{ \"b\":1.50,\n\"a\" : \"\\ud800\" }"), ("null", "{}"), ("{}", "{}")]
    {
        let value = format!(
            r#"{{"type":"page","messageId":"m","shopId":"shop","writeKey":"w","anonymousId":"v",
                "receivedAt":"2026-01-05T12:00:00Z","properties": {sent} }}"#
        );
        assert_eq!(clean(record("raw.events", "shop|v", Some(&value), NOON_MS))["properties"], json!(kept));
    }
}

#[test]
fn messages_are_refused_for_the_first_reason() {
    for (members, reason) in [
        (json!({"type": null}), "missing_field"),
        (json!({"type": "Page"}), "unknown_type"),
        (json!({"type": "track"}), "missing_field"),
        (json!({"type": "track", "event": ""}), "missing_field"),
        (json!({"messageId": ""}), "missing_field"),
        (json!({"messageId": 5, "type": null}), "wrong_type"),
        (json!({"anonymousId": null}), "missing_field"),
        (json!({"anonymousId": 1.5}), "wrong_type"),
        (json!({"anonymousId": 7}), "key_mismatch"),
        (json!({"shopId": "other"}), "key_mismatch"),
        (json!({"shopId": "sho"}), "key_mismatch"),
        (json!({"shopId": "shop|v"}), "key_mismatch"),
        (json!({"properties": []}), "wrong_type"),
        (json!({"context": "x"}), "wrong_type"),
        (json!({"sentAt": 5}), "wrong_type"),
        (json!({"sentAt": "x"}), "bad_timestamp"),
        (json!({"timestamp": "2026-01-05T12:00:00"}), "bad_timestamp"),
        (json!({"timestamp": "1969-12-31T23:59:59.999999Z"}), "bad_timestamp"),
        (json!({"timestamp": "x", "anonymousId": "w"}), "bad_timestamp"),
        (json!({"timestamp": "2026-01-05T12:05:00.000001Z"}), "future_timestamp"),
        (json!({"timestamp": "2126-01-05T12:05:00Z", "anonymousId": "w"}), "key_mismatch"),
    ] {
        assert_eq!(verdict(&[event(members.clone())]), format!("dead_lettered {reason}"), "{members}");
    }
}

#[test]
fn keys_are_refused() {
    let value = event(json!({"anonymousId": null, "userId": "u"})).value;
    for (key, outcome) in [
        (None, "dead_lettered bad_key"),
        (Some(&b""[..]), "dead_lettered bad_key"),
        (Some(b"shop|\xff"), "dead_lettered bad_key"),
        (Some(b"shop"), "dead_lettered key_mismatch"),
        (Some(b"shop|"), "dead_lettered key_mismatch"),
        (Some(b"shop|user:00ff"), "processed"),
    ] {
        let record = InputRecord { key: key.map(<[u8]>::to_vec), value: value.clone(), ..event(json!({})) };
        assert_eq!(verdict(&[record]), outcome);
    }
}

/// An event that happened so many hours and milliseconds after noon, received as it happened.
fn at(message_id: &str, hours: i64, ms: i64) -> InputRecord {
    let received_ms = NOON_MS + hours * 3_600_000 + ms;
    let day = 5 + (12 + hours).div_euclid(24);
    let in_hour = ms.div_euclid(1_000);
    let stamp =
        format!("2026-01-{day:02}T{:02}:{:02}:{:02}.{:03}Z", (12 + hours).rem_euclid(24), in_hour / 60, in_hour % 60, ms % 1_000);
    InputRecord { timestamp_ms: received_ms, ..event(json!({"messageId": message_id, "receivedAt": stamp})) }
}

#[test]
fn an_event_is_late_a_millisecond_beyond_the_horizon() {
    let records = [at("a", 24, 1), at("b", 0, 1), at("c", 0, 0)];
    assert_eq!(verdicts(&records), ["processed", "processed", "late beyond_dedup_horizon"]);
    let late = &expect(&records).late_events[0];
    assert_eq!((late.late_by_ms, late.stream_time_ms), (1, NOON_MS + 86_400_001));
    assert_eq!((late.bucket_ms, late.key.as_str(), late.topology.as_str()), (NOON_MS, "shop|v", "clean"));
}

#[test]
fn the_memory_is_25_hours_before_the_hour_of_stream_time() {
    for (records, last) in [
        (vec![at("a", 0, 0), at("a", 0, 0)], "duplicate message_id"),
        // Kept in hour 0; the stream is in hour 25, of which the last millisecond still remembers.
        (vec![at("a", 0, 0), at("a", 25, 3_599_000)], "duplicate message_id"),
        (vec![at("a", 0, 3_599_000), at("a", 26, 0)], "processed"),
        // Another event moved the stream; this one would be late first.
        (vec![at("a", 0, 0), at("b", 26, 0), at("a", 0, 0)], "late beyond_dedup_horizon"),
        // A dropped duplicate does not prolong memory.
        (vec![at("a", 0, 0), at("a", 20, 0), at("a", 26, 0)], "processed"),
        // Kept again, it is remembered again.
        (vec![at("a", 0, 0), at("a", 26, 0), at("a", 27, 0)], "duplicate message_id"),
    ] {
        assert_eq!(verdict(&records), last);
    }
}

#[test]
fn identity_is_record_key_write_key_and_message_id() {
    let other_write_key = event(json!({"writeKey": "x"}));
    let other_key = InputRecord { key: Some(b"shop|w".to_vec()), ..event(json!({"anonymousId": "w"})) };
    let records = [event(json!({})), other_write_key, other_key, event(json!({"type": "screen"}))];
    assert_eq!(verdicts(&records), ["processed", "processed", "processed", "duplicate message_id"]);
}

#[test]
fn dead_letters_do_not_move_stream_time() {
    let future = event(json!({"timestamp": "2026-01-09T12:00:00Z"}));
    assert_eq!(verdicts(&[future, at("a", 0, 0)]), ["dead_lettered future_timestamp", "processed"]);
}

#[test]
fn partitions_remember_by_themselves() {
    let elsewhere = InputRecord { partition: 1, ..event(json!({"receivedAt": "2026-01-05T12:00:01Z"})) };
    assert_eq!(expect(&[event(json!({})), elsewhere]).clean_events.len(), 2);
}
