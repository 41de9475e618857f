//! The world outside: a thread that writes the input into the cluster at the pace of the wall clock, whatever becomes of the
//! topologies.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use highwater::Timestamp;
use highwater::kafka::StoredRecord;
use highwater::kafka::memory::MemoryCluster;
use highwater::time::Clock;
use shoppulse_oracle::InputRecord;

use super::input::TOPICS;
use crate::exit::Failure;

/// How often what is due is sent.
const SEND_EVERY: Duration = Duration::from_millis(10);

/// Records, each due at its time.
pub(super) struct Feed<'a> {
    cluster: MemoryCluster,
    records: &'a [InputRecord],
    per_second: u32,
    sent: AtomicUsize,
    sent_by_topic: [AtomicU64; TOPICS.len()],
    is_stopped: AtomicBool,
}

impl<'a> Feed<'a> {
    pub(super) fn new(cluster: &MemoryCluster, records: &'a [InputRecord], per_second: u32) -> Self {
        Self {
            cluster: cluster.clone(),
            records,
            per_second,
            sent: AtomicUsize::new(0),
            sent_by_topic: Default::default(),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// How many records were sent.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many of them to a topic.
    pub(super) fn sent_to(&self, topic: &str) -> u64 {
        let place = TOPICS.iter().position(|(name, _)| *name == topic);
        place.map_or(0, |place| self.sent_by_topic[place].load(Ordering::Relaxed))
    }

    pub(super) fn is_half_done(&self) -> bool {
        self.sent() >= self.records.len() / 2
    }

    /// Whether everything was sent, or nothing more will be.
    pub(super) fn is_over(&self) -> bool {
        self.sent() == self.records.len() || self.is_stopped.load(Ordering::Relaxed)
    }

    /// Sends nothing more.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Sends everything, each record when it is due.
    pub(super) fn run(&self, clock: &dyn Clock) -> Result<(), Failure> {
        let began = clock.now();
        while !self.is_over() {
            let due = due(began, clock.now(), self.per_second).min(self.records.len());
            let sent = self.sent().min(due);
            for record in &self.records[sent..due] {
                // Whoever watches must not wait for the end of a feed that has failed.
                send(&self.cluster, record).inspect_err(|_| self.stop())?;
                if let Some(place) = TOPICS.iter().position(|(name, _)| *name == record.topic) {
                    self.sent_by_topic[place].fetch_add(1, Ordering::Relaxed);
                }
            }
            self.sent.store(due, Ordering::Relaxed);
            clock.sleep(SEND_EVERY);
        }
        Ok(())
    }
}

/// How many records are due after this time.
fn due(began: Timestamp, now: Timestamp, per_second: u32) -> usize {
    let elapsed_ms = now.as_millis().saturating_sub(began.as_millis()).max(0) as u64;
    (elapsed_ms * u64::from(per_second) / 1_000) as usize
}

fn send(cluster: &MemoryCluster, record: &InputRecord) -> Result<(), Failure> {
    let headers = record
        .headers
        .iter()
        .map(|(key, value)| highwater::Header { key: key.as_str().into(), value: value.clone().map(Bytes::from) });
    let stored = StoredRecord {
        key: record.key.clone().map(Bytes::from),
        value: record.value.clone().map(Bytes::from),
        headers: headers.collect(),
    };
    let time = Timestamp::from_millis(record.timestamp_ms);
    cluster.append_record(&record.topic, record.partition, time, stored).map(drop).map_err(Failure::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_due_at_the_pace_that_was_asked_for() {
        for (elapsed_ms, per_second, expected) in [(0, 500, 0), (1, 500, 0), (2, 500, 1), (1_000, 500, 500), (-5, 500, 0)] {
            let (began, now) = (Timestamp::from_millis(100), Timestamp::from_millis(100 + elapsed_ms));
            assert_eq!(due(began, now, per_second), expected, "{elapsed_ms} ms");
        }
    }
}
