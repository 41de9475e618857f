//! Expected and actual, row for row, books included. Every difference is one sentence that a person can act on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::actual::Actual;
use crate::expected::{CleanRow, Expected, QualityKey};

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// A row or record that must be there is not.
    MissingRow,
    /// A row or record is there that must not be.
    ExtraRow,
    /// A column has another value.
    WrongColumn,
    /// A count of the books is another.
    WrongCount,
    /// The books do not balance: what came in is not the sum of what became of it.
    Unbalanced,
    /// A row's version is not greater than the one before.
    Version,
    /// A deleted row and its tombstone do not follow each other.
    Tombstone,
    /// A record lies in the wrong partition.
    Placement,
    /// A record's Kafka timestamp is not the instant of its row.
    Timestamp,
    /// A record can't be read.
    Malformed,
}

/// One difference between what must be and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind of difference it is.
    pub kind: DifferenceKind,
    /// The topic in which it was found.
    pub topic: String,
    sentence: String,
}

impl Difference {
    pub(crate) fn new(kind: DifferenceKind, topic: &str, sentence: String) -> Self {
        Self { kind, topic: topic.to_owned(), sentence }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.sentence)
    }
}

/// Names every difference; none means that the stream is right. Columns that the oracle does not know are not judged.
///
/// ```
/// use shoppulse_oracle::{Actual, compare, expect};
///
/// assert!(compare(&expect(&[]), &Actual::new()).is_empty());
/// ```
pub fn compare(expected: &Expected, actual: &Actual) -> Vec<Difference> {
    let mut differences = actual.faults().to_vec();
    for (topic, key) in actual.awaiting_tombstones() {
        let sentence = format!("{topic}: {key}: the deleted row has no tombstone behind it");
        differences.push(Difference::new(DifferenceKind::Tombstone, topic, sentence));
    }
    for (topic, rows) in &expected.tables {
        compare_table(topic, rows, actual, &mut differences);
    }
    compare_clean_events(&expected.clean_events, &actual.clean_events, &mut differences);
    compare_records("late.events", &expected.late_events, &actual.late_events, &mut differences);
    compare_records("dlq.shoppulse", &expected.dead_letters, &actual.dead_letters, &mut differences);
    let quality = actual.quality();
    compare_counts(&expected.quality, &quality, &mut differences);
    check_balance(&quality, &mut differences);
    differences
}

fn compare_table(topic: &str, expected: &BTreeMap<String, Value>, actual: &Actual, differences: &mut Vec<Difference>) {
    let none = BTreeMap::new();
    let actual = actual.tables.get(topic).unwrap_or(&none);
    for (key, row) in expected {
        if let Some(found) = actual.get(key).and_then(|latest| latest.row.as_ref()) {
            compare_columns(topic, key, row, found, differences);
        } else {
            let sentence = format!("{topic}: the row {key} is missing; expected {row}");
            differences.push(Difference::new(DifferenceKind::MissingRow, topic, sentence));
        }
    }
    for (key, row) in actual.iter().filter_map(|(key, latest)| Some((key, latest.row.as_ref()?))) {
        if !expected.contains_key(key) {
            let sentence = format!("{topic}: the row {key} must not be there; found {row}");
            differences.push(Difference::new(DifferenceKind::ExtraRow, topic, sentence));
        }
    }
}

fn compare_columns(topic: &str, key: &str, expected: &Value, actual: &Value, differences: &mut Vec<Difference>) {
    for (column, value) in expected.as_object().into_iter().flatten() {
        let sentence = match actual.get(column) {
            Some(found) if found == value => continue,
            Some(found) => format!("{topic}: {key}: {column} must be {value}, but is {found}"),
            None => format!("{topic}: {key}: {column} must be {value}, but the column is missing"),
        };
        differences.push(Difference::new(DifferenceKind::WrongColumn, topic, sentence));
    }
}

