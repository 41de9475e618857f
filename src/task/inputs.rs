//! A task's input queues, one for each source topic, and the choice of the next record among them.
//!
//! The record with the lowest timestamp goes first. While a queue is empty the task waits for what the broker already has,
//! within a bound, so that the choice does not depend on which fetch came first.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::edge::SourceEntry;
use crate::kafka::{CommittedOffset, FetchedRecord};
use crate::processor::ProcessError;
use crate::record::{Timestamp, TopicPartition};

/// A position that nothing is known of yet; it is not committed.
const UNKNOWN: i64 = -1;
/// How long a record waits after what it needs did not answer for the first time; each further time twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// The longest such wait.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How long a task with an empty queue waits before it goes on without it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idling {
    /// After the queue's partition was read to its end.
    pub(crate) caught_up: Duration,
    /// While its partition still has records on the broker that have not arrived.
    pub(crate) fetching: Duration,
}

impl Idling {
    /// Never waits.
    pub(crate) const NONE: Self = Self { caught_up: Duration::ZERO, fetching: Duration::ZERO };
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Decode the head of this queue, so that its time is known.
    Load(usize),
    /// Process the loaded record of this queue.
    Process(usize),
    /// Nothing is due.
    Wait,
}

/// Records of one input partition that wait for their turn.
pub(crate) struct InputQueue {
    pub(crate) partition: TopicPartition,
    pub(crate) internal: bool,
    entry: Box<dyn SourceEntry>,
    waiting: VecDeque<FetchedRecord>,
    waiting_bytes: usize,
    loaded: Option<(FetchedRecord, Timestamp)>,
    /// The next offset to be queued; what comes below it has come before.
    expected: i64,
    /// The next offset to be processed: what a commit says. `UNKNOWN` until the log's start or end has told.
    position: i64,
    committed: i64,
    /// The end of the partition as last reported.
    end: Option<i64>,
    empty_since: Option<Timestamp>,
    parked: Option<Parked>,
    pub(crate) paused: bool,
}

/// The head of a queue waits for something outside that it needs, such as a schema.
#[derive(Clone, Debug)]
struct Parked {
    failures: u32,
    until: Timestamp,
    reason: String,
}

impl std::fmt::Debug for InputQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputQueue")
            .field("partition", &self.partition)
            .field("waiting", &self.waiting.len())
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl InputQueue {
    pub(crate) fn new(partition: TopicPartition, entry: Box<dyn SourceEntry>, internal: bool) -> Self {
        Self {
            partition,
            internal,
            entry,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            loaded: None,
            expected: 0,
            position: 0,
            committed: 0,
            end: None,
            empty_since: None,
            parked: None,
            paused: false,
        }
    }

    /// Begins at an offset, or, if that is negative, wherever the log begins or ends: the first record or end tells.
    pub(crate) fn start_at(&mut self, offset: i64) {
        let known = offset.max(UNKNOWN);
        (self.expected, self.position, self.committed) = (offset.max(0), known, known);
    }

    /// Queues a record, unless it has come before.
    pub(crate) fn push(&mut self, record: FetchedRecord) {
        if record.offset < self.expected {
            return;
        }
        self.expected = record.offset + 1;
        self.waiting_bytes += record.size_bytes();
        self.waiting.push_back(record);
    }

    /// The partition's end was reached at this offset.
    pub(crate) fn end_at(&mut self, offset: i64) {
        if offset < self.expected {
            return;
        }
        self.expected = offset;
        self.end = Some(offset);
        if self.is_empty() {
            self.position = self.position.max(offset);
        }
    }

    fn is_empty(&self) -> bool {
        self.loaded.is_none() && self.waiting.is_empty()
    }

    /// Whether everything up to the partition's reported end has been processed.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.is_empty() && self.end.is_some_and(|end| end <= self.position)
    }

    /// What the head of the queue waits for, if it waits.
    pub(crate) fn waits_for(&self) -> Option<&str> {
        self.parked.as_ref().map(|parked| &*parked.reason)
    }

    fn is_parked(&self, now: Timestamp) -> bool {
        self.parked.as_ref().is_some_and(|parked| now < parked.until)
    }

    /// Bytes that wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The next offset to be processed.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// The position that was last committed.
    pub(crate) fn committed_position(&self) -> i64 {
        self.committed
    }

    /// The end of the partition as last reported.
    pub(crate) fn reported_end(&self) -> Option<i64> {
        self.end
    }
}

/// All input queues of a task.
#[derive(Debug)]
pub(crate) struct Inputs {
    queues: Vec<InputQueue>,
}

impl Inputs {
    pub(crate) fn new(queues: Vec<InputQueue>) -> Self {
        Self { queues }
    }

