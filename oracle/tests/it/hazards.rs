//! The oracle against input that nobody foresaw: nothing makes it panic, its books always balance, and its sessions are what
//! another way of looking at the kept events finds.

use std::collections::{BTreeMap, BTreeSet};

use shoppulse_oracle::{Disorder, Expected, InputRecord, Traffic, TrafficSettings, expect};

use crate::records::rows;

/// A generator of the tests' own.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Breaks a value, or a key, at a random place.
fn mutilate(random: &mut Random, record: &mut InputRecord) {
    const PIECES: [&[u8]; 12] = [
        b"9223372036854775807",
        b"-9223372036854775808",
        b"null",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"0",
        b"\xff",
        b"e999",
        b"\\ud800",
        b"-",
    ];
    let part = if random.below(10) == 0 { &mut record.key } else { &mut record.value };
    let Some(bytes) = part.as_mut().filter(|bytes| !bytes.is_empty()) else {
        return;
    };
    let from = random.below(bytes.len());
    let to = (from + random.below(4)).min(bytes.len());
    bytes.splice(from..to, PIECES[random.below(PIECES.len())].iter().copied());
}

/// Replaces a number by another one that is as long as can be.
fn exaggerate(random: &mut Random, record: &mut InputRecord) {
    let Some(text) = record.value.as_ref().and_then(|value| std::str::from_utf8(value).ok()) else {
        return;
    };
    let numbers: Vec<usize> = text
        .match_indices(':')
        .map(|(at, _)| at + 1)
        .filter(|&at| text[at..].starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    if numbers.is_empty() {
        return;
    }
    let at = numbers[random.below(numbers.len())];
    let length = text[at..].find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
    let great = ["9223372036854775807", "-9223372036854775808"][random.below(2)];
    record.value = Some(format!("{}{great}{}", &text[..at], &text[at + length..]).into_bytes());
}

fn assert_balanced(expected: &Expected, records: usize) {
    let mut balances: BTreeMap<_, i64> = BTreeMap::new();
    let mut external = 0;
    for ((minute, topology, topic, partition, outcome, _), count) in &expected.quality {
        let balance = balances.entry((minute, topology, topic, partition)).or_default();
        *balance += if outcome == "in" { *count } else { -count };
        if outcome == "in" && topology != "sessions" {
            external += count;
        }
    }
    assert!(balances.values().all(|balance| *balance == 0));
    assert_eq!(external, records as i64, "every record is booked once");
}

#[test]
fn no_input_makes_it_panic_and_the_books_balance() {
    for seed in 0..4 {
        let mut random = Random(seed);
        let mut records: Vec<_> = Traffic::new(TrafficSettings::test(4_000, seed)).collect();
        for index in 0..records.len() {
            match random.below(6) {
                0 => mutilate(&mut random, &mut records[index]),
                1 => exaggerate(&mut random, &mut records[index]),
                2 => records.swap(index, random.below(index + 1)),
                _ => {}
            }
        }
        assert_balanced(&expect(&records), records.len());
    }
}

#[test]
fn without_disorder_all_is_processed() {
    let settings = TrafficSettings { disorder: Disorder::none(), ..TrafficSettings::test(10_000, 1) };
    let records: Vec<_> = Traffic::new(settings).collect();
    let expected = expect(&records);
    assert_balanced(&expected, records.len());
    let verdicts: BTreeSet<String> = expected.quality.keys().map(|line| format!("{} {}", line.4, line.5)).collect();
    let in_order = ["filtered no_order", "filtered tombstone", "in ", "processed "].map(str::to_owned);
    assert_eq!(verdicts, BTreeSet::from(in_order));
}

/// Where no chain of events is longer than 24 hours, the sessions are the chains, whatever the order in which they came.
#[test]
fn sessions_are_the_chains_of_events_within_the_gap() {
    const DAY: i64 = 86_400_000_000;
    const GAP: i64 = 1_800_000_000;
    let expected = expect(&Traffic::new(TrafficSettings::test(20_000, 11)).collect::<Vec<_>>());
    let mut visitors: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for event in &expected.clean_events {
        visitors.entry(&event.key).or_default().push(event.value()["occurred_at"].as_i64().unwrap());
    }
    let mut found: BTreeMap<String, Vec<(i64, i64, i64)>> = BTreeMap::new();
    for row in rows(&expected, "curated.sessions", &["shop_id", "visitor", "started_at", "ended_at", "events"]) {
        let number = |index: usize| row[index].as_i64().unwrap();
        let key = format!("{}|{}", row[0].as_str().unwrap(), row[1].as_str().unwrap());
        found.entry(key).or_default().push((number(2), number(3), number(4)));
    }
    let mut compared = 0;
    for (visitor, mut times) in visitors {
        times.sort_unstable();
        let chains: Vec<_> = times.chunk_by(|one, next| next - one <= GAP).collect();
        let chains: Vec<_> = chains.iter().map(|chain| (chain[0], chain[chain.len() - 1], chain.len() as i64)).collect();
        if chains.iter().all(|(start, end, _)| end - start <= DAY) {
            let mut sessions = found.remove(visitor).unwrap_or_default();
            sessions.sort_unstable();
            assert_eq!(sessions, chains, "{visitor}");
            compared += chains.len();
        }
    }
    assert!(compared > 1_000);
}
