//! Deduplication: what is late, what is a duplicate, and what a restart may not change.

use std::time::Duration;

use highwater::dsl::Dedup;
use highwater::task::Outcome;
use highwater::testing::header_texts;
use highwater::{StreamsBuilder, Timestamp, Topology, TopologyTestDriver};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const START: i64 = 500_000 * HOUR;

/// Values are `id time`; the record's own time is that of the value.
fn topology() -> Topology {
    let builder = StreamsBuilder::new("clean");
    builder.dead_letters("dlq");
    let once = Dedup::by(|_: &String, value: &String| u128::from(value.as_bytes()[0]))
        .within(Duration::from_hours(24))
        .memory_hours(25)
        .store("seen")
        .late_to("late.events")
        .reason("message_id");
    builder
        .stream::<String, String>("raw")
        .with_timestamp(|_, value| Timestamp::from_millis(START + value[2..].parse::<i64>().unwrap()))
        .dedup(once)
        .to("clean");
    builder.build().unwrap()
}

fn send(driver: &mut TopologyTestDriver, id: char, at: i64) {
    driver.input("raw").send("k".to_owned(), format!("{id} {at}"), START);
}

fn passed(driver: &mut TopologyTestDriver) -> Vec<String> {
    driver.output("clean").read_all::<String, String>().into_iter().map(|(_, value)| value).collect()
}

fn outcome(driver: &TopologyTestDriver, outcome: Outcome, reason: &'static str) -> u64 {
    driver.books().get(&("raw".to_owned(), outcome, reason)).copied().unwrap_or(0)
}

// covers: R9, R10, R11
#[test]
fn a_record_passes_is_late_or_is_a_duplicate_to_the_letter() {
    let day = 24 * HOUR;
    for (why, sends, expected) in [
        ("the first one passes, its like does not", vec![('a', 0), ('a', 1), ('b', 1)], vec!["a 0", "b 1"]),
        ("exactly a day before the stream time passes", vec![('a', day), ('b', 0)], vec!["a 86400000", "b 0"]),
        ("one ms more is late", vec![('a', day + 1), ('b', 0)], vec!["a 86400001"]),
        ("a duplicate moves the stream time on", vec![('a', 0), ('a', day + 1), ('b', 0)], vec!["a 0"]),
        ("a late record does not", vec![('a', 2 * day), ('b', 0), ('c', day)], vec!["a 172800000", "c 86400000"]),
        (
            "25 hours are remembered by the hour",
            vec![('a', HOUR - 1), ('a', 26 * HOUR - 1), ('a', 26 * HOUR)],
            vec!["a 3599999", "a 93600000"],
        ),
        (
            "a dropped duplicate does not prolong the memory",
            vec![('a', 0), ('a', 20 * HOUR), ('a', 26 * HOUR)],
            vec!["a 0", "a 93600000"],
        ),
        (
            "the time that counts is the one it was kept with",
            vec![('x', 25 * HOUR), ('a', HOUR), ('a', 26 * HOUR), ('a', 27 * HOUR)],
            vec!["x 90000000", "a 3600000", "a 97200000"],
        ),
    ] {
        let mut driver = TopologyTestDriver::new(&topology());
        for (id, at) in sends {
            send(&mut driver, id, at);
        }
        assert_eq!(passed(&mut driver), expected, "{why}");
    }
}

// covers: R14
#[test]
fn a_late_record_is_counted_and_goes_to_the_late_topic_with_what_it_missed() {
    let mut driver = TopologyTestDriver::new(&topology());
    send(&mut driver, 'a', 30 * HOUR);
    send(&mut driver, 'b', 2 * HOUR + 17);
    send(&mut driver, 'a', 30 * HOUR);
    let late = driver.output("late.events").read_raw();
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].record.value.as_deref(), Some(&b"b 7200017"[..]));
    assert_eq!(late[0].timestamp.as_millis(), START);
    let text = |key: &str, value: String| (key.to_owned(), value);
    assert_eq!(
        header_texts(&late[0].record.headers),
        [
            text("reason", "beyond_dedup_horizon".into()),
            text("late_by_ms", (4 * HOUR - 17).to_string()),
            text("stream_time", (START + 30 * HOUR).to_string()),
            text("bucket", (START + 2 * HOUR).to_string()),
            text("topology", "clean".into()),
        ]
    );
    assert_eq!(outcome(&driver, Outcome::Late, "beyond_dedup_horizon"), 1);
    assert_eq!(outcome(&driver, Outcome::Duplicate, "message_id"), 1);
    assert_eq!(outcome(&driver, Outcome::Processed, ""), 1);
}

#[test]
fn a_time_before_1970_is_dead_lettered_and_moves_nothing() {
    let mut driver = TopologyTestDriver::new(&topology());
    send(&mut driver, 'a', -START - 1);
    assert_eq!(driver.dead_letters()[0].reason, "bad_timestamp");
    assert!(passed(&mut driver).is_empty());
}

#[test]
fn without_a_store_it_is_refused_with_the_mend() {
    let builder = StreamsBuilder::new("t");
    builder.stream::<String, String>("in").dedup(Dedup::by(|_, _| 1)).to("out");
    assert!(builder.build().unwrap_err().to_string().contains("Dedup::by(..).store(\"..\")"));
}

/// What the rules say, by memory without bound.
fn model(sends: &[(char, i64)]) -> Vec<String> {
    let hour = |time: i64| (START + time).div_euclid(HOUR);
    let (mut stream_time, mut kept, mut passed) = (i64::MIN, Vec::new(), Vec::new());
    for &(id, at) in sends {
        stream_time = stream_time.max(at);
        let remembered = |&(other, kept): &(char, i64)| other == id && hour(kept) >= hour(stream_time) - 25;
        if at < stream_time - 24 * HOUR || kept.iter().any(remembered) {
            continue;
        }
        kept.push((id, at));
        passed.push(format!("{id} {at}"));
    }
    passed
}

proptest! {
    // covers: R9, R11, I3
    #[test]
    fn it_equals_the_rules_whatever_comes_and_whenever_it_restarts(
        sends in prop::collection::vec((prop::char::range('a', 'd'), 0..60 * HOUR), 1..60),
        restart_at in 0..60_usize,
    ) {
        let mut driver = TopologyTestDriver::new(&topology());
        for (number, &(id, at)) in sends.iter().enumerate() {
            if number == restart_at {
                driver.crash_and_restart();
            }
            send(&mut driver, id, at);
        }
        prop_assert_eq!(passed(&mut driver), model(&sends));
    }
}
