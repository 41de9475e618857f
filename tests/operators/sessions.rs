//! Session windows: the vectors, lateness, what each policy emits, and an oracle over orders of arrival.

use std::time::Duration;

use highwater::dsl::{Emit, KTable, Materialized, SessionWindows, Windowed};
use highwater::processor::ProcessError;
use highwater::task::Outcome;
use highwater::testing::header_texts;
use highwater::{KStream, StreamsBuilder, Topology, TopologyTestDriver};
use proptest::prelude::*;

const GAP: i64 = 10;

fn gap() -> SessionWindows {
    SessionWindows::inactivity(Duration::from_millis(GAP as u64))
}

/// Counts sessions of `in` and writes `key@[start,end]` and count to `out`.
fn counts(windows: SessionWindows, emit: Emit) -> Topology {
    let builder = StreamsBuilder::new("visits");
    let store = Materialized::named("visits").emit(emit);
    let stream = builder.stream::<String, String>("in");
    let table: KTable<'_, Windowed<String>, u64> = stream.group_by_key().windowed_by(windows).count(store);
    write(table);
    refuse_bad(stream);
    builder.build().unwrap()
}

/// Rejects a record `bad` after everything else has been done with it.
fn refuse_bad(stream: KStream<'_, String, String>) {
    let refuse = |_: &String, value: String| match &*value {
        "bad" => Err(ProcessError::rejected("bad_value", "it is bad")),
        _ => Ok(value),
    };
    stream.try_map_values(refuse).foreach(|_, _| ());
}

fn write(table: KTable<'_, Windowed<String>, u64>) {
    table.to_stream().map(|window, count| (format!("{}@[{},{}]", window.key, window.start, window.end), count)).to("out");
}

fn send(driver: &mut TopologyTestDriver, key: &str, at: i64) {
    driver.input("in").send(key.to_owned(), String::new(), at);
}

/// What came out, as `key@[start,end]=count@time`, ⊥ for a deletion.
fn out(driver: &mut TopologyTestDriver) -> Vec<String> {
    let records = driver.output("out").read_records::<String, Option<u64>>();
    let text = |count: Option<u64>| count.map_or_else(|| "⊥".to_owned(), |count| count.to_string());
    records.into_iter().map(|record| format!("{}={}@{}", record.key, text(record.value), record.timestamp)).collect()
}

fn late(driver: &TopologyTestDriver, reason: &'static str) -> u64 {
    driver.books().get(&("in".to_owned(), Outcome::Late, reason)).copied().unwrap_or(0)
}

// covers: V-2.6-forward-removed, V-2.6-same-time, V-2.6-inclusive-gap, V-1.1-timestamps
#[test]
fn each_change_comes_out_at_once_and_the_old_window_goes_before_the_new_one_comes() {
    for (why, times, expected) in [
        ("it grows", vec![0, 5], vec!["a@[0,0]=1@0", "a@[0,0]=⊥@0", "a@[0,5]=2@5"]),
        ("the same time again deletes nothing", vec![3, 3], vec!["a@[3,3]=1@3", "a@[3,3]=2@3"]),
        ("nor does a time within", vec![0, 8, 4], vec!["a@[0,0]=1@0", "a@[0,0]=⊥@0", "a@[0,8]=2@8", "a@[0,8]=3@8"]),
        ("exactly a gap is one session", vec![0, 10], vec!["a@[0,0]=1@0", "a@[0,0]=⊥@0", "a@[0,10]=2@10"]),
        ("a millisecond more is two", vec![0, 11], vec!["a@[0,0]=1@0", "a@[11,11]=1@11"]),
        (
            "it merges two",
            vec![0, 15, 8],
            vec!["a@[0,0]=1@0", "a@[15,15]=1@15", "a@[0,0]=⊥@0", "a@[15,15]=⊥@15", "a@[0,15]=3@15"],
        ),
    ] {
        let mut driver = TopologyTestDriver::new(&counts(gap().grace(Duration::from_secs(1)), Emit::Update));
        for at in times {
            send(&mut driver, "a", at);
        }
        assert_eq!(out(&mut driver), expected, "{why}");
    }
}

