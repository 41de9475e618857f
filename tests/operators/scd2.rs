//! Histories of keys: which versions there are, what is told of them, and what neither the order of arrival nor a restart may change.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::time::Duration;

use highwater::dsl::Scd2;
use highwater::task::Outcome;
use highwater::testing::header_texts;
use highwater::{StreamsBuilder, Timestamp, Topology, TopologyTestDriver};
use proptest::prelude::*;

const WITHIN_MS: i64 = 100;

/// Values go in as `value@time`, and `@time` ends the key. Versions come out under `key from`, as `value to`.
fn topology() -> Topology {
    let builder = StreamsBuilder::new("histories");
    builder
        .stream::<String, String>("in")
        .with_timestamp(|_, value| Timestamp::from_millis(value.split_once('@').unwrap().1.parse().unwrap()))
        .map_values(|_, value| Some(value.split_once('@').unwrap().0.to_owned()).filter(|value| !value.is_empty()))
        .scd2(Scd2::store("history").within(Duration::from_millis(WITHIN_MS as u64)).late_to("late"))
        .map(|at, version| {
            let told = version.map(|version| {
                let end = version.valid_to.map_or_else(|| "now".to_owned(), |end| end.as_millis().to_string());
                assert_eq!(version.is_current(), end == "now");
                format!("{} {end}", version.value)
            });
            (format!("{} {}", at.key, at.valid_from.as_millis()), told)
        })
        .to("out");
    builder.build().unwrap()
}

fn send(driver: &mut TopologyTestDriver, value: &str) {
    driver.input("in").send("k".to_owned(), value.to_owned(), 0);
}

fn told(driver: &mut TopologyTestDriver) -> Vec<(String, Option<String>)> {
    driver.output("out").read_all()
}

/// The versions that stand at the end of what was told.
fn standing(told: &[(String, Option<String>)]) -> BTreeMap<String, String> {
    let mut standing = BTreeMap::new();
    for (key, version) in told {
        match version {
            Some(version) => standing.insert(key.clone(), version.clone()),
            None => standing.remove(key),
        };
    }
    standing
}

// covers: V-1.6-history
#[test]
fn what_is_told_of_versions_to_the_letter() {
    let one = |line: &str| {
        let (key, version) = line.split_once(": ").unwrap();
        (format!("k {key}"), Some(version.to_owned()).filter(|version| version != "-"))
    };
    for (why, sends, expected) in [
        ("a version ends where the next begins", vec!["a@1", "b@2"], vec!["1: a now", "1: a 2", "2: b now"]),
        ("the same value begins none", vec!["a@1", "a@2", "b@3"], vec!["1: a now", "1: a 3", "3: b now"]),
        ("an end, and a beginning after it", vec!["a@1", "@2", "a@3"], vec!["1: a now", "1: a 2", "3: a now"]),
        ("an end of nothing tells nothing", vec!["@1", "@2"], vec![]),
        ("a late one takes its place", vec!["a@1", "c@3", "b@2"], vec!["1: a now", "1: a 3", "3: c now", "1: a 2", "2: b 3"]),
        ("a late one before the first", vec!["b@2", "a@1"], vec!["2: b now", "1: a 2"]),
        ("a late end", vec!["a@1", "b@3", "@2"], vec!["1: a now", "1: a 3", "3: b now", "1: a 2"]),
        ("a late one that a repetition follows", vec!["a@1", "a@3", "b@2"], vec!["1: a now", "1: a 2", "2: b 3", "3: a now"]),
        ("a late repetition moves a beginning", vec!["b@3", "b@2"], vec!["3: b now", "3: -", "2: b now"]),
        ("of one time the last counts", vec!["a@1", "b@2", "c@2"], vec!["1: a now", "1: a 2", "2: b now", "2: c now"]),
        ("also if it undoes the version", vec!["a@1", "b@2", "a@2"], vec!["1: a now", "1: a 2", "2: b now", "2: -", "1: a now"]),
    ] {
        let mut driver = TopologyTestDriver::new(&topology());
        for value in sends {
            send(&mut driver, value);
        }
        assert_eq!(told(&mut driver), expected.into_iter().map(one).collect::<Vec<_>>(), "{why}");
    }
}