/// Pairs the events by key and id; those that are not simply equal are compared column by column.
fn compare_clean_events(expected: &[CleanRow], actual: &[CleanRow], differences: &mut Vec<Difference>) {
    const TOPIC: &str = "clean.events";
    let (mut expected, mut actual) = (grouped(expected), grouped(actual));
    let identities: BTreeSet<_> = expected.keys().chain(actual.keys()).copied().collect();
    for identity @ (key, message_id) in identities {
        let wanted = expected.remove(&identity).unwrap_or_default();
        let mut found = actual.remove(&identity).unwrap_or_default();
        let unmatched: Vec<&CleanRow> = wanted.into_iter().filter(|row| !take_equal(&mut found, row)).collect();
        let name = format!("{key} {message_id}");
        for (row, found) in unmatched.iter().zip(&found) {
            compare_columns(TOPIC, &name, &row.value(), &found.value(), differences);
        }
        for row in unmatched.iter().skip(found.len()) {
            let sentence = format!("{TOPIC}: the event {name} is missing; expected {}", row.columns);
            differences.push(Difference::new(DifferenceKind::MissingRow, TOPIC, sentence));
        }
        for row in found.iter().skip(unmatched.len()) {
            let sentence = format!("{TOPIC}: the event {name} must not be there; found {}", row.columns);
            differences.push(Difference::new(DifferenceKind::ExtraRow, TOPIC, sentence));
        }
    }
}

type Grouped<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a CleanRow>>;

fn grouped(rows: &[CleanRow]) -> Grouped<'_> {
    let mut groups = Grouped::new();
    for row in rows {
        groups.entry((&row.key, &row.message_id)).or_default().push(row);
    }
    groups
}

/// Takes a row with the same text out of `rows`, if there is one.
fn take_equal(rows: &mut Vec<&CleanRow>, wanted: &CleanRow) -> bool {
    let place = rows.iter().position(|row| row.columns == wanted.columns);
    place.map(|place| rows.swap_remove(place)).is_some()
}

/// Compares two bags of records.
fn compare_records<R: Ord + fmt::Debug>(topic: &str, expected: &[R], actual: &[R], differences: &mut Vec<Difference>) {
    let mut counts: BTreeMap<&R, i64> = BTreeMap::new();
    for record in actual {
        *counts.entry(record).or_default() += 1;
    }
    for record in expected {
        *counts.entry(record).or_default() -= 1;
    }
    for (record, surplus) in counts {
        let (kind, sentence) = match surplus {
            0 => continue,
            ..0 => (DifferenceKind::MissingRow, format!("{topic}: {} missing: {record:?}", -surplus)),
            1.. => (DifferenceKind::ExtraRow, format!("{topic}: {surplus} too many: {record:?}")),
        };
        differences.push(Difference::new(kind, topic, sentence));
    }
}

fn compare_counts(expected: &BTreeMap<QualityKey, i64>, actual: &BTreeMap<QualityKey, i64>, differences: &mut Vec<Difference>) {
    let lines: BTreeSet<&QualityKey> = expected.keys().chain(actual.keys()).collect();
    for line in lines {
        let count = |books: &BTreeMap<QualityKey, i64>| books.get(line).copied().unwrap_or(0);
        let (wanted, found) = (count(expected), count(actual));
        if wanted != found {
            let (minute, topology, topic, partition, outcome, reason) = line;
            let sentence = format!(
                "ops.quality: {topology} of {topic} partition {partition}, minute {minute}: {outcome} \"{reason}\" must be \
                 {wanted}, but is {found}"
            );
            differences.push(Difference::new(DifferenceKind::WrongCount, "ops.quality", sentence));
        }
    }
}

/// For every minute, topology, topic and partition, `in` is the sum of the other outcomes (rule 43).
fn check_balance(books: &BTreeMap<QualityKey, i64>, differences: &mut Vec<Difference>) {
    let mut balances: BTreeMap<(i64, &str, &str, i32), (i64, i64)> = BTreeMap::new();
    for ((minute, topology, topic, partition, outcome, _), count) in books {
        let (entered, left) = balances.entry((*minute, topology, topic, *partition)).or_default();
        *(if outcome == "in" { entered } else { left }) += count;
    }
    for ((minute, topology, topic, partition), (entered, left)) in balances {
        if entered != left {
            let sentence = format!(
                "ops.quality: the books of {topology} for {topic} partition {partition}, minute {minute}, do not balance: \
                 {entered} came in, but {left} are accounted for"
            );
            differences.push(Difference::new(DifferenceKind::Unbalanced, "ops.quality", sentence));
        }
    }
}
