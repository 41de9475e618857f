//! The books as `ops.quality` has them, summed up for people: what became of how many records, by topology.

use std::collections::BTreeMap;

use shoppulse_avro::{QualityKey, QualityRow};

/// What may become of a record, in the order of a table's columns.
pub(super) const OUTCOMES: [&str; 5] = ["processed", "filtered", "duplicate", "late", "dead_lettered"];

/// Running counts; the last one of a key counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Books(BTreeMap<Line, i64>);

/// Minute, topology, topic, partition, outcome, reason.
type Line = (i64, String, String, i32, String, String);

impl Books {
    /// Takes in a row; rows of a key come in their order.
    pub(super) fn enter(&mut self, key: QualityKey, row: &QualityRow) {
        let QualityKey { minute, topology, topic, partition, outcome, reason } = key;
        self.0.insert((minute, topology, topic, partition, outcome, reason), row.count);
    }

    /// The topologies that have entered something.
    pub(super) fn topologies(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.keys().map(|(_, topology, ..)| topology.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Records of this topology that met this outcome.
    pub(super) fn count(&self, topology: &str, outcome: &str) -> i64 {
        let of = |line: &Line| line.1 == topology && line.4 == outcome;
        self.0.iter().filter(|(line, _)| of(line)).map(|(_, count)| count).sum()
    }

    /// Records that met this outcome, by reason.
    pub(super) fn reasons(&self, outcome: &str) -> BTreeMap<&str, i64> {
        let mut reasons = BTreeMap::new();
        for ((.., reason), count) in self.0.iter().filter(|(line, _)| line.4 == outcome && !line.5.is_empty()) {
            *reasons.entry(reason.as_str()).or_default() += count;
        }
        reasons
    }

    /// Whether all records of this topology that came in are accounted for.
    pub(super) fn balance(&self, topology: &str) -> bool {
        let accounted: i64 = OUTCOMES.iter().map(|outcome| self.count(topology, outcome)).sum();
        self.count(topology, "in") == accounted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_count_of_a_line_counts_and_what_came_in_is_the_sum_of_the_rest() {
        let mut books = Books::default();
        let mut enter = |outcome: &str, reason: &str, count| {
            let key = QualityKey {
                topology: "clean".to_owned(),
                outcome: outcome.to_owned(),
                reason: reason.to_owned(),
                ..QualityKey::default()
            };
            books.enter(key, &QualityRow { count, ..QualityRow::default() });
        };
        for (outcome, reason, count) in [("in", "", 3), ("in", "", 10), ("processed", "", 6), ("late", "x", 1), ("late", "y", 3)]
        {
            enter(outcome, reason, count);
        }
        assert_eq!(books.topologies(), ["clean"]);
        assert_eq!((books.count("clean", "in"), books.count("clean", "late")), (10, 4));
        assert_eq!(books.reasons("late"), BTreeMap::from([("x", 1), ("y", 3)]));
        assert!(books.balance("clean"));
        let key = QualityKey { topology: "clean".to_owned(), outcome: "in".to_owned(), ..QualityKey::default() };
        books.enter(key, &QualityRow { count: 11, ..QualityRow::default() });
        assert!(!books.balance("clean"));
    }
}
