//! Tumbling and hopping windows: the vectors, lateness window by window, emission on close, and an oracle.

use std::collections::BTreeMap;
use std::time::Duration;

use highwater::dsl::{Consumed, Emit, Materialized, TimeWindows};
use highwater::processor::ProcessError;
use highwater::task::Outcome;
use highwater::testing::header_texts;
use highwater::{StreamsBuilder, Timestamp, Topology, TopologyTestDriver};
use proptest::prelude::*;

fn hopping(size: u64, advance: u64, grace: u64) -> TimeWindows {
    let millis = Duration::from_millis;
    TimeWindows::hopping(millis(size), millis(advance)).grace(millis(grace))
}

/// Strings what comes together, from `0` on.
fn strings(windows: TimeWindows, emit: Emit) -> Topology {
    let builder = StreamsBuilder::new("windows");
    let stream = builder.stream::<String, Option<String>>("in");
    stream
        .group_by_key()
        .windowed_by(windows)
        .aggregate(
            Materialized::named("strings").emit(emit),
            || "0".to_owned(),
            |_, value, string| {
                string.push('+');
                string.push_str(value.as_deref().unwrap_or("null"));
            },
        )
        .to_stream()
        .map(|window, string| (format!("{}[{},{})", window.key, window.start, window.end), string))
        .to("out");
    // Rejects a record `bad` after everything else has been done with it.
    let refuse = |_: &String, value: Option<String>| match value.as_deref() {
        Some("bad") => Err(ProcessError::rejected("bad_value", "it is bad")),
        _ => Ok(value),
    };
    stream.try_map_values(refuse).foreach(|_, _| ());
    builder.build().unwrap()
}

fn send(driver: &mut TopologyTestDriver, key: &str, value: &str, at: i64) {
    driver.input("in").send(key.to_owned(), Some(value.to_owned()), at);
}

/// `key[start,end)=value@time`.
fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    let records = driver.output("out").read_records::<String, Option<String>>();
    let text = |value: Option<String>| value.unwrap_or_else(|| "⊥".to_owned());
    records.into_iter().map(|record| format!("{}={}@{}", record.key, text(record.value), record.timestamp)).collect()
}

fn late(driver: &TopologyTestDriver, reason: &'static str) -> u64 {
    driver.books().get(&("in".to_owned(), Outcome::Late, reason)).copied().unwrap_or(0)
}

// covers: V-2.4-basic, V-1.1-timestamps
#[test]
fn the_hopping_example_comes_out_update_by_update() {
    let sends = [
        ("A", "1", 0),
        ("B", "2", 1),
        ("C", "3", 2),
        ("D", "4", 3),
        ("A", "1", 4),
        ("A", "1", 5),
        ("B", "2", 6),
        ("D", "4", 7),
        ("B", "2", 8),
        ("C", "3", 9),
        ("A", "1", 10),
        ("B", "2", 11),
        ("D", "4", 12),
        ("B", "2", 13),
        ("C", "3", 14),
        ("B", "1", 3),
        ("B", "2", 2),
        ("B", "3", 9),
    ];
    let expected = [
        "A[0,10)=0+1@0",
        "B[0,10)=0+2@1",
        "C[0,10)=0+3@2",
        "D[0,10)=0+4@3",
        "A[0,10)=0+1+1@4",
        "A[0,10)=0+1+1+1@5",
        "A[5,15)=0+1@5",
        "B[0,10)=0+2+2@6",
        "B[5,15)=0+2@6",
        "D[0,10)=0+4+4@7",
        "D[5,15)=0+4@7",
        "B[0,10)=0+2+2+2@8",
        "B[5,15)=0+2+2@8",
        "C[0,10)=0+3+3@9",
        "C[5,15)=0+3@9",
        "A[5,15)=0+1+1@10",
        "A[10,20)=0+1@10",
        "B[5,15)=0+2+2+2@11",
        "B[10,20)=0+2@11",
        "D[5,15)=0+4+4@12",
        "D[10,20)=0+4@12",
        "B[5,15)=0+2+2+2+2@13",
        "B[10,20)=0+2+2@13",
        "C[5,15)=0+3+3@14",
        "C[10,20)=0+3@14",
        "B[0,10)=0+2+2+2+1@8",
        "B[0,10)=0+2+2+2+1+2@8",
        "B[0,10)=0+2+2+2+1+2+3@9",
        "B[5,15)=0+2+2+2+2+3@13",
    ];
    let mut driver = TopologyTestDriver::new(&strings(hopping(10, 5, 100), Emit::Update));
    for (key, value, at) in sends {
        send(&mut driver, key, value, at);
    }
    assert_eq!(out(&mut driver), expected);
    for (number, (key, value, at)) in sends.into_iter().enumerate() {
        send(&mut driver, key, value, at);
        if number % 4 == 0 {
            driver.crash_and_restart();
        }
    }
    assert_eq!(out(&mut driver).len(), expected.len(), "and once more, on top of it, through restarts");
}