// covers: V-2.6-merge
#[test]
fn an_event_between_two_sessions_makes_them_one() {
    let gap_ms = 300_000;
    let windows = SessionWindows::inactivity(Duration::from_mins(5)).grace(Duration::from_mins(5));
    let mut driver = TopologyTestDriver::new(&counts(windows, Emit::Commit));
    send(&mut driver, "a", 0);
    send(&mut driver, "a", gap_ms + 1);
    assert_eq!(out(&mut driver), ["a@[0,0]=1@0", "a@[300001,300001]=1@300001"]);
    send(&mut driver, "a", gap_ms / 2);
    assert_eq!(out(&mut driver), ["a@[0,0]=⊥@0", "a@[300001,300001]=⊥@300001", "a@[0,300001]=3@300001"]);
}

// covers: V-2.6-multiple
#[test]
fn a_commit_tells_the_last_state_and_nothing_of_what_came_and_went_in_it() {
    let sends = [("a", 0), ("b", 0), ("c", 0), ("d", 0), ("d", 5), ("a", 11), ("b", 11), ("a", 16), ("c", 16)];
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Commit)).committing_by_hand();
    for (key, at) in &sends {
        send(&mut driver, key, *at);
    }
    driver.commit();
    let mut told = out(&mut driver);
    told.sort_unstable();
    let expected =
        ["a@[0,0]=1@0", "a@[11,16]=2@16", "b@[0,0]=1@0", "b@[11,11]=1@11", "c@[0,0]=1@0", "c@[16,16]=1@16", "d@[0,5]=2@5"];
    assert_eq!(told, expected);
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Close)).committing_by_hand();
    for (key, at) in &sends {
        send(&mut driver, key, *at);
    }
    driver.advance_wall_clock(Duration::ZERO);
    assert_eq!(out(&mut driver), ["a@[0,0]=1@0", "b@[0,0]=1@0", "c@[0,0]=1@0", "d@[0,5]=2@5"]);
}

// covers: V-2.6-late
#[test]
fn an_event_behind_grace_and_gap_is_late_for_the_session_that_it_would_have_made() {
    let mut driver = TopologyTestDriver::new(&counts(gap().late_to("late"), Emit::Update));
    for (key, at) in &[("dummy", 0), ("on time", 0), ("dummy", 11)] {
        send(&mut driver, key, *at);
    }
    send(&mut driver, "late", 1);
    assert_eq!(late(&driver, "beyond_grace"), 0, "exactly at the closing time it is taken");
    send(&mut driver, "late", 0);
    assert_eq!(late(&driver, "beyond_grace"), 0, "joining a session that is open, it is taken");
    send(&mut driver, "other", 0);
    assert_eq!(late(&driver, "beyond_grace"), 1);
    let letters = driver.output("late").read_raw();
    let headers = header_texts(&letters[0].record.headers);
    let expected =
        [("reason", "beyond_grace"), ("late_by_ms", "11"), ("stream_time", "11"), ("window", "0/0"), ("topology", "visits")];
    assert_eq!(headers, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!((letters.len(), letters[0].record.key.as_deref()), (1, Some(&b"other"[..])));
}

// covers: V-2.6-late-joins-living
#[test]
fn an_event_older_than_the_closing_time_is_taken_by_a_session_that_is_open() {
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Update));
    for (key, at) in &[("a", 0), ("a", 10), ("b", 20)] {
        send(&mut driver, key, *at);
    }
    out(&mut driver);
    send(&mut driver, "a", 3);
    assert_eq!(out(&mut driver), ["a@[0,10]=3@10"]);
    send(&mut driver, "b", 21);
    send(&mut driver, "a", 3);
    assert_eq!((out(&mut driver).len(), late(&driver, "beyond_grace")), (2, 1), "closed a millisecond later, it takes no more");
}

