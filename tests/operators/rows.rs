//! Rows: what an output topic gets of a table, and of rows that were made by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use highwater::dsl::{Emit, Materialized, Row, RowStamp, SessionWindows};
use highwater::processor::ProcessError;
use highwater::serde::{Decode, DefaultSerde, Encode, Serde, SerdeError, SharedSerde};
use highwater::{StreamsBuilder, Timestamp, Topology, TopologyTestDriver};
use proptest::prelude::*;

/// A row of text: its key is the text up to the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    text: String,
    row_version: i64,
    is_deleted: bool,
    processed_at: i64,
}

impl Line {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), row_version: 0, is_deleted: false, processed_at: 0 }
    }
}

impl Row for Line {
    type Key = String;

    fn key(&self) -> String {
        self.text.split(':').next().unwrap_or_default().to_owned()
    }

    fn stamp(&mut self, stamp: RowStamp) {
        let RowStamp { row_version, is_deleted, processed_at, timestamp: _ } = stamp;
        (self.row_version, self.is_deleted, self.processed_at) = (row_version, is_deleted, processed_at.as_millis());
    }
}

struct LineSerde;

impl Encode<Line> for LineSerde {
    fn encode(&self, line: &Line, out: &mut BytesMut) -> Result<(), SerdeError> {
        out.put_i64(line.row_version);
        out.put_u8(u8::from(line.is_deleted));
        out.put_i64(line.processed_at);
        out.put_slice(line.text.as_bytes());
        Ok(())
    }
}

impl Decode<Line> for LineSerde {
    fn decode(&self, bytes: &[u8]) -> Result<Line, SerdeError> {
        let number = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        let text = String::from_utf8(bytes[17..].to_vec()).unwrap();
        Ok(Line { text, row_version: number(0), is_deleted: bytes[8] == 1, processed_at: number(9) })
    }
}

impl Serde<Line> for LineSerde {}

impl DefaultSerde for Line {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(LineSerde)
    }
}

const PERIOD: Duration = Duration::from_secs(30);

/// Values `x` are rows `key:x`; no value deletes.
fn by_hand(emit: Emit) -> Topology {
    let builder = StreamsBuilder::new("rows");
    let stream = builder.stream::<String, Option<String>>("in");
    stream
        .map(|key, value| (key.clone(), value.map(|value| Line::new(&format!("{key}:{value}")))))
        .upsert_rows("rows", emit)
        .to("out");
    // Rejects a record `bad` after everything else has been done with it.
    let refuse = |_: &String, value: Option<String>| match value.as_deref() {
        Some("bad") => Err(ProcessError::rejected("bad_value", "it is bad")),
        _ => Ok(value),
    };
    stream.try_map_values(refuse).foreach(|_, _| ());
    builder.build().unwrap()
}

fn send(driver: &mut TopologyTestDriver, key: &str, value: Option<&str>) {
    driver.input("in").send(key.to_owned(), value.map(str::to_owned), 7);
}

/// Rows as `text#version`, deleted ones `text#version!`, tombstones `key⊥`.
fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    let rows = driver.output("out").read_all::<String, Option<Line>>();
    let text = |(key, line): (String, Option<Line>)| match line {
        Some(line) => format!("{}#{}{}", line.text, line.row_version, if line.is_deleted { "!" } else { "" }),
        None => format!("{key}⊥"),
    };
    rows.into_iter().map(text).collect()
}

// covers: R46, R45
#[test]
fn a_deletion_is_the_last_row_and_a_tombstone_and_versions_grow_through_it() {
    for emit in [Emit::Update, Emit::Commit] {
        let mut driver = TopologyTestDriver::new(&by_hand(emit));
        for value in [Some("x"), Some("y"), None, None, Some("z")] {
            send(&mut driver, "a", value);
            driver.crash_and_restart();
        }
        assert_eq!(out(&mut driver), ["a:x#1", "a:y#2", "a:y#3!", "a⊥", "a:z#4"], "{emit:?}");
    }
}

#[test]
fn an_equal_row_is_not_told_again() {
    let mut driver = TopologyTestDriver::new(&by_hand(Emit::Update));
    for value in &["x", "x", "y", "x"] {
        send(&mut driver, "a", Some(value));
    }
    assert_eq!(out(&mut driver), ["a:x#1", "a:y#2", "a:x#3"]);
    for emit in [Emit::Commit, Emit::AtMostEvery(PERIOD)] {
        let mut driver = TopologyTestDriver::new(&by_hand(emit)).committing_by_hand();
        send(&mut driver, "a", Some("x"));
        driver.commit();
        driver.advance_wall_clock(PERIOD);
        driver.commit();
        driver.crash_and_restart();
        assert_eq!(out(&mut driver), ["a:x#1"], "{emit:?}");
        for value in &["y", "x"] {
            send(&mut driver, "a", Some(value));
        }
        driver.commit();
        driver.advance_wall_clock(PERIOD);
        driver.commit();
        assert!(out(&mut driver).is_empty(), "{emit:?}: it came back to what was told");
        send(&mut driver, "a", Some("z"));
        driver.commit();
        driver.advance_wall_clock(PERIOD);
        assert_eq!(out(&mut driver), ["a:z#2"], "{emit:?}");
    }
}

