//! The books: what became of every input record, counted by minute, topology, topic, partition, outcome and reason.
//! Deciding what becomes of a record is not done here.

use std::collections::BTreeMap;

use crate::expected::{DeadLetter, QualityKey};
use crate::input::Placed;
use crate::reason::Verdict;

type Line = (i64, &'static str, &'static str, i32, &'static str, &'static str);

/// The running counts and the dead letters of all topologies.
#[derive(Debug, Default)]
pub(crate) struct Books {
    counts: BTreeMap<Line, i64>,
    dead_letters: Vec<DeadLetter>,
}

impl Books {
    /// Books an external input record.
    pub(crate) fn book(&mut self, topology: &'static str, placed: &Placed<'_>, verdict: Verdict) {
        let Placed { topic, offset, record } = *placed;
        self.count(topology, topic, record.partition, record.timestamp_ms, verdict);
        if let Verdict::DeadLettered(reason) = verdict {
            let letter = (topic.to_owned(), record.partition, offset, topology.to_owned(), reason.text().to_owned());
            self.dead_letters.push(letter);
        }
    }

    /// Counts a record that is named by its Kafka timestamp alone.
    pub(crate) fn count(
        &mut self,
        topology: &'static str,
        topic: &'static str,
        partition: i32,
        timestamp_ms: i64,
        verdict: Verdict,
    ) {
        let minute_micros = timestamp_ms.div_euclid(60_000) * 60_000_000;
        let (outcome, reason) = verdict.columns();
        for (outcome, reason) in [("in", ""), (outcome, reason)] {
            *self.counts.entry((minute_micros, topology, topic, partition, outcome, reason)).or_default() += 1;
        }
    }

    /// The books and the dead letters as the outside sees them.
    pub(crate) fn close(self) -> (BTreeMap<QualityKey, i64>, Vec<DeadLetter>) {
        let own = |((minute, topology, topic, partition, outcome, reason), count): (Line, i64)| {
            let key = (minute, topology.into(), topic.into(), partition, outcome.into(), reason.into());
            (key, count)
        };
        (self.counts.into_iter().map(own).collect(), self.dead_letters)
    }
}
