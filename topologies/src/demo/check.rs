//! What came out, held against what the oracle expects: one line for each promise, and every difference in a sentence. Pure.

use shoppulse_oracle::{Actual, Difference, DifferenceKind, Expected, compare};

use super::reading::Found;
use crate::topic_names as topics;

/// What a promise is about: the content of a topic, or something that holds in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Topic(&'static str),
    Balance,
    Versions,
    Deletes,
    Places,
}

/// A promise, and how often it was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) subject: Subject,
    pub(super) name: &'static str,
    pub(super) figures: Figures,
    pub(super) promise: &'static str,
    pub(super) differences: usize,
}

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figures {
    /// So many were found, of so many.
    Of(u64, u64),
    /// So many were looked at.
    Seen(u64),
}

/// All promises, and all that is wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks {
    pub(super) checks: Vec<Check>,
    pub(super) differences: Vec<Difference>,
}

/// Compares.
pub(super) fn run(expected: &Expected, found: &Found) -> Checks {
    let differences = compare(expected, &found.actual);
    let mut checks = contents(expected, found);
    checks.extend(habits(found));
    for check in &mut checks {
        check.differences = differences.iter().filter(|difference| subject_of(difference) == Some(check.subject)).count();
    }
    Checks { checks, differences }
}

/// What is in the topics.
fn contents(expected: &Expected, found: &Found) -> Vec<Check> {
    let table = |topic: &str, actual: &Actual| {
        Figures::Of(actual.rows(topic) as u64, expected.tables.get(topic).map_or(0, |rows| rows.len() as u64))
    };
    let log = |topic: &str, expected: usize| Figures::Of(found.records.get(topic).copied().unwrap_or(0), expected as u64);
    let actual = &found.actual;
    let contents = [
        (topics::CLEAN_EVENTS, log(topics::CLEAN_EVENTS, expected.clean_events.len()), "each event once, every column"),
        (topics::SESSIONS, table(topics::SESSIONS, actual), "rows equal, none of a merged session left"),
        (topics::ORDER_FACTS, table(topics::ORDER_FACTS, actual), "rows equal, to the last minor unit of money"),
        (topics::CUSTOMERS, table(topics::CUSTOMERS, actual), "rows equal, deleted ones gone"),
        (
            topics::CUSTOMER_HISTORY,
            table(topics::CUSTOMER_HISTORY, actual),
            "versions equal, changes out of order in their place",
        ),
        (topics::LATE_EVENTS, log(topics::LATE_EVENTS, expected.late_events.len()), "each with its reason, and how late it was"),
        (topics::DEAD_LETTERS, log(topics::DEAD_LETTERS, expected.dead_letters.len()), "each with its reason and its origin"),
        (
            topics::QUALITY,
            Figures::Of(actual.rows(topics::QUALITY) as u64, expected.quality.len() as u64),
            "counts equal, minute by minute",
        ),
    ];
    let check =
        |(topic, figures, promise)| Check { subject: Subject::Topic(topic), name: topic, figures, promise, differences: 0 };
    contents.into_iter().map(check).collect()
}

/// What holds in all of them.
fn habits(found: &Found) -> Vec<Check> {
    let records: u64 = found.records.values().sum();
    let taken: i64 = found.books.topologies().iter().map(|topology| found.books.count(topology, "in")).sum();
    let habits = [
        (Subject::Balance, "books balance", Figures::Seen(taken.max(0) as u64), "records in = the sum of what became of them"),
        (Subject::Versions, "row versions", Figures::Seen(found.rows), "rows, strictly increasing for each key"),
        (
            Subject::Deletes,
            "deletes",
            Figures::Of(found.tombstones, found.deletes),
            "deleted rows have their tombstone right behind them",
        ),
        (Subject::Places, "places", Figures::Seen(records), "records, each in the partition of its key"),
    ];
    let check = |(subject, name, figures, promise)| Check { subject, name, figures, promise, differences: 0 };
    habits.into_iter().map(check).collect()
}

