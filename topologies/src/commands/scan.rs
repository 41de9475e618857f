//! Reads partitions from where one says to where they end now, transactions that are being settled included.

use std::collections::BTreeMap;
use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::{Batch, FetchedRecord, Isolation, Kafka, OffsetSpec, Reader, ReaderSettings, Slot};
use highwater::time::{Clock as _, SystemClock};

use super::cluster::Cluster;
use crate::exit::Failure;

const BATCH_RECORDS: usize = 4096;
const QUEUE_MAX_BYTES: usize = 16 << 20;
const WAIT: Duration = Duration::from_millis(100);
/// An open transaction is settled within its timeout and the broker's look-around of 10 s.
const SETTLE_WITHIN: Duration = Duration::from_mins(1);

/// Partitions that are being read.
pub(super) struct Scan {
    reader: Box<dyn Reader>,
    partitions: BTreeMap<Slot, TopicPartition>,
    /// Where to stop.
    bounds: BTreeMap<Slot, i64>,
    /// The same, for partitions that are not there yet.
    ends: BTreeMap<Slot, i64>,
    batch: Batch,
}

impl Scan {
    /// Reads committed records of these partitions from these offsets on.
    pub(super) fn start(kafka: &dyn Kafka, starts: &[(TopicPartition, i64)]) -> Result<Self, Failure> {
        let settings = ReaderSettings {
            client_id: "shoppulse-tail".to_owned(),
            queue_max_bytes: QUEUE_MAX_BYTES,
            isolation: Isolation::ReadCommitted,
        };
        let mut reader = kafka.reader(&settings)?;
        reader.assign(starts)?;
        let partitions = starts.iter().map(|(partition, _)| (reader.slot(partition), partition.clone())).collect();
        Ok(Self { reader, partitions, bounds: BTreeMap::new(), ends: BTreeMap::new(), batch: Batch::default() })
    }

    /// Hands what has come to `each`; waits a little for the first. `each` says whether it wants more.
    pub(super) fn poll(
        &mut self,
        mut each: impl FnMut(&TopicPartition, &FetchedRecord) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        self.batch.clear();
        self.reader.poll(&mut self.batch, BATCH_RECORDS, WAIT)?;
        for record in &self.batch.records {
            let Some(partition) = self.partitions.get(&record.slot) else { continue };
            if self.bounds.get(&record.slot).is_some_and(|end| record.offset >= *end) {
                continue;
            }
            if !each(partition, record)? {
                return Ok(false);
            }
        }
        let positions =
            self.batch.records.iter().map(|record| (record.slot, record.offset + 1)).chain(self.batch.ends.iter().copied());
        for (slot, position) in positions {
            if self.ends.get(&slot).is_some_and(|end| position >= *end) {
                self.ends.remove(&slot);
            }
        }
        Ok(true)
    }

    /// Reads to where the partitions end now. What is committed counts, also if its marker is not written yet.
    pub(super) fn read_to_end(
        mut self,
        cluster: &mut Cluster,
        starts: &[(TopicPartition, i64)],
        mut each: impl FnMut(&TopicPartition, &FetchedRecord) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let partitions: Vec<TopicPartition> = starts.iter().map(|(partition, _)| partition.clone()).collect();
        let ends = cluster.admin.list_offsets(&partitions, OffsetSpec::Latest(Isolation::ReadUncommitted), cluster.timeout)?;
        for ((partition, start), end) in starts.iter().zip(ends) {
            let slot = self.reader.slot(partition);
            self.bounds.insert(slot, end);
            if *start < end {
                self.ends.insert(slot, end);
            }
        }
        let mut progress_at = SystemClock.now();
        while !self.ends.is_empty() {
            let before = self.ends.len();
            let mut records = 0_usize;
            let wants_more = self.poll(|partition, record| {
                records += 1;
                each(partition, record)
            })?;
            if !wants_more {
                return Ok(());
            }
            if records > 0 || self.ends.len() < before {
                progress_at = SystemClock.now();
            } else if SystemClock.now() > progress_at.plus(SETTLE_WITHIN) {
                return Err(self.stuck());
            }
        }
        Ok(())
    }

    fn stuck(&self) -> Failure {
        let names: Vec<String> = self.ends.keys().filter_map(|slot| self.partitions.get(slot)).map(ToString::to_string).collect();
        Failure::unavailable(format!(
            "nothing came of {} for {SETTLE_WITHIN:?}, though there is more: a transaction is open there, or brokers are away",
            names.join(", ")
        ))
    }
}

/// All partitions of a topic.
pub(super) fn partitions_of(cluster: &mut Cluster, topic: &str) -> Result<Option<Vec<TopicPartition>>, Failure> {
    let described = cluster.admin.describe_topics(&[topic], cluster.timeout)?;
    Ok(described
        .into_iter()
        .flatten()
        .next()
        .map(|topic| (0..topic.partitions).map(|partition| TopicPartition::new(topic.name.clone(), partition)).collect()))
}
