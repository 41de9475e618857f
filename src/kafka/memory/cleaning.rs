//! What topics throw away: by age, by size, and what a newer record of the same key replaced.
//!
//! There are no segments here: a log is cleaned up to its last stable offset, at once.

use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::broker::State;
use super::log::{Body, Entry, Log};
use super::topic::Topic;
use crate::kafka::Isolation;
use crate::record::Timestamp;

/// How a topic wants to be cleaned, read from its settings once per cleaning.
#[derive(Debug)]
struct Policy {
    retention_millis: Option<i64>,
    retention_bytes: Option<usize>,
    compaction: Option<Compaction>,
}

#[derive(Debug)]
struct Compaction {
    lag_millis: i64,
    tombstone_millis: i64,
    dirty_ratio: f64,
}

impl Policy {
    fn of(topic: &Topic) -> Self {
        let limit = |name| Some(topic.number(name)).filter(|limit| *limit >= 0 && topic.has_policy("delete"));
        let ratio = topic.config.get("min.cleanable.dirty.ratio").and_then(|ratio| ratio.parse().ok());
        Self {
            retention_millis: limit("retention.ms"),
            retention_bytes: limit("retention.bytes").map(|bytes| bytes as usize),
            compaction: topic.needs_keys.then(|| Compaction {
                lag_millis: topic.number("min.compaction.lag.ms"),
                tombstone_millis: topic.number("delete.retention.ms"),
                dirty_ratio: ratio.unwrap_or(0.5),
            }),
        }
    }
}

impl State {
    /// Cleans every topic by its settings.
    pub(super) fn clean(&mut self, now: Timestamp) {
        self.cleaned_at = now;
        for topic in self.topics.values_mut() {
            let policy = Policy::of(topic);
            for log in &mut topic.partitions {
                let dirty = policy.compaction.as_ref().filter(|compaction| log.dirty_ratio() >= compaction.dirty_ratio);
                self.used_bytes -= log.expire(&policy, now) + dirty.map_or(0, |compaction| log.compact(compaction, now));
            }
        }
    }

    /// Compacts a topic now, however dirty it is; one without compaction stays as it is.
    pub(super) fn compact(&mut self, topic: &str, now: Timestamp) {
        let Some(topic) = self.topics.get_mut(topic) else { return };
        if let Some(compaction) = Policy::of(topic).compaction {
            self.used_bytes -= topic.partitions.iter_mut().map(|log| log.compact(&compaction, now)).sum::<usize>();
        }
    }
}

impl Log {
    /// Share of the entries that no compaction has seen.
    fn dirty_ratio(&self) -> f64 {
        let clean = self.entries.partition_point(|entry| entry.offset < self.compacted_to);
        (self.entries.len() - clean) as f64 / self.entries.len().max(1) as f64
    }

    /// Drops what is too old or too much, from the front; returns the bytes freed.
    fn expire(&mut self, policy: &Policy, now: Timestamp) -> usize {
        let stable = self.bound(Isolation::ReadCommitted);
        let oldest = policy.retention_millis.map(|millis| Timestamp::from_millis(now.as_millis().saturating_sub(millis)));
        let mut left = self.bytes;
        let goes = |entry: &Entry| {
            let too_old = oldest.is_some_and(|oldest| entry.timestamp < oldest);
            let too_much = policy.retention_bytes.is_some_and(|limit| left > limit);
            left = left.saturating_sub(entry.body.size_bytes());
            entry.offset < stable && (too_old || too_much)
        };
        let last = self.entries.iter().map(goes).take_while(|goes| *goes).count().checked_sub(1);
        last.map_or(0, |last| self.trim(self.entries[last].offset + 1))
    }

    /// Keeps the last record of each key, tombstones for their time, and nothing of what was aborted or marks an end;
    /// returns the bytes freed.
    fn compact(&mut self, compaction: &Compaction, now: Timestamp) -> usize {
        let bound = self.compaction_bound(compaction, now);
        let mut last: HashMap<Bytes, i64, FixedState> = HashMap::default();
        for entry in self.entries.iter().take_while(|entry| entry.offset < bound) {
            if let Body::Record(record) = &entry.body
                && let Some(key) = &record.key
            {
                last.insert(key.clone(), entry.offset);
            }
        }
        let before = self.bytes;
        let Self { entries, tombstones, bytes, .. } = self;
        let mut keep = |entry: &Entry| match &entry.body {
            _ if entry.offset >= bound => true,
            Body::Aborted(_) | Body::Marker => false,
            Body::Record(record) if record.key.as_ref().is_some_and(|key| last.get(key) != Some(&entry.offset)) => false,
            Body::Record(record) if record.value.is_some() => true,
            Body::Record(_) => {
                let met_at = tombstones.entry(entry.offset).or_insert(now);
                now.as_millis() < met_at.as_millis().saturating_add(compaction.tombstone_millis)
            }
        };
        entries.retain(|entry| {
            let keeps = keep(entry);
            if !keeps {
                *bytes -= entry.body.size_bytes();
            }
            keeps
        });
        tombstones.retain(|offset, _| entries.binary_search_by_key(offset, |entry| entry.offset).is_ok());
        self.compacted_to = bound;
        before - self.bytes
    }

    /// Up to where compaction may go: below what is unstable or too young.
    fn compaction_bound(&self, compaction: &Compaction, now: Timestamp) -> i64 {
        let stable = self.bound(Isolation::ReadCommitted);
        if compaction.lag_millis <= 0 {
            return stable;
        }
        let youngest = now.as_millis().saturating_sub(compaction.lag_millis);
        let young = self.entries.iter().find(|entry| entry.timestamp.as_millis() > youngest);
        young.map_or(stable, |entry| entry.offset.min(stable))
    }
}