/// The promise that a difference breaks.
fn subject_of(difference: &Difference) -> Option<Subject> {
    use DifferenceKind as Kind;
    match difference.kind {
        Kind::Unbalanced => Some(Subject::Balance),
        Kind::Version => Some(Subject::Versions),
        Kind::Tombstone => Some(Subject::Deletes),
        Kind::Placement => Some(Subject::Places),
        Kind::MissingRow | Kind::ExtraRow | Kind::WrongColumn | Kind::WrongCount | Kind::Timestamp | Kind::Malformed => {
            SHOWN_FIRST.into_iter().find(|topic| *topic == difference.topic).map(Subject::Topic)
        }
    }
}

/// The output topics, those first in which a difference hurts most.
const SHOWN_FIRST: [&str; 8] = [
    topics::SESSIONS,
    topics::ORDER_FACTS,
    topics::CLEAN_EVENTS,
    topics::DEAD_LETTERS,
    topics::LATE_EVENTS,
    topics::CUSTOMERS,
    topics::CUSTOMER_HISTORY,
    topics::QUALITY,
];

impl Checks {
    /// Some differences, from as many topics as there are, those first that hurt most.
    pub(super) fn sample(&self, at_most: usize) -> Vec<&Difference> {
        let place = |difference: &Difference| SHOWN_FIRST.iter().position(|topic| *topic == difference.topic);
        let mut ranked: Vec<(usize, Option<usize>, &Difference)> = Vec::with_capacity(self.differences.len());
        let mut seen = [0; SHOWN_FIRST.len() + 1];
        for difference in &self.differences {
            let place = place(difference);
            let rank = &mut seen[place.unwrap_or(SHOWN_FIRST.len())];
            ranked.push((*rank, place, difference));
            *rank += 1;
        }
        ranked.sort_by_key(|(rank, place, _)| (*rank, *place));
        ranked.truncate(at_most);
        ranked.sort_by_key(|(rank, place, _)| (*place, *rank));
        ranked.into_iter().map(|(_, _, difference)| difference).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use shoppulse_oracle::{OutputRow, Traffic, TrafficSettings, expect};

    use super::*;
    use crate::demo::books::Books;

    /// Nothing but some rows that must not be there, of which one is wrong in every way.
    fn found() -> Found {
        let mut actual = Actual::new().with_partitions(4);
        let key = json!({"shop_id": "s", "order_id": "7"});
        let row = json!({"shop_id": "s", "order_id": "7", "row_version": 1, "is_deleted": false});
        for partition in [0, 1] {
            actual.observe(
                partition,
                OutputRow { topic: topics::ORDER_FACTS.into(), key: key.clone(), value: Some(row.clone()) },
                &[],
            );
        }
        actual.observe(0, OutputRow { topic: topics::ORDER_FACTS.into(), key, value: None }, &[]);
        actual.observe(0, OutputRow { topic: topics::LATE_EVENTS.into(), key: json!("k"), value: Some(json!(null)) }, &[]);
        let line = json!({"minute": 0, "topology": "clean", "topic": "t", "partition": 0, "outcome": "in", "reason": ""});
        let mut row = line.clone();
        row["count"] = json!(3);
        row["row_version"] = json!(1);
        actual.observe(0, OutputRow { topic: topics::QUALITY.into(), key: line, value: Some(row) }, &[]);
        Found { actual, books: Books::default(), records: BTreeMap::new(), rows: 0, deletes: 0, tombstones: 0 }
    }

    #[test]
    fn every_difference_breaks_exactly_one_promise() {
        let records: Vec<_> = Traffic::new(TrafficSettings::test(2_000, 3)).collect();
        let Checks { checks, differences } = run(&expect(&records), &found());
        assert_eq!(checks.iter().map(|check| check.differences).sum::<usize>(), differences.len());
        let kept: Vec<&str> = checks.iter().filter(|check| check.differences == 0).map(|check| check.name).collect();
        assert!(kept.is_empty(), "nothing is as it should be, and yet these are: {kept:?}");
    }

    #[test]
    fn a_sample_has_something_of_every_topic_and_begins_with_what_hurts_most() {
        let records: Vec<_> = Traffic::new(TrafficSettings::test(2_000, 3)).collect();
        let checks = run(&expect(&records), &found());
        let sample: Vec<&str> = checks.sample(10).iter().map(|difference| difference.topic.as_str()).collect();
        assert_eq!(sample.len(), 10);
        let mut topics_shown = sample.clone();
        topics_shown.dedup();
        assert_eq!(topics_shown, SHOWN_FIRST);
        assert!(checks.sample(0).is_empty());
    }
}
