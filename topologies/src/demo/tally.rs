//! What the topologies have done so far, crashes included, as they say it themselves. What they wrote is `reading`'s matter.

use std::collections::BTreeMap;

use highwater::runtime::RunningStreams;

/// Counts of everything that was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Records read, by topology.
    pub(super) records_in: BTreeMap<String, u64>,
    /// Records by topology, outcome and reason.
    pub(super) outcomes: BTreeMap<(String, &'static str, &'static str), u64>,
    /// Records written, by topic.
    pub(super) records_out: BTreeMap<String, u64>,
    pub(super) commits: u64,
    pub(super) crashes: u64,
}

impl Tally {
    /// Records of a topology that met this outcome.
    pub(super) fn of(&self, topology: &str, outcome: &str) -> u64 {
        self.outcomes.iter().filter(|((of, met, _), _)| of == topology && *met == outcome).map(|(_, count)| count).sum()
    }

    /// Records that met this outcome, by reason, over all topologies.
    pub(super) fn reasons(&self, outcome: &str) -> BTreeMap<&'static str, u64> {
        let mut reasons = BTreeMap::new();
        for ((_, _, reason), count) in self.outcomes.iter().filter(|((_, met, _), _)| *met == outcome) {
            *reasons.entry(*reason).or_default() += count;
        }
        reasons
    }

    /// Adds what these have done since they were started.
    pub(super) fn add(&mut self, running: &[RunningStreams]) {
        for streams in running {
            let status = streams.status();
            let topology = streams.topology().name();
            self.commits += status.commits;
            *self.records_in.entry(topology.to_owned()).or_default() += status.records_in.values().sum::<u64>();
            for ((_, outcome, reason), count) in status.outcomes {
                *self.outcomes.entry((topology.to_owned(), outcome, reason)).or_default() += count;
            }
            for (topic, count) in status.records_out {
                *self.records_out.entry(topic).or_default() += count;
            }
        }
    }
}
