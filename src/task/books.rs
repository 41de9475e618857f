//! The books: what became of every input record, counted by minute, topic, partition, outcome and reason.
//!
//! Counts are running totals kept in the task's own store, so that they survive restarts and commit with what they count.
//! Within a commit they gather in memory; one store write per changed count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hashbrown::HashMap;
use highwater_state::{StoreId, TaskState};

use super::core::{Origin, TaskCore};
use super::outbox::Destination;
use super::verdict::{Outcome, Verdict};
use crate::error::Error;
use crate::processor::ProcessError;
use crate::record::{Headers, Timestamp, millis};

const MINUTE_MS: i64 = 60_000;
const KEY_PREFIX: &[u8] = b"book/";

/// One count of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookEntry<'a> {
    /// The minute of the input record's Kafka timestamp (its start).
    pub minute: Timestamp,
    /// The topology.
    pub topology: &'a str,
    /// The input topic.
    pub topic: &'a str,
    /// The input partition.
    pub partition: i32,
    /// What became of the records.
    pub outcome: &'a str,
    /// Why; empty where the outcome says all.
    pub reason: &'a str,
    /// How many so far.
    pub count: i64,
    /// Greater than that of any row for this key before.
    pub row_version: i64,
    /// Wall-clock time of this turn.
    pub processed_at: Timestamp,
}

/// Writes a count as a record: appends key bytes and value bytes, and names the text that decides the partition.
pub(crate) type EncodeEntry =
    Arc<dyn Fn(&BookEntry<'_>, &mut BytesMut, &mut BytesMut) -> Result<i32, ProcessError> + Send + Sync>;

/// Where the books of a topology go.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) topic: Arc<str>,
    /// A count is written at most this often.
    pub(crate) every: Duration,
    /// Counts of minutes that lie further back than this, seen from the newest minute, are forgotten. The wall clock says nothing:
    /// what is replayed today arrived long ago.
    pub(crate) retention: Duration,
    /// Makes the encoder for a topic with so many partitions.
    pub(crate) encode: Arc<dyn Fn(i32) -> EncodeEntry + Send + Sync>,
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Books").field("topic", &self.topic).field("every", &self.every).finish_non_exhaustive()
    }
}

/// What a count counts, in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CountKey {
    minute: i64,
    source: usize,
    partition: i32,
    verdict: Verdict,
}

/// A task's books.
pub(crate) struct Ledger {
    books: Option<(Books, EncodeEntry)>,
    sources: Vec<Arc<str>>,
    gathered: HashMap<CountKey, i64, foldhash::fast::FixedState>,
    last: Option<(CountKey, i64)>,
    /// Store keys whose totals were not written to the topic yet.
    unwritten: BTreeSet<Vec<u8>>,
    next_write: Timestamp,
    /// The newest minute that has a total.
    newest_minute: i64,
    totals: Totals,
}

/// How many records of which topic met which verdict.
pub(crate) type Totals = BTreeMap<(Arc<str>, Verdict), u64>;

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("totals", &self.totals).finish_non_exhaustive()
    }
}

impl Ledger {
    pub(crate) fn new(books: Option<&Books>, partitions: i32) -> Self {
        let books = books.map(|books| (books.clone(), (books.encode)(partitions)));
        Self {
            books,
            sources: Vec::new(),
            gathered: HashMap::default(),
            last: None,
            unwritten: BTreeSet::new(),
            next_write: Timestamp::MIN,
            newest_minute: i64::MIN,
            totals: BTreeMap::new(),
        }
    }

    /// Counts one input record of the outside world. Runs of equal verdicts cost an addition each.
    pub(crate) fn count(&mut self, origin: &Origin, verdict: Verdict) {
        let source = self.source(&origin.topic);
        let minute = origin.timestamp.as_millis().div_euclid(MINUTE_MS) * MINUTE_MS;
        let key = CountKey { minute, source, partition: origin.partition, verdict };
        match &mut self.last {
            Some((last, count)) if *last == key => *count += 1,
            _ => {
                self.settle();
                self.last = Some((key, 1));
            }
        }
    }

