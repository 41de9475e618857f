//! The traffic is deterministic, covers every outcome and reason, and its meaning does not depend on how partitions are
//! interleaved.

use std::collections::BTreeSet;

use shoppulse_oracle::{InputRecord, REASONS, Traffic, TrafficSettings, expect};

use crate::records::{books, rows};

const RECORDS: usize = 20_000;

fn records(seed: u64) -> Vec<InputRecord> {
    Traffic::new(TrafficSettings::test(RECORDS, seed)).collect()
}

#[test]
fn a_seed_yields_the_same_records_again() {
    assert_eq!(records(1), records(1));
    assert_ne!(records(1), records(2));
}

#[test]
fn every_outcome_and_reason_is_covered() {
    for seed in [1, 2, 3] {
        let records = records(seed);
        assert_eq!(records.len(), RECORDS);
        let expected = expect(&records);
        let reasons: BTreeSet<&str> = expected.dead_letters.iter().map(|letter| letter.4.as_str()).collect();
        assert_eq!(reasons, BTreeSet::from(REASONS));
        let books = books(&expected);
        for line in [
            "clean raw.events processed:",
            "clean raw.events duplicate message_id:",
            "clean raw.events late beyond_dedup_horizon:",
            "sessions clean.events processed:",
            "customers cdc.shop.public.customers processed:",
            "customers cdc.shop.public.customers duplicate lsn:",
            "customers cdc.shop.public.customers filtered tombstone:",
            "customers cdc.shop.public.customers filtered stale:",
            "customers cdc.shop.public.customers filtered unknown_row:",
            "customers cdc.shop.public.customers filtered not_a_row:",
            "customers cdc.shop.public.customers dead_lettered unsupported_op:",
            "orders cdc.shop.public.orders processed:",
            "orders cdc.shop.public.orders duplicate lsn:",
            "orders cdc.shop.public.orders filtered tombstone:",
            "orders cdc.shop.public.orders filtered stale:",
            "orders cdc.shop.public.orders filtered unknown_row:",
            "orders cdc.shop.public.orders filtered not_a_row:",
            "orders cdc.shop.public.orders dead_lettered unknown_currency:",
            "orders cdc.shop.public.order_items processed:",
            "orders cdc.shop.public.order_items duplicate lsn:",
            "orders cdc.shop.public.order_items filtered stale:",
            "orders cdc.shop.public.order_items dead_lettered bad_value:",
            "orders raw.payments processed:",
            "orders raw.payments processed corrected:",
            "orders raw.payments duplicate line_id:",
            "orders raw.payments filtered no_order:",
        ] {
            assert!(books.iter().any(|booked| booked.starts_with(line)), "{line} with seed {seed} of {books:#?}");
        }
    }
}

#[test]
fn each_topic_meets_each_reason_that_it_can_have() {
    let records: Vec<_> = Traffic::new(TrafficSettings::test(60_000, 4)).collect();
    let letters = expect(&records).dead_letters;
    let of = |topic: &str| -> BTreeSet<&str> {
        letters.iter().filter(|letter| letter.0 == topic).map(|letter| letter.4.as_str()).collect()
    };
    let without =
        |missing: &[&str]| -> BTreeSet<&str> { REASONS.into_iter().filter(|reason| !missing.contains(reason)).collect() };
    assert_eq!(of("raw.events"), without(&["unknown_op", "unsupported_op", "bad_value", "unknown_currency"]));
    let not_lines = ["unknown_type", "unknown_op", "unsupported_op", "future_timestamp", "too_large"];
    assert_eq!(
        of("raw.payments").difference(&BTreeSet::from(["too_large"])).copied().collect::<BTreeSet<_>>(),
        without(&not_lines)
    );
    let not_orders = ["unknown_type", "future_timestamp", "too_large"];
    let orders = of("cdc.shop.public.orders");
    assert_eq!(orders.difference(&BTreeSet::from(["too_large"])).copied().collect::<BTreeSet<_>>(), without(&not_orders));
}

#[test]
fn the_rows_are_of_every_kind() {
    let expected = expect(&records(1));
    let facts = rows(&expected, "curated.order_facts", &["payment_state", "has_order", "currency"]);
    let states: BTreeSet<&str> = facts.iter().filter_map(|fact| fact[0].as_str()).collect();
    assert_eq!(states.len(), 7, "{states:?}");
    for has_order in [true, false] {
        assert!(facts.iter().any(|fact| fact[1] == has_order));
    }
    let sessions = rows(&expected, "curated.sessions", &["events", "started_at", "ended_at"]);
    let length = |session: &serde_json::Value| session[2].as_i64().unwrap() - session[1].as_i64().unwrap();
    assert!(sessions.iter().any(|session| length(session) > 23 * 3_600_000_000));
    assert!(sessions.iter().all(|session| length(session) <= 86_400_000_000));
    let history = rows(&expected, "curated.customer_history", &["is_current", "email", "valid_to"]);
    assert!(history.iter().any(|version| version[0] == false && version[1].is_null()));
    assert!(history.iter().any(|version| version[0] == false && !version[1].is_null()));
    let span_ms = |of: fn(&serde_json::Value) -> i64| {
        let times = expected.clean_events.iter().map(|event| of(&event.value())).collect::<Vec<_>>();
        (times.iter().max().unwrap() - times.iter().min().unwrap()) / 1_000
    };
    assert!(span_ms(|event| event["occurred_at"].as_i64().unwrap()) > 26 * 3_600_000);
}

#[test]
fn kafka_timestamps_never_go_back() {
    let records = records(6);
    assert!(records.is_sorted_by_key(|record| record.timestamp_ms));
}

#[test]
fn the_order_between_partitions_does_not_matter() {
    let records = records(7);
    let whole = expect(&records);
    // Partition after partition, the last first.
    let mut regrouped = records;
    regrouped.sort_by(|one, other| (&other.topic, other.partition).cmp(&(&one.topic, one.partition)));
    let again = expect(&regrouped);
    assert_eq!(whole.tables, again.tables);
    assert_eq!(whole.quality, again.quality);
    assert_eq!(whole.clean_events, again.clean_events);
    assert_eq!(whole.late_events, again.late_events);
    assert_eq!(whole.dead_letters, again.dead_letters);
}

#[test]
fn a_demonstration_ends_about_now() {
    const NOW_MS: i64 = 1_800_000_000_000;
    let records: Vec<_> = Traffic::new(TrafficSettings::demo(10, 1_000, NOW_MS)).collect();
    assert_eq!(records.len(), 10_000);
    let last_ms = records.last().unwrap().timestamp_ms;
    assert!((NOW_MS - 9 * 3_600_000..NOW_MS).contains(&last_ms), "{} min before now", (NOW_MS - last_ms) / 60_000);
}

#[test]
#[ignore = "it takes seconds; run it by name to see how many"]
fn two_hundred_thousand_records_are_judged() {
    let records: Vec<_> = Traffic::new(TrafficSettings::test(200_000, 8)).collect();
    assert!(expect(&records).clean_events.len() > 100_000);
}

#[test]
#[ignore = "it takes seconds; run it by name to see how many"]
fn two_hundred_thousand_records_are_made() {
    assert_eq!(Traffic::new(TrafficSettings::test(200_000, 8)).count(), 200_000);
}
