//! Rules 27–30: where an event goes, and the columns of a session.

use serde_json::{Value, json};
use shoppulse_oracle::{InputRecord, expect};

use crate::records::{NOON_MS, event, rows};

/// An event so many minutes after noon; all are received a week later, on one instant, in the order given.
fn at(minutes: f64, members: Value) -> InputRecord {
    let at_ms = NOON_MS + millis(minutes);
    let in_day_ms = at_ms.rem_euclid(86_400_000);
    let day = 5 + (at_ms - NOON_MS + 43_200_000).div_euclid(86_400_000);
    let stamp = format!(
        "2026-01-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        in_day_ms / 3_600_000,
        in_day_ms / 60_000 % 60,
        in_day_ms / 1_000 % 60,
        in_day_ms % 1_000
    );
    let mut all = json!({"messageId": format!("{minutes} {members}"), "timestamp": stamp, "receivedAt": "2026-01-12T12:00:00Z"});
    for (name, value) in members.as_object().unwrap() {
        all[name] = value.clone();
    }
    event(all)
}

fn millis(minutes: f64) -> i64 {
    (minutes * 60_000.0).round() as i64
}

/// Sessions as (start, end, events), in minutes after noon, with the times as milliseconds.
fn whole(sessions: &[(f64, f64, i64)]) -> Vec<(i64, i64, i64)> {
    sessions.iter().map(|&(start, end, events)| (millis(start), millis(end), events)).collect()
}

/// The sessions as (start, end, events), in milliseconds after noon.
fn sessions(minutes: &[f64]) -> Vec<(i64, i64, i64)> {
    let records: Vec<InputRecord> = minutes.iter().map(|&minute| at(minute, json!({}))).collect();
    let expected = expect(&records);
    let after_noon = |micros: &Value| micros.as_i64().unwrap() / 1_000 - NOON_MS;
    let rows = rows(&expected, "curated.sessions", &["started_at", "ended_at", "events"]);
    let mut found: Vec<_> = rows.iter().map(|row| (after_noon(&row[0]), after_noon(&row[1]), row[2].as_i64().unwrap())).collect();
    found.sort_unstable();
    found
}

#[test]
fn events_up_to_the_gap_apart_are_one_session() {
    const MS: f64 = 1.0 / 60_000.0;
    for (minutes, expected) in [
        (vec![0.0, 30.0], vec![(0.0, 30.0, 2)]),
        (vec![0.0, 30.0 + MS], vec![(0.0, 0.0, 1), (30.0 + MS, 30.0 + MS, 1)]),
        (vec![30.0, 0.0], vec![(0.0, 30.0, 2)]),
        // A late event merges two sessions.
        (vec![0.0, 40.0, 20.0], vec![(0.0, 40.0, 3)]),
        (vec![0.0, 60.0, 30.0], vec![(0.0, 60.0, 3)]),
        (vec![0.0, 20.0, 10.0], vec![(0.0, 20.0, 3)]),
    ] {
        assert_eq!(sessions(&minutes), whole(&expected), "{minutes:?}");
    }
}

#[test]
fn a_session_is_never_longer_than_24_hours() {
    let chain = |from: i32, to: i32| (from..=to).map(|step| f64::from(step) * 30.0);
    // 24 h exactly is one session; the next event opens another.
    assert_eq!(sessions(&chain(0, 48).collect::<Vec<_>>()), whole(&[(0.0, 1_440.0, 49)]));
    assert_eq!(sessions(&chain(0, 49).collect::<Vec<_>>()), whole(&[(0.0, 1_440.0, 49), (1_470.0, 1_470.0, 1)]));
    // Between the two: it can't join the first, so it moves the second's start.
    let then = |more: &[f64]| chain(0, 49).chain(more.iter().copied()).collect::<Vec<_>>();
    assert_eq!(sessions(&then(&[1_450.0])), whole(&[(0.0, 1_440.0, 49), (1_450.0, 1_470.0, 2)]));
    // The halves would be too long together: the bridging event joins the earlier one.
    let halves: Vec<f64> = chain(0, 20).chain(chain(22, 49)).chain([630.0]).collect();
    assert_eq!(sessions(&halves), whole(&[(0.0, 630.0, 22), (660.0, 1_470.0, 28)]));
}

#[test]
fn the_whole_row_of_a_session() {
    let records = [
        at(
            10.0,
            json!({"type": "track", "event": "Order Completed", "properties": {"order_id": "B", "currency": "USD", "revenue": 1}}),
        ),
        at(0.0, json!({"context": {"page": {"path": "/a", "referrer": "r1"}}})),
        at(1.0, json!({"type": "screen", "userId": "u1", "context": {"campaign": {"medium": "email"}}})),
        at(2.0, json!({"type": "track", "event": "Product Viewed", "context": {"campaign": {"source": "s", "name": "n"}}})),
        at(3.0, json!({"type": "track", "event": "Product Added", "context": {"page": {"path": "/c", "referrer": "r2"}}})),
        at(4.0, json!({"type": "track", "event": "Checkout Started"})),
        at(
            5.0,
            json!({"type": "track", "event": "Order Completed", "properties": {"order_id": "A", "currency": "EUR", "revenue": 2.5}}),
        ),
        at(
            11.0,
            json!({"type": "track", "event": "Order Completed", "properties": {"order_id": "B", "currency": "JPY", "revenue": 0}}),
        ),
        at(12.0, json!({"type": "track", "event": "Order Completed", "properties": {"currency": "USD", "revenue": "0.99"}})),
        at(13.0, json!({"type": "track", "event": "Order Completed", "properties": {"currency": "KWD"}})),
        at(14.0, json!({"type": "identify", "userId": "u2"})),
        at(15.0, json!({"type": "group"})),
    ];
    let expected = expect(&records);
    let row = expected.tables["curated.sessions"].values().next().unwrap();
    let noon = NOON_MS * 1_000;
    let wanted = json!({
        "shop_id": "shop",
        // printf 'shop|v|1767614400000' | sha256sum
        "session_id": "5fc86c0383c7eb76970f2b1d5874e845",
        "visitor": "v", "user_id": "u2", "started_at": noon, "ended_at": noon + 900_000_000, "events": 12, "page_views": 2,
        "product_views": 1, "cart_adds": 1, "checkouts": 1, "orders": 5,
        "revenue": [
            {"currency": "EUR", "amount_minor": 250}, {"currency": "JPY", "amount_minor": 0},
            {"currency": "USD", "amount_minor": 199},
        ],
        "entry_page": "/a", "exit_page": "/c", "referrer": "r1",
        "utm_source": null, "utm_medium": "email", "utm_campaign": null,
        "order_ids": ["A", "B"], "is_deleted": false, "updated_at": noon + 900_000_000,
    });
    assert_eq!(row, &wanted);
}

#[test]
fn ties_are_broken_by_partition_order() {
    let page = |path: &str| json!({"context": {"page": {"path": path}}});
    let expected = expect(&[at(0.0, page("/first")), at(0.0, page("/second"))]);
    assert_eq!(rows(&expected, "curated.sessions", &["entry_page", "exit_page"]), [json!(["/first", "/second"])]);
}

#[test]
fn sessions_are_booked_by_the_minute_in_which_they_happened() {
    let expected = expect(&[at(1.5, json!({}))]);
    let line = |outcome: &str| {
        let minute = (NOON_MS + 60_000) * 1_000;
        (minute, "sessions".to_owned(), "clean.events".to_owned(), 0, outcome.to_owned(), String::new())
    };
    assert_eq!((expected.quality[&line("in")], expected.quality[&line("processed")]), (1, 1));
}
