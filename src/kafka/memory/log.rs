//! One partition's log: offsets, transactions' markers, the last stable offset. What is thrown away is `cleaning`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::transaction::{Outcome, ProducerId};
use crate::kafka::{Isolation, StoredRecord};
use crate::record::Timestamp;

/// What a record costs in a log beside its own bytes.
const RECORD_OVERHEAD_BYTES: usize = 70;

/// A partition's log.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) entries: VecDeque<Entry>,
    pub(super) bytes: usize,
    /// Everything below was compacted once; tells how dirty the log is.
    pub(super) compacted_to: i64,
    /// When a compaction first met these tombstones, by offset.
    pub(super) tombstones: BTreeMap<i64, Timestamp>,
    start: i64,
    end: i64,
    /// First offset of each transaction that is open here.
    open: BTreeMap<ProducerId, i64>,
}

/// One offset of a log.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) offset: i64,
    pub(super) timestamp: Timestamp,
    pub(super) producer: Option<ProducerId>,
    pub(super) body: Body,
}

/// What an offset holds.
#[derive(Debug)]
pub(super) enum Body {
    /// A record of no transaction, of an open one or of a committed one.
    Record(Arc<StoredRecord>),
    /// A record of an aborted transaction.
    Aborted(Arc<StoredRecord>),
    /// The end of a transaction.
    Marker,
}

impl Body {
    /// The record that a reader with this isolation sees, if any.
    fn seen_by(&self, isolation: Isolation) -> Option<&Arc<StoredRecord>> {
        match (self, isolation) {
            (Self::Record(record), _) | (Self::Aborted(record), Isolation::ReadUncommitted) => Some(record),
            (Self::Aborted(_), Isolation::ReadCommitted) | (Self::Marker, _) => None,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Record(record) | Self::Aborted(record) => size_bytes(record),
            Self::Marker => RECORD_OVERHEAD_BYTES,
        }
    }
}

/// What a record counts against limits.
pub(super) fn size_bytes(record: &StoredRecord) -> usize {
    let headers = record.headers.iter();
    RECORD_OVERHEAD_BYTES
        + record.key.as_ref().map_or(0, bytes::Bytes::len)
        + record.value.as_ref().map_or(0, bytes::Bytes::len)
        + headers.map(|header| header.key.len() + header.value.as_ref().map_or(0, bytes::Bytes::len)).sum::<usize>()
}

impl Log {
    /// Offset of the first record still here.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// Offset behind the last record or marker.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Whether this producer has an open transaction here.
    pub(super) fn is_open(&self, producer: ProducerId) -> bool {
        self.open.contains_key(&producer)
    }