    /// Whether a record waits for its turn.
    pub(crate) fn has_waiting(&self) -> bool {
        self.queues.iter().any(|queue| !queue.is_empty())
    }

    pub(crate) fn queue(&self, index: usize) -> &InputQueue {
        &self.queues[index]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &InputQueue> {
        self.queues.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut InputQueue> {
        self.queues.iter_mut()
    }

    pub(crate) fn entry(&mut self, index: usize) -> &mut dyn SourceEntry {
        &mut *self.queues[index].entry
    }

    /// Which queue is next.
    pub(crate) fn choose(&mut self, now: Timestamp, idling: Idling) -> Choice {
        let mut best: Option<(usize, Timestamp)> = None;
        let mut must_wait = false;
        for (index, queue) in self.queues.iter_mut().enumerate() {
            match (&queue.loaded, queue.waiting.is_empty()) {
                // Its time is not known, so nothing can be said to come before it.
                (None, false) if queue.is_parked(now) => must_wait = true,
                (None, false) => return Choice::Load(index),
                (Some((_, timestamp)), _) => {
                    queue.empty_since = None;
                    if best.is_none_or(|(_, lowest)| *timestamp < lowest) {
                        best = Some((index, *timestamp));
                    }
                }
                (None, true) => {
                    let since = *queue.empty_since.get_or_insert(now);
                    let bound = if queue.is_caught_up() { idling.caught_up } else { idling.fetching };
                    must_wait |= now < since.plus(bound);
                }
            }
        }
        match best {
            Some((index, _)) if !must_wait => Choice::Process(index),
            _ => Choice::Wait,
        }
    }

    /// Decodes the head of a queue; gives the record back if that fails.
    pub(crate) fn load(&mut self, index: usize) -> Result<(), (FetchedRecord, ProcessError)> {
        let queue = &mut self.queues[index];
        let record = queue.waiting.pop_front().expect("the queue was chosen because it has a record");
        queue.waiting_bytes -= record.size_bytes();
        let entry = &mut queue.entry;
        let loaded = catch_unwind(AssertUnwindSafe(|| entry.load(&record)));
        match loaded.unwrap_or_else(|panic| Err(super::panicked(&*panic))) {
            Ok(timestamp) => {
                queue.loaded = Some((record, timestamp));
                Ok(())
            }
            Err(error) => Err((record, error)),
        }
    }

    /// Puts a record back to the head of its queue: what it needs does not answer, so it is tried again after a while.
    pub(crate) fn park(&mut self, index: usize, record: FetchedRecord, reason: String, now: Timestamp) {
        let queue = &mut self.queues[index];
        debug_assert!(queue.loaded.is_none(), "a record is loaded again when its turn comes again");
        let failures = queue.parked.take().map_or(0, |parked| parked.failures);
        let wait = RETRY_FIRST.saturating_mul(1 << failures.min(10)).min(RETRY_MAX);
        queue.parked = Some(Parked { failures: failures + 1, until: now.plus(wait), reason });
        queue.waiting_bytes += record.size_bytes();
        queue.waiting.push_front(record);
        queue.entry.clear();
    }

    pub(crate) fn take_loaded(&mut self, index: usize) -> (FetchedRecord, Timestamp) {
        self.queues[index].loaded.take().expect("the queue was chosen because its record is loaded")
    }

    /// A record was dealt with.
    pub(crate) fn advance(&mut self, index: usize, next: i64) {
        let queue = &mut self.queues[index];
        assert!(next > queue.position, "positions only grow");
        queue.position = next;
        queue.parked = None;
        if queue.is_empty()
            && let Some(end) = queue.end
        {
            // What lies between the last record and the end are markers of transactions.
            queue.position = queue.position.max(end.min(queue.expected));
        }
    }

    /// Whether a commit would say anything of this task.
    pub(crate) fn has_known_position(&self) -> bool {
        self.queues.iter().any(|queue| queue.position > UNKNOWN)
    }

    /// Whether a position has moved since the last commit.
    pub(crate) fn moved(&self) -> bool {
        self.queues.iter().any(|queue| queue.position != queue.committed)
    }

    pub(crate) fn committed(&mut self) {
        for queue in &mut self.queues {
            queue.committed = queue.position;
        }
    }

    pub(crate) fn positions(&self, metadata: &str) -> impl Iterator<Item = (TopicPartition, CommittedOffset)> {
        self.queues.iter().filter(|queue| queue.position > UNKNOWN).map(move |queue| {
            (queue.partition.clone(), CommittedOffset { offset: queue.position, metadata: metadata.to_owned() })
        })
    }
}