    fn settle(&mut self) {
        let Some((key, count)) = self.last.take() else { return };
        self.newest_minute = self.newest_minute.max(key.minute);
        *self.totals.entry((Arc::clone(&self.sources[key.source]), key.verdict)).or_default() += count as u64;
        *self.gathered.entry(key).or_default() += count;
    }

    fn source(&mut self, topic: &Arc<str>) -> usize {
        if let Some(index) = self.sources.iter().position(|known| known == topic) {
            return index;
        }
        self.sources.push(Arc::clone(topic));
        self.sources.len() - 1
    }

    /// How many records met which verdict since the last call, for metrics.
    pub(crate) fn take_totals(&mut self) -> Totals {
        self.settle();
        std::mem::take(&mut self.totals)
    }

    /// Whether totals wait to be written and may be by now: silence must not keep the last ones from whoever reads the books.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.holds_back() && now >= self.next_write
    }

    /// Whether totals wait to be written.
    pub(crate) fn holds_back(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// Finds the totals that a former owner stored and did not write.
    pub(crate) fn load(&mut self, state: &TaskState, store: StoreId) -> Result<(), Error> {
        let end = prefix_end();
        state.scan(store, (Bound::Included(KEY_PREFIX), Bound::Excluded(&end)), &mut |key, value| {
            // In the order of minutes, so that the last one stays.
            self.newest_minute = minute_of(key).unwrap_or(self.newest_minute);
            if Total::decode(value).is_some_and(|total| total.count != total.written) {
                self.unwritten.insert(key.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// Adds what was gathered to the stored totals.
    pub(crate) fn store(&mut self, state: &mut TaskState, store: StoreId) -> Result<(), Error> {
        self.settle();
        if self.books.is_none() {
            self.gathered.clear();
            return Ok(());
        }
        for (key, count) in self.gathered.drain() {
            for (outcome, reason) in [(Outcome::In, ""), (key.verdict.outcome, key.verdict.reason)] {
                let stored_key = encode_key(&key, &self.sources[key.source], outcome, reason);
                let mut total = state.get(store, &stored_key)?.and_then(|bytes| Total::decode(&bytes)).unwrap_or_default();
                total.count += count;
                state.put(store, &stored_key, &total.encode())?;
                self.unwritten.insert(stored_key);
            }
        }
        Ok(())
    }
}

/// Writes the totals that have changed to the books' topic, if that is due or `now` is asked for.
pub(crate) fn write(ledger: &mut Ledger, core: &mut TaskCore, at_once: bool) -> Result<(), ProcessError> {
    let Some((books, encode)) = &ledger.books else { return Ok(()) };
    if ledger.unwritten.is_empty() || (!at_once && !ledger.is_due(core.now)) {
        return Ok(());
    }
    ledger.next_write = core.now.plus(books.every);
    let topic = core.topics.name(&books.topic);
    let keep_from = ledger.newest_minute.saturating_sub(millis(books.retention));
    for key in std::mem::take(&mut ledger.unwritten) {
        let Some(mut total) = core.state.get(core.meta, &key)?.and_then(|bytes| Total::decode(&bytes)) else { continue };
        total.written = total.count;
        core.state.put(core.meta, &key, &total.encode())?;
        let row_version = core.versions.next();
        let topology = Arc::clone(&core.dead_letters.topology);
        let Some(entry) = decode_key(&key, &topology, total.count, row_version, core.now) else { continue };
        let TaskCore { scratch, .. } = core;
        scratch.key.clear();
        scratch.value.clear();
        let partition = encode(&entry, &mut scratch.key, &mut scratch.value)?;
        let to = Destination { topic: &topic, partition, timestamp: entry.minute, headers: Headers::new(), track: false };
        core.outbox.stage_copy(to, Some(&core.scratch.key), Some(&core.scratch.value));
    }
    expire(core, keep_from)
}

/// Forgets totals of minutes before `keep_from`; bounded by what one call may cost.
fn expire(core: &mut TaskCore, keep_from: i64) -> Result<(), ProcessError> {
    const EXPIRED_MAX: usize = 1000;
    let mut end = KEY_PREFIX.to_vec();
    end.extend_from_slice(&ordered(keep_from));
    let mut expired = Vec::new();
    core.state.scan(core.meta, (Bound::Included(KEY_PREFIX), Bound::Excluded(&end)), &mut |key, value| {
        if Total::decode(value).is_none_or(|total| total.count == total.written) {
            expired.push(key.to_vec());
        }
        if expired.len() < EXPIRED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    for key in expired {
        core.state.delete(core.meta, &key)?;
    }
    Ok(())
}

/// A running total, and how much of it the topic knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Total {
    count: i64,
    written: i64,
}

impl Total {
    fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.count.to_be_bytes());
        bytes[8..].copy_from_slice(&self.written.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, written) = bytes.split_first_chunk::<8>()?;
        Some(Self { count: i64::from_be_bytes(*count), written: i64::from_be_bytes(written.try_into().ok()?) })
    }
}

fn minute_of(key: &[u8]) -> Option<i64> {
    let minute = key.strip_prefix(KEY_PREFIX)?.first_chunk::<8>()?;
    Some((u64::from_be_bytes(*minute) ^ (1 << 63)) as i64)
}

/// An `i64` whose bytes sort as it does.
fn ordered(number: i64) -> [u8; 8] {
    ((number as u64) ^ (1 << 63)).to_be_bytes()
}

fn prefix_end() -> Vec<u8> {
    let mut end = KEY_PREFIX.to_vec();
    end[KEY_PREFIX.len() - 1] += 1;
    end
}

/// Minute (8 bytes, ordered), partition (4), then topic, outcome and reason, parted by zero bytes.
fn encode_key(key: &CountKey, topic: &str, outcome: Outcome, reason: &str) -> Vec<u8> {
    let mut bytes = KEY_PREFIX.to_vec();
    bytes.extend_from_slice(&ordered(key.minute));
    bytes.extend_from_slice(&key.partition.to_be_bytes());
    for text in [topic, outcome.as_str(), reason] {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn decode_key<'a>(key: &'a [u8], topology: &'a str, count: i64, row_version: i64, now: Timestamp) -> Option<BookEntry<'a>> {
    let rest = key.strip_prefix(KEY_PREFIX)?;
    let (minute, rest) = rest.split_first_chunk::<8>()?;
    let (partition, rest) = rest.split_first_chunk::<4>()?;
    let mut texts = rest.split(|byte| *byte == 0).map(|text| std::str::from_utf8(text).ok());
    Some(BookEntry {
        minute: Timestamp::from_millis((u64::from_be_bytes(*minute) ^ (1 << 63)) as i64),
        topology,
        topic: texts.next()??,
        partition: i32::from_be_bytes(*partition),
        outcome: texts.next()??,
        reason: texts.next()??,
        count,
        row_version,
        processed_at: now,
    })
}

/// How long the books keep a minute, by default.
pub(crate) const RETENTION: Duration = Duration::from_hours(8 * 24);

/// How often a count is written, by default.
pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_key_survives_its_encoding_and_sorts_by_minute() {
        let verdict = Verdict { outcome: Outcome::Filtered, reason: "stale" };
        let key = |minute| CountKey { minute, source: 0, partition: 3, verdict };
        let encoded = encode_key(&key(-60_000), "cdc.orders", Outcome::Filtered, "stale");
        let entry = decode_key(&encoded, "orders", 7, 1, Timestamp::from_millis(5)).expect("well formed");
        assert_eq!((entry.minute.as_millis(), entry.topic, entry.partition), (-60_000, "cdc.orders", 3));
        assert_eq!((entry.outcome, entry.reason, entry.count), ("filtered", "stale", 7));
        assert!(encoded < encode_key(&key(60_000), "cdc.orders", Outcome::Filtered, "stale"));
        assert_eq!(millis(RETENTION), 691_200_000);
    }
}