// covers: V-2.6-late, I3
#[test]
fn a_restart_lets_no_late_event_in_and_loses_no_session() {
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Update));
    for (key, at) in &[("a", 0), ("b", 100)] {
        send(&mut driver, key, *at);
    }
    driver.crash_and_restart();
    out(&mut driver);
    send(&mut driver, "a", 5);
    send(&mut driver, "b", 101);
    assert_eq!(out(&mut driver), ["b@[100,100]=⊥@100", "b@[100,101]=2@101"]);
    assert_eq!(late(&driver, "beyond_grace"), 1);
}

#[test]
fn expired_sessions_leave_the_store() {
    let hour = 3_600_000;
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Commit));
    for (key, at) in &[("a", 0), ("b", hour + 5), ("c", 2 * hour), ("c", 4 * hour)] {
        send(&mut driver, key, *at);
    }
    let mut left = Vec::new();
    driver.each_state("visits", |state, store| {
        state.session_all(store, &mut |key, start, _, _| left.push((key.to_vec(), start))).unwrap();
    });
    assert_eq!(left, [(b"c".to_vec(), 4 * hour)]);
}

// covers: R27
#[test]
fn no_session_grows_longer_than_it_may() {
    let windows = gap().grace(Duration::from_secs(1)).max_length(Duration::from_millis(25));
    for (why, times, expected) in [
        ("cut at the length", vec![0, 10, 20, 25, 26], vec!["a@[0,25]=4@25", "a@[26,26]=1@26"]),
        ("too long to merge, it joins the earlier", vec![0, 20, 40, 10, 30], vec!["a@[0,20]=3@20", "a@[30,40]=2@40"]),
        ("the earlier is full, so the later", vec![0, 10, 20, 25, 34, 30], vec!["a@[0,25]=4@25", "a@[30,34]=2@34"]),
    ] {
        let mut driver = TopologyTestDriver::new(&counts(windows.clone(), Emit::Commit)).committing_by_hand();
        for at in times {
            send(&mut driver, "a", at);
        }
        driver.commit();
        let mut told = out(&mut driver);
        told.sort_unstable();
        assert_eq!(told, expected, "{why}");
    }
}

const PERIOD: Duration = Duration::from_secs(30);

fn throttled() -> Topology {
    counts(gap().grace(Duration::from_hours(24)), Emit::AtMostEvery(PERIOD))
}

#[test]
fn at_most_every_period_a_session_is_told_in_its_last_state() {
    let mut driver = TopologyTestDriver::new(&throttled());
    send(&mut driver, "a", 0);
    driver.advance_wall_clock(Duration::from_secs(29));
    send(&mut driver, "a", 5);
    assert!(out(&mut driver).is_empty());
    driver.advance_wall_clock(Duration::from_secs(1));
    assert_eq!(out(&mut driver), ["a@[0,5]=2@5"], "the first change counts, the last is told");
    driver.advance_wall_clock(PERIOD * 3);
    assert!(out(&mut driver).is_empty(), "unchanged, it is not told again");
    send(&mut driver, "a", 9);
    driver.advance_wall_clock(Duration::from_secs(29));
    assert!(out(&mut driver).is_empty());
    driver.advance_wall_clock(Duration::from_secs(1));
    assert_eq!(out(&mut driver), ["a@[0,9]=3@9"], "grown at its end, it is the same row");
}

