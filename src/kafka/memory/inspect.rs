//! What tests and demonstrations do to an embedded cluster beside the ports: write and read in one call, take things away
//! from clients, let time-driven work happen now.

use std::sync::Arc;

use bytes::Bytes;

use super::MemoryCluster;
use crate::kafka::{Isolation, KafkaError, NewTopic, StoredRecord};
use crate::record::{Headers, Timestamp, TopicPartition};

/// A record in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp.
    pub timestamp: Timestamp,
    /// Its bytes and headers.
    pub record: Arc<StoredRecord>,
}

impl LoggedRecord {
    /// The key as text; empty if there is none or it is no text.
    pub fn key_text(&self) -> &str {
        text(self.record.key.as_ref())
    }

    /// The value as text; empty if there is none or it is no text.
    pub fn value_text(&self) -> &str {
        text(self.record.value.as_ref())
    }
}

fn text(bytes: Option<&Bytes>) -> &str {
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

impl MemoryCluster {
    /// Creates a topic with the broker's default settings; one that exists already is no error.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let new =
            NewTopic { name: name.to_owned(), partitions, replication_factor: -1, config: std::collections::BTreeMap::new() };
        self.broker.change(|state, _| state.create_topic(&new, self.broker.settings.brokers))
    }

    /// Appends a record outside any transaction and returns its offset.
    pub fn append(
        &self,
        topic: &str,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> Result<i64, KafkaError> {
        let copy = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
        let record = StoredRecord { key: copy(key), value: copy(value), headers: Headers::new() };
        self.append_record(topic, partition, timestamp, record)
    }

    /// Appends a record with headers outside any transaction and returns its offset.
    pub fn append_record(
        &self,
        topic: &str,
        partition: i32,
        timestamp: Timestamp,
        record: StoredRecord,
    ) -> Result<i64, KafkaError> {
        self.broker.append(None, &Arc::from(topic), partition, timestamp, Arc::new(record))
    }

    /// All records that a `read_committed` reader sees now, by partition and offset. None of a topic that does not exist.
    pub fn read_committed(&self, topic: &str) -> Vec<LoggedRecord> {
        self.read(topic, Isolation::ReadCommitted)
    }

    /// All records that a reader of this isolation sees now, by partition and offset.
    pub fn read(&self, topic: &str, isolation: Isolation) -> Vec<LoggedRecord> {
        self.broker.change(|state, _| {
            let mut records = Vec::new();
            let logs = state.topics.get(topic).map_or([].as_slice(), |topic| topic.partitions.as_slice());
            for (partition, log) in logs.iter().enumerate() {
                log.read(log.start(), isolation, usize::MAX, |offset, timestamp, record| {
                    let record = Arc::clone(record);
                    records.push(LoggedRecord { partition: partition as i32, offset, timestamp, record });
                });
            }
            records
        })
    }

    /// Offset behind the last record or marker.
    pub fn end_offset(&self, topic: &str, partition: i32) -> Result<i64, KafkaError> {
        self.broker.change(|state, _| state.log(&TopicPartition::new(topic, partition)).map(super::log::Log::end))
    }

    /// The group's committed offset as it is now, whatever is pending.
    pub fn committed_offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let partition = TopicPartition::new(topic, partition);
        self.broker.change(|state, _| Some(state.groups.get(group)?.offsets.get(&partition)?.offset))
    }

    /// Bytes that all logs hold.
    pub fn used_bytes(&self) -> usize {
        self.broker.change(|state, _| state.used_bytes)
    }

    /// Does what is due by the clock: sessions, transaction timeouts, cleaning. Every call of a client does it too.
    pub fn tick(&self) {
        self.broker.change(|_, _| ());
    }

    /// Applies retention and compaction to all topics now.
    pub fn clean(&self) {
        self.broker.change(super::broker::State::clean);
    }

    /// Compacts a topic now, however little there is to gain.
    pub fn compact(&self, topic: &str) {
        self.broker.change(|state, now| state.compact(topic, now));
    }

    /// Fences whoever uses this transactional id, and aborts what it has open: as if another producer had initialised.
    pub fn fence(&self, transactional_id: &str) {
        self.broker.change(|state, now| state.fence_transactional_id(transactional_id, now));
    }

    /// Removes a client from its group, as if it had been silent for too long.
    pub fn evict(&self, group: &str, client_id: &str) {
        self.broker.change(|state, _| {
            if let Some(group) = state.groups.get_mut(group) {
                group.evict(client_id, &state.topics);
            }
        });
    }

    /// Writes the markers and positions of all transactions that faults left prepared.
    pub fn finish_prepared(&self) {
        self.broker.change(super::broker::State::finish_prepared);
    }

    /// Lets copies of requests arrive that [`Fault::HeldCopy`](super::Fault::HeldCopy) kept under way; returns how many of
    /// them ended a transaction or repeated such an end.
    pub fn deliver_held(&self) -> usize {
        self.broker.change(super::broker::State::deliver_held)
    }
}