const EXPIRED: [i64; 10] = [100, 0, 1, 2, 3, 4, 5, 6, 105, 106];

// covers: V-2.4-expired
#[test]
fn a_record_is_skipped_for_the_windows_that_have_closed_and_counted_for_each() {
    let mut driver = TopologyTestDriver::new(&strings(hopping(10, 5, 90).late_to("late"), Emit::Update));
    for at in &EXPIRED {
        send(&mut driver, "k", &at.to_string(), *at);
    }
    let expected = [
        "k[95,105)=0+100@100",
        "k[100,110)=0+100@100",
        "k[5,15)=0+5@5",
        "k[5,15)=0+5+6@6",
        "k[100,110)=0+100+105@105",
        "k[105,115)=0+105@105",
        "k[100,110)=0+100+105+106@106",
        "k[105,115)=0+105+106@106",
    ];
    assert_eq!(out(&mut driver), expected);
    assert_eq!(driver.late_windows(), 7);
    assert_eq!(late(&driver, "beyond_grace"), 5, "two of the seven were taken by another window");
    let letters = driver.output("late").read_raw();
    let headers = header_texts(&letters[0].record.headers);
    let expected =
        [("reason", "beyond_grace"), ("late_by_ms", "10"), ("stream_time", "100"), ("window", "0/10"), ("topology", "windows")];
    assert_eq!(headers, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(letters.len(), 5);
    let mut driver = TopologyTestDriver::new(&strings(hopping(10, 5, 90), Emit::Close));
    for at in &EXPIRED {
        send(&mut driver, "k", &at.to_string(), *at);
    }
    assert_eq!(out(&mut driver), ["k[5,15)=0+5+6@6"]);
}

// covers: V-2.4-grace
#[test]
fn grace_keeps_a_window_open_to_the_millisecond() {
    let mut driver = TopologyTestDriver::new(&strings(hopping(10, 10, 90), Emit::Update));
    for at in [200, 100, 101, 102, 103, 104, 105, 6] {
        send(&mut driver, "k", "x", at);
    }
    assert_eq!(out(&mut driver), ["k[200,210)=0+x@200"]);
    assert_eq!((driver.late_windows(), late(&driver, "beyond_grace")), (7, 7));
    send(&mut driver, "k", "x", 110);
    assert_eq!(out(&mut driver), ["k[110,120)=0+x@110"], "it ends 80 before the stream time");
    send(&mut driver, "k", "y", 209);
    send(&mut driver, "k", "x", 111);
    assert_eq!(out(&mut driver).len(), 2, "89 before");
    send(&mut driver, "k", "y", 210);
    send(&mut driver, "k", "x", 112);
    assert_eq!(out(&mut driver), ["k[210,220)=0+y@210"], "90 before is too late");
}

// covers: V-2.4-close
#[test]
fn a_window_is_told_once_in_its_last_state_when_it_closes() {
    let mut driver = TopologyTestDriver::new(&strings(hopping(10, 5, 0), Emit::Close));
    for (key, at, expected) in [
        ("A", 0, vec![]),
        ("A", 5, vec![]),
        ("B", 10, vec!["A[0,10)=0+1+1@5"]),
        ("C", 15, vec!["A[5,15)=0+1@5", "B[5,15)=0+1@10"]),
        ("D", 19, vec![]),
        ("D", 20, vec!["B[10,20)=0+1@10", "C[10,20)=0+1@15", "D[10,20)=0+1@19"]),
    ] {
        send(&mut driver, key, "1", at);
        assert_eq!(out(&mut driver), expected, "{key} at {at}");
    }
}

// covers: V-2.4-close-restart, R13
#[test]
fn restarts_and_silence_tell_no_window_twice_and_lose_none() {
    let windows = || hopping(10, 5, 0).late_to("late");
    let mut driver = TopologyTestDriver::new(&strings(windows(), Emit::Close));
    let mut told = Vec::new();
    for (key, at) in [("A", 0), ("A", 5), ("B", 10), ("C", 15)] {
        send(&mut driver, key, "1", at);
        driver.crash_and_restart();
        told.extend(out(&mut driver));
    }
    assert_eq!(told, ["A[0,10)=0+1+1@5", "A[5,15)=0+1@5", "B[5,15)=0+1@10"]);
    send(&mut driver, "A", "late", 9);
    assert_eq!(late(&driver, "beyond_grace"), 1, "none is reopened");
    driver.advance_wall_clock(Duration::from_millis(20));
    driver.idle();
    assert_eq!(out(&mut driver), ["B[10,20)=0+1@10", "C[10,20)=0+1@15"]);
    driver.crash_and_restart();
    send(&mut driver, "C", "1", 16);
    assert_eq!(driver.late_windows(), 1, "silence has closed one of its windows");
    driver.idle();
    driver.advance_wall_clock(Duration::from_millis(5));
    driver.idle();
    assert_eq!(out(&mut driver), ["C[15,25)=0+1+1@16"]);
    send(&mut driver, "C", "1", 17);
    assert_eq!(late(&driver, "closed_while_idle"), 1);
    let headers = header_texts(&driver.output("late").read_raw().last().unwrap().record.headers);
    assert!(headers.contains(&("window".to_owned(), "15/25".to_owned())), "{headers:?}");
}

#[test]
fn a_record_without_a_value_counts_in_a_window() {
    let mut driver = TopologyTestDriver::new(&strings(hopping(10, 10, 0), Emit::Update));
    driver.input("in").send("k".to_owned(), None::<String>, 3);
    assert_eq!(out(&mut driver), ["k[0,10)=0+null@3"]);
}

#[test]
fn windows_leave_the_store_and_what_was_held_back_is_told_as_they_leave() {
    let hour = 3_600_000;
    for emit in [Emit::Update, Emit::Commit, Emit::AtMostEvery(Duration::from_secs(30))] {
        let mut driver = TopologyTestDriver::new(&strings(hopping(10, 10, 0), emit)).committing_by_hand();
        send(&mut driver, "a", "1", 5);
        send(&mut driver, "b", "1", 2 * hour);
        driver.advance_wall_clock(Duration::ZERO);
        let mut told = out(&mut driver);
        driver.commit();
        driver.advance_wall_clock(Duration::from_secs(30));
        told.extend(out(&mut driver));
        assert_eq!(told, ["a[0,10)=0+1@5", "b[7200000,7200010)=0+1@7200000"], "{emit:?}");
        let mut left = Vec::new();
        driver.each_state("strings", |state, store| {
            state.window_all(store, i64::MIN..=i64::MAX, &mut |_, start, _| left.push(start)).unwrap();
        });
        assert_eq!(left, [2 * hour], "{emit:?}");
    }
}

#[test]
fn windows_that_leave_gaps_are_refused() {
    let builder = StreamsBuilder::new("windows");
    let windows = hopping(10, 11, 0);
    builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count("counts").to_stream().foreach(|_, _| ());
    assert!(builder.build().unwrap_err().to_string().contains("leave out records"));
}

/// Counts by window, as one finds them by looking at every window and every record.
fn oracle(sends: &[(u8, i64)], size: i64, advance: i64) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (key, at) in sends {
        for start in (0..=*at).filter(|start| start % advance == 0 && at - start < size) {
            *counts.entry(format!("{}[{start},{})", char::from(*key), start + size)).or_insert(0) += 1;
        }
    }
    counts
}