#[test]
fn a_session_that_loses_its_start_is_deleted_only_if_it_was_told() {
    let mut driver = TopologyTestDriver::new(&throttled());
    send(&mut driver, "a", 20);
    send(&mut driver, "a", 12);
    driver.advance_wall_clock(PERIOD);
    assert_eq!(out(&mut driver), ["a@[12,20]=2@20"], "what nobody saw vanishes in silence");
    send(&mut driver, "a", 5);
    assert_eq!(out(&mut driver), ["a@[12,20]=⊥@20", "a@[5,20]=3@20"], "the new row comes with the end of the old one");
    send(&mut driver, "a", 40);
    driver.advance_wall_clock(PERIOD);
    assert_eq!(out(&mut driver), ["a@[40,40]=1@40"]);
    send(&mut driver, "a", 30);
    assert_eq!(out(&mut driver), ["a@[40,40]=⊥@40"], "merged into one that is a row already, which waits its turn");
    driver.advance_wall_clock(PERIOD);
    assert_eq!(out(&mut driver), ["a@[5,40]=5@40"]);
}

#[test]
fn what_waits_survives_a_restart_and_comes_out_at_the_end() {
    let mut driver = TopologyTestDriver::new(&throttled());
    send(&mut driver, "a", 0);
    driver.advance_wall_clock(PERIOD);
    out(&mut driver);
    send(&mut driver, "a", 5);
    send(&mut driver, "b", 5);
    driver.advance_wall_clock(Duration::from_secs(10));
    driver.crash_and_restart();
    driver.advance_wall_clock(Duration::from_secs(19));
    assert!(out(&mut driver).is_empty());
    driver.advance_wall_clock(Duration::from_secs(1));
    assert_eq!(out(&mut driver), ["a@[0,5]=2@5", "b@[5,5]=1@5"]);
    driver.crash_and_restart();
    driver.advance_wall_clock(PERIOD);
    assert!(out(&mut driver).is_empty(), "what was told is not told again");
    send(&mut driver, "a", 6);
    driver.drain();
    assert_eq!(out(&mut driver), ["a@[0,6]=3@6"], "at the end nothing is held back");
    driver.crash_and_restart();
    driver.drain();
    assert!(out(&mut driver).is_empty());
    send(&mut driver, "a", 7);
    driver.advance_wall_clock(PERIOD * 2);
    assert_eq!(out(&mut driver), ["a@[0,7]=4@7"], "and it goes on after the end");
}

#[test]
fn a_session_that_expires_before_its_turn_is_told_as_it_leaves() {
    for emit in [Emit::AtMostEvery(PERIOD), Emit::Commit] {
        let mut driver = TopologyTestDriver::new(&counts(gap(), emit)).committing_by_hand();
        send(&mut driver, "a", 0);
        send(&mut driver, "b", 100 * 3_600_000);
        driver.advance_wall_clock(Duration::ZERO);
        assert_eq!(out(&mut driver), ["a@[0,0]=1@0"], "{emit:?}");
        driver.commit();
        driver.advance_wall_clock(PERIOD);
        assert_eq!(out(&mut driver), ["b@[360000000,360000000]=1@360000000"], "{emit:?}");
    }
}

// covers: R13
#[test]
fn a_silence_closes_sessions_that_are_told_when_they_close_and_no_others() {
    let mut driver = TopologyTestDriver::new(&counts(gap().grace(Duration::from_secs(1)).late_to("late"), Emit::Close));
    send(&mut driver, "a", 0);
    send(&mut driver, "a", 7);
    driver.advance_wall_clock(Duration::from_millis(1_017));
    driver.idle();
    assert!(out(&mut driver).is_empty(), "at the closing time itself it is open");
    driver.advance_wall_clock(Duration::from_millis(1));
    driver.idle();
    assert_eq!(out(&mut driver), ["a@[0,7]=2@7"]);
    driver.crash_and_restart();
    send(&mut driver, "a", 7);
    assert_eq!(late(&driver, "closed_while_idle"), 1);
    assert_eq!(driver.output("late").read_raw().len(), 1);
    send(&mut driver, "b", 2_000);
    send(&mut driver, "a", 7);
    assert_eq!(late(&driver, "beyond_grace"), 1, "stream time would have closed it by now");
    driver.drain();
    assert!(out(&mut driver).is_empty(), "what is open stays so: it is told once");
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Update));
    send(&mut driver, "a", 0);
    driver.advance_wall_clock(Duration::from_hours(1));
    driver.idle();
    send(&mut driver, "a", 1);
    assert_eq!(out(&mut driver).last().unwrap(), "a@[0,1]=2@1");
}

