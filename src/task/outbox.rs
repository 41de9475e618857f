//! What a task has to send: encoded records in one arena, staged record by record.
//!
//! An input record's outputs join the transaction only when its whole traversal went well; until then they can be taken
//! back to a mark. Nothing here talks to Kafka: the thread drains the outbox into its producer.

use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use crate::kafka::Outgoing;
use crate::record::{Header, Headers, Timestamp};

/// What a record takes on its way beside its bytes: its frame, and that of a batch of its own.
const FRAME_BYTES: usize = 128;
/// What a header takes beside its bytes.
const HEADER_FRAME_BYTES: usize = 10;

/// Encoded records on their way out of a task.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: BytesMut,
    entries: Vec<Entry>,
    at_record_start: Mark,
    /// Records sent, by topic; a task writes to few, so a list is searched faster than a map.
    sent: Vec<(Arc<str>, u64)>,
}

#[derive(Debug)]
struct Entry {
    topic: Arc<str>,
    partition: i32,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    timestamp: Timestamp,
    headers: Headers,
    track: bool,
}

/// A place in the outbox to come back to.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    bytes: usize,
    entries: usize,
}

/// Where a staged record goes.
#[derive(Clone, Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) topic: &'a Arc<str>,
    pub(crate) partition: i32,
    pub(crate) timestamp: Timestamp,
    pub(crate) headers: Headers,
    pub(crate) track: bool,
}

/// An upper bound of what a record takes on its way.
pub(crate) fn size_bytes(key_and_value_bytes: usize, headers: &Headers) -> usize {
    let header = |header: &Header| header.key.len() + header.value.as_ref().map_or(0, bytes::Bytes::len) + HEADER_FRAME_BYTES;
    FRAME_BYTES + key_and_value_bytes + headers.iter().map(header).sum::<usize>()
}

impl Outbox {
    /// An input record begins.
    pub(crate) fn begin_record(&mut self) {
        self.at_record_start = Mark { bytes: self.bytes.len(), entries: self.entries.len() };
    }

    /// Takes back what the input record staged.
    pub(crate) fn rollback_record(&mut self) {
        self.bytes.truncate(self.at_record_start.bytes);
        self.entries.truncate(self.at_record_start.entries);
    }

    /// Topics and sizes of what the input record has staged so far.
    pub(crate) fn staged_by_record(&self) -> impl Iterator<Item = (&str, usize)> {
        let staged = self.entries[self.at_record_start.entries..].iter();
        staged.map(|entry| {
            let of = |range: &Option<Range<usize>>| range.as_ref().map_or(0, Range::len);
            (&*entry.topic, size_bytes(of(&entry.key) + of(&entry.value), &entry.headers))
        })
    }

    /// The arena, to encode a key or a value into its end; `stage` then names the ranges.
    pub(crate) fn arena(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The end of the arena.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len()
    }

    /// What was encoded in this range.
    pub(crate) fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// Stages a record whose bytes are in the arena already.
    pub(crate) fn stage(&mut self, to: Destination<'_>, key: Option<Range<usize>>, value: Option<Range<usize>>) {
        self.entries.push(Entry {
            topic: Arc::clone(to.topic),
            partition: to.partition,
            key,
            value,
            timestamp: to.timestamp,
            headers: to.headers,
            track: to.track,
        });
    }

    /// Stages a record whose bytes are elsewhere.
    pub(crate) fn stage_copy(&mut self, to: Destination<'_>, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.map(|bytes| self.copy(bytes));
        let value = value.map(|bytes| self.copy(bytes));
        self.stage(to, key, value);
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// How many records are staged.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Hands each staged record to `send`, in order, and empties the outbox; stops at the first error.
    pub(crate) fn drain<E>(&mut self, mut send: impl FnMut(&Outgoing<'_>) -> Result<(), E>) -> Result<usize, E> {
        let mut sent_bytes = 0;
        for entry in &self.entries {
            let slice = |range: &Range<usize>| &self.bytes[range.clone()];
            let outgoing = Outgoing {
                topic: &entry.topic,
                partition: entry.partition,
                key: entry.key.as_ref().map(slice),
                value: entry.value.as_ref().map(slice),
                timestamp: entry.timestamp,
                headers: &entry.headers,
                track: entry.track,
            };
            sent_bytes += outgoing.key.map_or(0, <[u8]>::len) + outgoing.value.map_or(0, <[u8]>::len);
            send(&outgoing)?;
            count(&mut self.sent, &entry.topic);
        }
        self.clear();
        Ok(sent_bytes)
    }

    /// Records sent since the last call, by topic.
    pub(crate) fn take_sent(&mut self) -> Vec<(Arc<str>, u64)> {
        std::mem::take(&mut self.sent)
    }

    /// Drops all that is staged.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }
}

fn count(sent: &mut Vec<(Arc<str>, u64)>, topic: &Arc<str>) {
    match sent.iter_mut().find(|(of, _)| Arc::ptr_eq(of, topic) || of == topic) {
        Some((_, count)) => *count += 1,
        None => sent.push((Arc::clone(topic), 1)),
    }
}
