//! Origins on the wire: how a record that crosses a repartition topic carries where it came from outside.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::core::Origin;
use super::dead_letter::ORIGIN_HEADER;
use crate::kafka::FetchedRecord;
use crate::record::{Headers, Timestamp, TopicPartition};

/// Partition (4 bytes), offset (8), timestamp (8), topic (the rest).
const FIXED_BYTES: usize = 20;

impl Origin {
    /// A record's origin: what it carries, or its own coordinates.
    pub(crate) fn of(record: &FetchedRecord, source: &TopicPartition, internal: bool) -> Self {
        if internal && let Some(carried) = Self::carried(&record.headers()) {
            return carried;
        }
        Self { topic: Arc::clone(&source.topic), partition: source.partition, offset: record.offset, timestamp: record.timestamp }
    }

    fn carried(headers: &Headers) -> Option<Self> {
        let mut bytes = headers.last(ORIGIN_HEADER)?.value.as_deref()?;
        if bytes.len() < FIXED_BYTES {
            return None;
        }
        let (partition, offset, timestamp) = (bytes.get_i32(), bytes.get_i64(), bytes.get_i64());
        let topic = Arc::from(std::str::from_utf8(bytes).ok()?);
        Some(Self { topic, partition, offset, timestamp: Timestamp::from_millis(timestamp) })
    }

    /// The bytes of the header that carries it.
    pub(crate) fn to_header(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(FIXED_BYTES + self.topic.len());
        bytes.put_i32(self.partition);
        bytes.put_i64(self.offset);
        bytes.put_i64(self.timestamp.as_millis());
        bytes.put_slice(self.topic.as_bytes());
        bytes.freeze()
    }
}