    /// Where readers of this isolation stop: at the end, or at the first record of the oldest open transaction.
    pub(super) fn bound(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.end,
            // Records can be deleted from under an open transaction.
            Isolation::ReadCommitted => self.open.values().min().map_or(self.end, |first| self.start.max(*first)),
        }
    }

    /// Appends a record and returns its offset. With a producer, it belongs to that one's open transaction.
    pub(super) fn append(&mut self, producer: Option<ProducerId>, timestamp: Timestamp, record: Arc<StoredRecord>) -> i64 {
        if let Some(producer) = producer {
            self.open.entry(producer).or_insert(self.end);
        }
        self.push(Entry { offset: self.end, timestamp, producer, body: Body::Record(record) })
    }

    /// Ends this producer's transaction: its marker takes an offset, whatever the outcome.
    pub(super) fn mark(&mut self, producer: ProducerId, outcome: Outcome, now: Timestamp) {
        let Some(first) = self.open.remove(&producer) else { return };
        if outcome == Outcome::Abort {
            let from = self.index_of(first);
            for entry in self.entries.range_mut(from..).filter(|entry| entry.producer == Some(producer)) {
                if let Body::Record(record) = &entry.body {
                    entry.body = Body::Aborted(Arc::clone(record));
                }
            }
        }
        self.push(Entry { offset: self.end, timestamp: now, producer: Some(producer), body: Body::Marker });
    }

    /// Visits at most `max_records` records from an offset on; returns where to go on, which is past what is not seen.
    pub(super) fn read(
        &self,
        from: i64,
        isolation: Isolation,
        max_records: usize,
        mut visit: impl FnMut(i64, Timestamp, &Arc<StoredRecord>),
    ) -> i64 {
        let bound = self.bound(isolation);
        let mut position = from;
        let mut taken = 0;
        for entry in self.entries.range(self.index_of(from)..) {
            if entry.offset >= bound {
                break;
            }
            if let Some(record) = entry.body.seen_by(isolation) {
                if taken == max_records {
                    return position;
                }
                visit(entry.offset, entry.timestamp, record);
                taken += 1;
            }
            position = entry.offset + 1;
        }
        position.max(bound)
    }

    /// Offset of the first record at this time or later; the end if there is none.
    pub(super) fn offset_at(&self, time: Timestamp) -> i64 {
        let found = self.entries.iter().find(|entry| entry.timestamp >= time && !matches!(entry.body, Body::Marker));
        found.map_or(self.end, |entry| entry.offset)
    }

    /// Forgets everything before an offset; returns how many bytes that freed.
    pub(super) fn trim(&mut self, before: i64) -> usize {
        self.start = self.start.max(before.min(self.end));
        let gone = self.entries.drain(..self.entries.partition_point(|entry| entry.offset < self.start));
        let freed = gone.map(|entry| entry.body.size_bytes()).sum();
        self.bytes -= freed;
        freed
    }

    fn push(&mut self, entry: Entry) -> i64 {
        let offset = entry.offset;
        self.bytes += entry.body.size_bytes();
        self.entries.push_back(entry);
        self.end += 1;
        offset
    }

    /// Index of the first entry at this offset or behind it; direct while compaction left no gaps.
    fn index_of(&self, offset: i64) -> usize {
        let Some(first) = self.entries.front() else { return 0 };
        let guess = usize::try_from(offset - first.offset).unwrap_or(0);
        match self.entries.get(guess) {
            Some(entry) if entry.offset == offset => guess,
            _ => self.entries.partition_point(|entry| entry.offset < offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(7);

    fn record(value: &str) -> Arc<StoredRecord> {
        Arc::new(StoredRecord { value: Some(bytes::Bytes::copy_from_slice(value.as_bytes())), ..Default::default() })
    }

    fn seen(log: &Log, isolation: Isolation) -> (Vec<i64>, i64) {
        let mut offsets = Vec::new();
        let next = log.read(log.start(), isolation, usize::MAX, |offset, _, _| offsets.push(offset));
        (offsets, next)
    }

    #[test]
    fn committed_readers_stop_at_the_first_open_transaction_and_skip_aborted_records() {
        let (a, b) = (ProducerId(1), ProducerId(2));
        let mut log = Log::default();
        log.append(Some(a), NOW, record("a0"));
        log.append(Some(b), NOW, record("b1"));
        log.append(None, NOW, record("n2"));
        log.mark(b, Outcome::Abort, NOW);
        assert_eq!(seen(&log, Isolation::ReadCommitted), (vec![], 0), "the oldest open transaction holds all back");
        assert_eq!(seen(&log, Isolation::ReadUncommitted), (vec![0, 1, 2], 4), "but the marker");
        log.mark(a, Outcome::Commit, NOW);
        assert_eq!(seen(&log, Isolation::ReadCommitted), (vec![0, 2], 5), "markers count in the position");
        log.mark(a, Outcome::Commit, NOW);
        assert_eq!(log.end(), 5, "a transaction that wrote nothing here leaves no marker");
    }

    #[test]
    fn reading_stops_at_the_limit_and_goes_on_where_it_stopped() {
        let mut log = Log::default();
        for value in ["0", "1", "2"] {
            log.append(None, NOW, record(value));
        }
        let mut offsets = Vec::new();
        let next = log.read(0, Isolation::ReadCommitted, 2, |offset, _, _| offsets.push(offset));
        assert_eq!((offsets.as_slice(), next), (&[0, 1][..], 2));
        assert_eq!(log.trim(2), 2 * size_bytes(&record("0")));
        assert_eq!((log.start(), log.end(), seen(&log, Isolation::ReadCommitted)), (2, 3, (vec![2], 3)));
        log.append(Some(ProducerId(1)), NOW, record("open"));
        log.append(None, NOW, record("4"));
        log.trim(4);
        assert_eq!(log.bound(Isolation::ReadCommitted), 4, "an open transaction that lost its records");
        log.trim(100);
        assert_eq!((log.start(), log.bytes), (5, 0), "trimming stops at the end");
    }
}
