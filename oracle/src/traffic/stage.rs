//! Where acts schedule their records, and what they share: the random numbers, the counters of ids, the settings.

use std::collections::BTreeMap;

use super::members::Members;
use super::random::Random;
use super::settings::TrafficSettings;
use crate::input::InputRecord;
use crate::murmur2::partition_of;

/// The simulated world.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) settings: TrafficSettings,
    pub(crate) random: Random,
    /// By the time at which they reach Kafka, ties in the order of scheduling.
    scheduled: BTreeMap<(i64, u64), InputRecord>,
    scheduled_count: u64,
    ids: u64,
    turns: BTreeMap<(&'static str, &'static str), usize>,
    oversized: u32,
}

/// A record to be scheduled.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) topic: &'static str,
    pub(crate) arrival_ms: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Draft {
    pub(crate) fn new(topic: &'static str, arrival_ms: i64, key: &str, value: &Members) -> Self {
        let key = Some(key.as_bytes().to_vec());
        Self { topic, arrival_ms, key, value: Some(value.bytes()), headers: vec![] }
    }
}

impl Stage {
    pub(crate) fn new(settings: TrafficSettings) -> Self {
        Self {
            random: Random::new(settings.seed),
            settings,
            scheduled: BTreeMap::new(),
            scheduled_count: 0,
            ids: 0,
            turns: BTreeMap::new(),
            oversized: 0,
        }
    }

    /// Schedules a record. One without a key goes to any partition.
    pub(crate) fn send(&mut self, draft: Draft) {
        let partition = match &draft.key {
            Some(key) => partition_of(key, self.settings.partitions),
            None => self.random.below(self.settings.partitions as u64) as i32,
        };
        let record = InputRecord {
            topic: draft.topic.to_owned(),
            partition,
            key: draft.key,
            value: draft.value,
            headers: draft.headers,
            timestamp_ms: draft.arrival_ms,
        };
        self.scheduled.insert((draft.arrival_ms, self.scheduled_count), record);
        self.scheduled_count += 1;
    }

    pub(crate) fn earliest_ms(&self) -> Option<i64> {
        self.scheduled.first_key_value().map(|((arrival_ms, _), _)| *arrival_ms)
    }

    pub(crate) fn take_earliest(&mut self) -> Option<InputRecord> {
        self.scheduled.pop_first().map(|(_, record)| record)
    }

    /// A number that no other act gets.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Whose turn it is among so many: every kind comes before any comes again.
    pub(crate) fn turn(&mut self, of: &'static str, kinds: usize) -> usize {
        self.turn_in("", of, kinds)
    }

    /// As [`Self::turn`], for each place by itself.
    pub(crate) fn turn_in(&mut self, place: &'static str, of: &'static str, kinds: usize) -> usize {
        let turn = self.turns.entry((place, of)).or_default();
        let current = *turn % kinds;
        *turn += 1;
        current
    }

    /// Whether one more oversized record may be made.
    pub(crate) fn may_oversize(&mut self) -> bool {
        self.oversized += 1;
        self.oversized <= self.settings.disorder.oversized_records
    }

    pub(crate) fn shop(&self, number: u64) -> String {
        format!("shop-{}", number % u64::from(self.settings.shops))
    }
}
