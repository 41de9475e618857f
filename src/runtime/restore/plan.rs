//! What has to be read of one changelog, and how far that is. Pure.

use highwater_state::{StoreId, TaskState};

use crate::kafka::Slot;
use crate::record::{Timestamp, TopicPartition};

/// A changelog as it is when a restore begins.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) store: StoreId,
    pub(super) partition: TopicPartition,
    pub(super) id: [u8; 16],
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Log {
    /// Whether the stored position is of another log, before its start, or behind its end.
    pub(super) fn contradicts(&self, state: &TaskState) -> bool {
        state
            .position(self.store)
            .is_some_and(|stored| stored.log_id != self.id || stored.next < self.start || stored.next > self.end)
    }

    /// Where reading begins.
    pub(super) fn from(&self, state: &TaskState) -> i64 {
        state.position(self.store).map_or(self.start, |stored| stored.next).max(self.start)
    }
}

/// The part of a changelog that is still to be read.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) log: Log,
    pub(super) slot: Slot,
    /// Everything before is in the state.
    pub(super) next: i64,
    /// When that last moved.
    pub(super) progress_at: Timestamp,
}

impl Tail {
    pub(super) fn is_read(&self) -> bool {
        self.next >= self.log.end
    }
}
