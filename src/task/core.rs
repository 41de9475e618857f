//! What all operators of a task share while a record travels: state, outbox, clocks, the record at hand.
//!
//! It is handed along every edge as `&mut TaskCore`, so that nothing in a task needs a lock, a cell or a global.

use std::sync::Arc;

use bytes::BytesMut;
use hashbrown::HashMap;
use highwater_state::{StoreId, TaskState};

use super::dead_letter::DeadLetters;
use super::outbox::Outbox;
use super::times::OperatorTimes;
use super::verdict::Ruling;
use crate::kafka::FetchedRecord;
use crate::processor::ProcessError;
use crate::record::{TaskId, Timestamp, TopicPartition};

/// The shared parts of one task.
#[derive(Debug)]
pub struct TaskCore {
    pub(crate) id: TaskId,
    pub(crate) state: TaskState,
    /// The store that holds what is about the task itself: clocks, the row counter, the books.
    pub(crate) meta: StoreId,
    pub(crate) outbox: Outbox,
    pub(crate) times: OperatorTimes,
    pub(crate) ruling: Ruling,
    pub(crate) input: Option<Input>,
    /// Wall-clock time, read once per turn of the loop.
    pub(crate) now: Timestamp,
    pub(crate) versions: RowVersions,
    pub(crate) topics: Arc<TopicTable>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) scratch: Scratch,
    /// The greatest timestamp that this task has been handed: its stream time.
    pub(crate) stream_time: Timestamp,
    pub(crate) commit_requested: bool,
    /// Windows that a record came too late for, since the task was made; the record may have been taken by others.
    pub(crate) late_windows: u64,
}

/// The input record at hand.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) record: FetchedRecord,
    pub(crate) source: TopicPartition,
    pub(crate) origin: Origin,
}

/// Where a record came from outside the application: its own coordinates, or, behind a repartition, those it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
}

/// Buffers to encode keys and values into; their content means nothing between two calls.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) key: BytesMut,
    pub(crate) value: BytesMut,
}

/// Numbers rows so that they grow strictly: an epoch that resets raise, and a counter that the task's state keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowVersions {
    epoch: i64,
    counter: i64,
}

impl RowVersions {
    const COUNTER_BITS: u32 = 40;

    pub(crate) fn new(epoch: i64, counter: i64) -> Self {
        Self { epoch, counter }
    }

    pub(crate) fn counter(self) -> i64 {
        self.counter
    }

    /// The next version: greater than all before it.
    pub(crate) fn next(&mut self) -> i64 {
        self.counter += 1;
        assert!(self.counter < 1 << Self::COUNTER_BITS, "a task numbers fewer than 2^40 rows in an epoch");
        (self.epoch << Self::COUNTER_BITS) | self.counter
    }
}

/// The topics that an application writes, under the names that they have on the cluster, and their partition counts.
#[derive(Debug, Default)]
pub struct TopicTable {
    topics: HashMap<Arc<str>, i32, foldhash::fast::FixedState>,
    /// The largest record that a topic takes, where that is known.
    record_max_bytes: HashMap<Arc<str>, usize, foldhash::fast::FixedState>,
    /// Records up to this size are taken by all.
    taken_by_all_bytes: Option<usize>,
}

impl TopicTable {
    /// A table of these topics and partition counts.
    pub fn new(topics: impl IntoIterator<Item = (Arc<str>, i32)>) -> Self {
        Self { topics: topics.into_iter().collect(), ..Self::default() }
    }

    /// The same table, with the largest record that each topic takes.
    #[must_use]
    pub fn with_record_max_bytes(mut self, limits: impl IntoIterator<Item = (Arc<str>, usize)>) -> Self {
        self.record_max_bytes = limits.into_iter().collect();
        self.taken_by_all_bytes = self.record_max_bytes.values().min().copied();
        self
    }

    /// Whether a topic takes a record of this size.
    pub(crate) fn takes(&self, topic: &str, bytes: usize) -> bool {
        self.taken_by_all_bytes.is_none_or(|taken| bytes <= taken)
            || self.record_max_bytes.get(topic).is_none_or(|limit| bytes <= *limit)
    }

    /// How many partitions a topic has, if it is known.
    pub fn partitions(&self, topic: &str) -> Option<i32> {
        self.topics.get(topic).copied()
    }

    /// The shared spelling of a topic's name.
    pub(crate) fn name(&self, topic: &str) -> Arc<str> {
        self.topics.get_key_value(topic).map_or_else(|| Arc::from(topic), |(name, _)| Arc::clone(name))
    }
}

impl TaskCore {
    /// Whether the topics take what the record at hand staged: one that does not would stop all that come after it.
    pub(crate) fn check_sizes(&self) -> Result<(), ProcessError> {
        let too_large = self.outbox.staged_by_record().find(|(topic, bytes)| !self.topics.takes(topic, *bytes));
        too_large.map_or(Ok(()), |(topic, bytes)| {
            Err(ProcessError::rejected(
                "too_large",
                format!("what came of it has {bytes} bytes, which topic `{topic}` does not take"),
            ))
        })
    }

    /// The input record at hand; none while time, not a record, is what runs the operators.
    pub(crate) fn input(&self) -> Option<&Input> {
        self.input.as_ref()
    }
}