#[test]
fn a_closed_session_is_told_once_whatever_comes_and_whenever_it_restarts() {
    let mut driver = TopologyTestDriver::new(&counts(gap(), Emit::Close));
    for at in [0, 9, 18, 28, 39, 60] {
        send(&mut driver, "a", at);
        driver.crash_and_restart();
    }
    driver.advance_wall_clock(Duration::ZERO);
    assert_eq!(out(&mut driver), ["a@[0,28]=4@28", "a@[39,39]=1@39"]);
}

/// An aggregate that tells the order in which it was made.
fn letters(windows: SessionWindows, emit: Emit) -> Topology {
    let builder = StreamsBuilder::new("letters");
    builder
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(windows)
        .aggregate_records(
            Materialized::named("letters").emit(emit),
            String::new,
            |record, position, letters| {
                *letters += [&record.timestamp.to_string(), &position.offset.to_string(), " "].concat().as_str();
            },
            |_, earlier, later| earlier + &later,
        )
        .to_stream()
        .map(|window, letters| (window.key, letters))
        .to("out");
    builder.build().unwrap()
}

#[test]
fn an_aggregate_sees_a_records_time_and_place_and_merges_earlier_before_later() {
    let mut driver = TopologyTestDriver::new(&letters(gap().grace(Duration::from_secs(1)), Emit::Update));
    for at in &[20, 5, 12] {
        send(&mut driver, "a", *at);
    }
    let out: Vec<(String, Option<String>)> = driver.output("out").read_all();
    assert_eq!(out.last().unwrap().1.as_deref(), Some("51 200 122 "));
}

/// The last state of every row that was told.
fn final_rows(driver: &mut TopologyTestDriver) -> Vec<(String, u64)> {
    let mut rows = std::collections::BTreeMap::new();
    for (key, count) in driver.output("out").read_all::<String, Option<u64>>() {
        match count {
            Some(count) => rows.insert(key, count),
            None => rows.remove(&key).map_or_else(|| panic!("{key} was deleted and never told"), Some),
        };
    }
    rows.into_iter().collect()
}

/// `final_rows` by key and start.
fn final_starts(driver: &mut TopologyTestDriver) -> Vec<(String, u64)> {
    let mut rows = std::collections::BTreeMap::new();
    for (key, count) in driver.output("out").read_all::<String, Option<u64>>() {
        let start = key.split(',').next().unwrap().to_owned();
        match count {
            Some(count) => drop(rows.insert(start, (key, count))),
            None => assert!(rows.remove(&start).is_some(), "{key} was deleted and never told"),
        }
    }
    rows.into_values().collect()
}

fn oracle(sends: &[(u8, i64)]) -> Vec<(String, u64)> {
    let mut rows = Vec::new();
    for key in [b'a', b'b'] {
        let mut times: Vec<i64> = sends.iter().filter(|(of, _)| *of == key).map(|(_, at)| *at).collect();
        times.sort_unstable();
        let runs = times.chunk_by(|a, b| b - a <= GAP);
        rows.extend(runs.map(|run| (format!("{}@[{},{}]", char::from(key), run[0], run[run.len() - 1]), run.len() as u64)));
    }
    rows.sort_unstable();
    rows
}