proptest! {
    // covers: I3
    #[test]
    fn within_grace_the_order_of_arrival_commits_and_restarts_change_no_result(
        sends in prop::collection::vec((prop::sample::select(vec![b'a', b'b']), 0..60_i64), 1..40),
        actions in prop::collection::vec(0..5_u8, 40),
        (size, advance) in (1..20_i64).prop_flat_map(|size| (Just(size), 1..=size)),
        policy in 0..4_usize,
    ) {
        let emit = [Emit::Update, Emit::Commit, Emit::AtMostEvery(Duration::from_secs(30)), Emit::Close][policy];
        let topology = strings(hopping(size as u64, advance as u64, 60), emit);
        let mut driver = TopologyTestDriver::new(&topology).committing_by_hand();
        for ((key, at), action) in sends.iter().zip(&actions) {
            send(&mut driver, &char::from(*key).to_string(), "1", *at);
            match action {
                0 => driver.commit(),
                1 => {
                    driver.commit();
                    driver.crash_and_restart();
                }
                2 => driver.advance_wall_clock(Duration::from_secs(20)),
                3 => send(&mut driver, &char::from(*key).to_string(), "bad", 59 - at),
                _ => {}
            }
        }
        driver.commit();
        if emit == Emit::Close {
            send(&mut driver, "z", "1", 1_000);
            driver.advance_wall_clock(Duration::ZERO);
            driver.commit();
        }
        driver.drain();
        let mut told = BTreeMap::new();
        for (key, string) in driver.output("out").read_all::<String, Option<String>>() {
            let count = string.unwrap().matches('+').count();
            let before = told.insert(key.clone(), count);
            prop_assert!(before.is_none() || emit != Emit::Close, "{key} was told twice");
        }
        told.retain(|key, _| !key.starts_with('z'));
        prop_assert_eq!(told, oracle(&sends, size, advance));
    }
}

