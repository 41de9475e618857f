//! What a poll brings: records that stay where the client put them, ends of partitions, rebalances.

use std::sync::Arc;

use bytes::Bytes;

use super::{Rebalance, Slot};
use crate::record::{Headers, Timestamp};

/// What one poll brought. Kept and reused by its owner, so that polling allocates nothing.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records, in order within each partition.
    pub records: Vec<FetchedRecord>,
    /// Partitions whose end was reached, and the offset of that end: behind the last record *and* the markers of
    /// transactions. Comes after the records before it.
    pub ends: Vec<(Slot, i64)>,
    /// What the group decided, in order; answer each before the next poll.
    pub rebalances: Vec<Rebalance>,
}

impl Batch {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.ends.clear();
        self.rebalances.clear();
    }
}

/// A record as it was fetched: a view of the client's memory, given back on drop.
#[derive(Debug)]
pub struct FetchedRecord {
    /// Its partition.
    pub slot: Slot,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp; negative if it has none.
    pub timestamp: Timestamp,
    payload: Payload,
}

/// Where a fetched record's bytes are.
#[derive(Debug)]
pub enum Payload {
    /// In librdkafka's memory.
    Rdkafka(super::rdkafka::Message),
    /// Shared with the embedded cluster's log.
    Shared(Arc<StoredRecord>),
}

/// A record that owns its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRecord {
    /// Key bytes.
    pub key: Option<Bytes>,
    /// Value bytes.
    pub value: Option<Bytes>,
    /// Headers.
    pub headers: Headers,
}

impl FetchedRecord {
    /// A fetched record.
    pub fn new(slot: Slot, offset: i64, timestamp: Timestamp, payload: Payload) -> Self {
        Self { slot, offset, timestamp, payload }
    }

    /// Key bytes.
    pub fn key(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Rdkafka(message) => message.key(),
            Payload::Shared(record) => record.key.as_deref(),
        }
    }

    /// Value bytes.
    pub fn value(&self) -> Option<&[u8]> {
        match &self.payload {
            Payload::Rdkafka(message) => message.value(),
            Payload::Shared(record) => record.value.as_deref(),
        }
    }

    /// Headers; free where there are none.
    pub fn headers(&self) -> Headers {
        match &self.payload {
            Payload::Rdkafka(message) => message.headers(),
            Payload::Shared(record) => record.headers.clone(),
        }
    }

    /// Key and value bytes, for budgets.
    pub fn size_bytes(&self) -> usize {
        self.key().map_or(0, <[u8]>::len) + self.value().map_or(0, <[u8]>::len)
    }
}