proptest! {
    // covers: I3
    #[test]
    fn within_grace_the_order_of_arrival_commits_and_restarts_change_no_result(
        sends in prop::collection::vec((prop::sample::select(vec![b'a', b'b']), 0..150_i64), 1..40),
        actions in prop::collection::vec(0..5_u8, 40),
        policy in 0..4_usize,
    ) {
        let emit = [Emit::Update, Emit::Commit, Emit::AtMostEvery(PERIOD), Emit::Close][policy];
        let mut driver = TopologyTestDriver::new(&counts(gap().grace(Duration::from_millis(150)), emit)).committing_by_hand();
        for ((key, at), action) in sends.iter().zip(&actions) {
            send(&mut driver, &char::from(*key).to_string(), *at);
            match action {
                0 => driver.commit(),
                1 => {
                    driver.commit();
                    driver.crash_and_restart();
                }
                2 => driver.advance_wall_clock(Duration::from_secs(20)),
                3 => driver.input("in").send(char::from(*key).to_string(), "bad".to_owned(), 149 - at),
                _ => {}
            }
        }
        driver.commit();
        if emit == Emit::Close {
            send(&mut driver, "z", 1_000);
            driver.advance_wall_clock(Duration::ZERO);
            driver.commit();
        }
        driver.drain();
        let mut rows = if policy == 2 { final_starts(&mut driver) } else { final_rows(&mut driver) };
        rows.sort_unstable();
        rows.retain(|(key, _)| !key.starts_with('z'));
        prop_assert_eq!(rows, oracle(&sends));
    }
}

proptest! {
    #[test]
    fn sessions_counted_by_key_add_up_to_all_records(
        sends in prop::collection::vec((prop::sample::select(vec!["a", "b"]), 0..150_i64), 1..40),
        actions in prop::collection::vec(0..5_u8, 40),
        policy in 0..3_usize,
        by_start in prop::bool::ANY,
    ) {
        let emit = [Emit::Update, Emit::Commit, Emit::AtMostEvery(PERIOD)][policy];
        let windows = gap().grace(Duration::from_millis(150));
        let windows = if by_start { windows.identified_by_start() } else { windows };
        let builder = StreamsBuilder::new("visits");
        let stream = builder.stream::<String, String>("in");
        stream
            .group_by_key()
            .windowed_by(windows)
            .count(Materialized::named("visits").emit(emit))
            .group_by(|window, count| (window.key.clone(), *count))
            .aggregate("sums", || 0_u64, |_, count, sum| *sum += count, |_, count, sum| *sum -= count)
            .to_stream()
            .to("out");
        refuse_bad(stream);
        let mut driver = TopologyTestDriver::new(&builder.build().unwrap()).committing_by_hand();
        for ((key, at), action) in sends.iter().zip(&actions) {
            send(&mut driver, key, *at);
            match action {
                0 => driver.commit(),
                1 => {
                    driver.commit();
                    driver.crash_and_restart();
                }
                2 => driver.advance_wall_clock(Duration::from_secs(20)),
                3 => driver.input("in").send((*key).to_owned(), "bad".to_owned(), 149 - at),
                _ => {}
            }
        }
        driver.drain();
        let told: std::collections::BTreeMap<String, Option<u64>> = driver.output("out").read_all().into_iter().collect();
        for key in ["a", "b"] {
            let count = sends.iter().filter(|(of, _)| *of == key).count() as u64;
            prop_assert_eq!(told.get(key).copied().flatten().unwrap_or(0), count);
        }
    }
}

#[test]
fn the_stream_time_of_a_record_that_is_dead_lettered_does_not_count() {
    let builder = StreamsBuilder::new("visits");
    builder.dead_letters("dlq");
    let table = builder.stream::<String, String>("in").group_by_key().windowed_by(gap()).aggregate(
        "visits",
        || 0_u64,
        |_, value, count| {
            assert!(value != "boom", "bad value");
            *count += 1;
        },
        |_, a, b| a + b,
    );
    write(table);
    let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    driver.input("in").send("a".to_owned(), "boom".to_owned(), 1_000);
    send(&mut driver, "a", 0);
    assert_eq!(out(&mut driver), ["a@[0,0]=1@0"]);
    assert_eq!(driver.dead_letters()[0].reason, "internal");
    assert_eq!(late(&driver, "beyond_grace"), 0);
}