#[test]
fn a_row_that_was_never_told_is_deleted_in_silence() {
    for emit in [Emit::Commit, Emit::AtMostEvery(PERIOD)] {
        let mut driver = TopologyTestDriver::new(&by_hand(emit)).committing_by_hand();
        send(&mut driver, "a", Some("x"));
        send(&mut driver, "a", None);
        send(&mut driver, "b", None);
        driver.drain();
        assert!(out(&mut driver).is_empty(), "{emit:?}");
        let mut left = 0;
        driver.each_state("rows", |state, store| {
            state
                .scan(store, (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded), &mut |_, _| {
                    left += 1;
                    std::ops::ControlFlow::Continue(())
                })
                .unwrap();
        });
        assert_eq!(left, 0, "{emit:?}: nothing is left of it");
    }
}

#[test]
fn a_deletion_waits_its_turn_and_is_void_if_the_row_comes_back() {
    let mut driver = TopologyTestDriver::new(&by_hand(Emit::AtMostEvery(PERIOD)));
    send(&mut driver, "a", Some("x"));
    driver.advance_wall_clock(PERIOD);
    send(&mut driver, "a", Some("y"));
    send(&mut driver, "a", None);
    driver.advance_wall_clock(PERIOD / 2);
    driver.crash_and_restart();
    send(&mut driver, "a", Some("z"));
    send(&mut driver, "b", Some("1"));
    driver.advance_wall_clock(PERIOD / 2);
    assert_eq!(out(&mut driver), ["a:x#1", "a:z#2"]);
    send(&mut driver, "a", None);
    driver.crash_and_restart();
    driver.advance_wall_clock(PERIOD / 2);
    assert_eq!(out(&mut driver), ["b:1#3"]);
    driver.advance_wall_clock(PERIOD / 2);
    assert_eq!(out(&mut driver), ["a:z#4!", "a⊥"]);
    send(&mut driver, "a", None);
    driver.drain();
    assert!(out(&mut driver).is_empty(), "gone is gone");
}

#[test]
fn rows_of_a_table_have_the_tables_time_and_the_walls() {
    let builder = StreamsBuilder::new("visits");
    builder
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(SessionWindows::inactivity(Duration::from_millis(10)).grace(Duration::from_secs(9)))
        .count(Materialized::named("visits").emit(Emit::AtMostEvery(PERIOD)))
        .to_rows(|window, count| Line::new(&format!("{}-{}:{count}", window.key, window.start)))
        .to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    for at in &[5, 9] {
        driver.input("in").send("a".to_owned(), String::new(), *at);
    }
    driver.advance_wall_clock(PERIOD);
    let rows = driver.output("out").read_records::<String, Option<Line>>();
    let expected = Line { text: "a-5:2".into(), row_version: 1, is_deleted: false, processed_at: 30_000 };
    assert_eq!((rows[0].timestamp, rows[0].value.clone()), (Timestamp::from_millis(9), Some(expected)));
    driver.input("in").send("a".to_owned(), String::new(), 0);
    assert_eq!(out(&mut driver), ["a-5:2#2!", "a-5⊥", "a-0:3#3"]);
}

proptest! {
    // covers: I3
    #[test]
    fn the_last_row_told_is_the_last_row_made_and_no_two_are_equal_or_too_near(
        sends in prop::collection::vec((0..3_u8, prop::option::of(0..3_u8), 0..6_u8), 1..60),
        policy in 0..3_usize,
    ) {
        let emit = [Emit::Update, Emit::Commit, Emit::AtMostEvery(PERIOD)][policy];
        let mut driver = TopologyTestDriver::new(&by_hand(emit)).committing_by_hand();
        let mut made = std::collections::BTreeMap::new();
        for (key, value, action) in &sends {
            let key = key.to_string();
            let value = value.map(|value| value.to_string());
            send(&mut driver, &key, value.as_deref());
            match value {
                Some(value) => drop(made.insert(key.clone(), format!("{key}:{value}"))),
                None => drop(made.remove(&key)),
            }
            match action {
                0 => driver.commit(),
                1 => {
                    driver.commit();
                    driver.crash_and_restart();
                }
                2 | 3 => driver.advance_wall_clock(Duration::from_secs(11)),
                4 => send(&mut driver, &key, Some("bad")),
                _ => {}
            }
        }
        let by_turns = driver.output("out").read_all::<String, Option<Line>>();
        driver.drain();
        let at_the_end = driver.output("out").read_all::<String, Option<Line>>();
        let rows = by_turns.into_iter().map(|row| (row, true)).chain(at_the_end.into_iter().map(|row| (row, false)));
        let mut told: std::collections::BTreeMap<String, (String, i64, i64)> = std::collections::BTreeMap::new();
        for ((key, line), is_by_turn) in rows {
            let Some(line) = line else {
                prop_assert!(told.remove(&key).is_some(), "a tombstone follows a row");
                continue;
            };
            if let Some((text, version, at)) = told.get(&key) {
                prop_assert!(line.is_deleted || *text != line.text, "an equal row is not told again");
                prop_assert!(line.row_version > *version);
                let is_near = is_by_turn && line.processed_at - at < 30_000;
                prop_assert!(policy != 2 || !is_near, "{key} was told again after {} ms", line.processed_at - at);
            } else {
                prop_assert!(!line.is_deleted, "a row that was never told is not deleted");
            }
            told.insert(key, (line.text, line.row_version, line.processed_at));
        }
        let told: std::collections::BTreeMap<String, String> = told.into_iter().map(|(key, (text, ..))| (key, text)).collect();
        prop_assert_eq!(told, made);
    }
}