// covers: I11
#[test]
fn a_record_from_too_far_in_the_future_is_dead_lettered_and_moves_no_stream_time() {
    const ARRIVAL: i64 = 1_000_000;
    let builder = StreamsBuilder::new("windows");
    builder.dead_letters("dlq");
    builder
        .stream(
            Consumed::<String, i64>::topic("in")
                .timestamp(|_, at, _| Timestamp::from_millis(*at))
                .max_future_skew(Duration::from_mins(5)),
        )
        .group_by_key()
        .windowed_by(hopping(10, 10, 0))
        .count("counts")
        .to_stream()
        .map(|window, count| (format!("{}[{})", window.key, window.start), count))
        .to("out");
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    let last = ARRIVAL + 300_000;
    for (event_time, arrival) in
        [(ARRIVAL, ARRIVAL), (last + 1, ARRIVAL), (ARRIVAL + 1, ARRIVAL), (last, ARRIVAL), (ARRIVAL, ARRIVAL)]
    {
        driver.input("in").send("k".to_owned(), event_time, arrival);
    }
    let letters = driver.dead_letters();
    assert_eq!(letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>(), ["future_timestamp"]);
    let counts: Vec<(String, i64)> = driver.output("out").read_all();
    let expected = [("k[1000000)", 1), ("k[1000000)", 2), ("k[1300000)", 1)];
    assert_eq!(counts, expected.map(|(key, count)| (key.to_owned(), count)), "the last one is late, the third was not");
    assert_eq!(late(&driver, "beyond_grace"), 1);
}