#[test]
fn a_record_from_before_the_history_is_late_and_says_so() {
    let mut driver = TopologyTestDriver::new(&topology());
    for value in ["a@1000", "b@1100", "c@1000", "d@999"] {
        send(&mut driver, value);
    }
    let versions = standing(&told(&mut driver));
    assert_eq!(
        versions,
        [("k 1000", "c 1100"), ("k 1100", "b now")].map(|(at, version)| (at.to_owned(), version.to_owned())).into()
    );
    let late = driver.output("late").read_raw();
    assert_eq!(late.len(), 1);
    let headers: BTreeMap<String, String> = header_texts(&late[0].record.headers).into_iter().collect();
    assert_eq!((headers["reason"].as_str(), headers["oldest"].as_str()), ("beyond_history", "1000"));
    assert_eq!(driver.books().get(&("in".to_owned(), Outcome::Late, "beyond_history")), Some(&1));
}

#[test]
fn what_can_no_longer_change_is_forgotten_and_what_follows_is_right() {
    let mut driver = TopologyTestDriver::new(&topology());
    for at in 0..50 {
        send(&mut driver, &format!("{}@{}", ["a", "a", "b"][at % 3], at * 40));
    }
    send(&mut driver, "z@5000");
    send(&mut driver, "y@4950");
    let mut bytes = 0;
    driver.each_state("history", |state, store| {
        let mut add = |_: &[u8], history: &[u8]| {
            bytes += history.len();
            ControlFlow::Continue(())
        };
        state.scan(store, (Bound::Unbounded, Bound::Unbounded), &mut add).unwrap();
    });
    assert_eq!(bytes, 1 + 3 * (8 + 4 + 1), "what holds before the horizon, and the two changes behind it");
    let versions = standing(&told(&mut driver));
    assert_eq!(versions["k 1920"], "a 4950");
    assert_eq!((versions["k 4950"].as_str(), versions["k 5000"].as_str()), ("y 5000", "z now"));
}

#[test]
fn changes_of_a_new_key_meet_in_a_topic_first() {
    let builder = StreamsBuilder::new("histories");
    builder
        .stream::<String, Option<String>>("in")
        .select_key(|key, _| key[..1].to_owned())
        .scd2("history")
        .map(|at, version| (at.key, version.map(|version| version.value)))
        .to("out");
    let mut driver = TopologyTestDriver::with_partitions(&builder.build().unwrap(), 4);
    for (key, at) in [("k1", 1), ("k2", 2), ("k3", 3)] {
        driver.input("in").send(key.to_owned(), Some(key.to_owned()), at);
    }
    driver.input("in").send("k4".to_owned(), None::<String>, 4);
    let told: Vec<_> = told(&mut driver).into_iter().filter_map(|(key, value)| Some(format!("{key} {}", value?))).collect();
    assert_eq!(told, ["k k1", "k k1", "k k2", "k k2", "k k3", "k k3"], "one key has all of them");
}

/// The versions of changes that are all known, by the words of the rule: the last of each time, in the order of times.
fn model(sends: &[(i64, u8)]) -> BTreeMap<String, String> {
    let last: BTreeMap<i64, u8> = sends.iter().copied().collect();
    let mut versions: Vec<(i64, u8, Option<i64>)> = Vec::new();
    for (at, value) in last {
        let open = versions.last_mut().filter(|(_, _, end)| end.is_none());
        if open.as_ref().is_some_and(|(_, before, _)| *before == value) {
            continue;
        }
        if let Some(open) = open {
            open.2 = Some(at);
        }
        if value > 0 {
            versions.push((at, value, None));
        }
    }
    let text = |(at, value, end): (i64, u8, Option<i64>)| {
        (format!("k {at}"), format!("{value} {}", end.map_or_else(|| "now".to_owned(), |end| end.to_string())))
    };
    versions.into_iter().map(text).collect()
}

proptest! {
    // covers: V-1.6-history
    /// Whatever comes in which order, with a crash in between: the versions are those of the changes that were not late.
    #[test]
    fn versions_follow_from_the_changes_and_not_from_their_order(
        sends in prop::collection::vec((0_i64..400, 0_u8..4), 1..60),
        crash_at in 0_usize..60,
    ) {
        let mut driver = TopologyTestDriver::new(&topology());
        let (mut stream_time, mut taken) = (i64::MIN, Vec::new());
        for (place, (at, value)) in sends.iter().copied().enumerate() {
            if place == crash_at {
                driver.crash_and_restart();
            }
            stream_time = stream_time.max(at);
            if at >= stream_time - WITHIN_MS {
                taken.push((at, value));
            }
            let value = if value == 0 { String::new() } else { value.to_string() };
            send(&mut driver, &format!("{value}@{at}"));
        }
        let told = told(&mut driver);
        prop_assert_eq!(standing(&told), model(&taken));
    }
}
