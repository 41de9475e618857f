//! What has to be read of one changelog, and how far that is. Pure.

use highwater_state::{LogPosition, StoreId};

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
    pub(super) fn contradicts(&self, stored: Option<&LogPosition>) -> bool {
        stored.is_some_and(|stored| stored.log_id != self.id || stored.next < self.start || stored.next > self.end)
    }

    /// Where reading begins.
    pub(super) fn from(&self, stored: Option<&LogPosition>) -> i64 {
        stored.map_or(self.start, |stored| stored.next).max(self.start)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_position_counts_only_within_its_own_log() {
        let log = Log { store: StoreId(0), partition: TopicPartition::new("log", 0), id: [1; 16], start: 10, end: 20 };
        for (stored, contradicts, from) in [
            (None, false, 10),
            (Some(([1; 16], 10)), false, 10),
            (Some(([1; 16], 15)), false, 15),
            (Some(([1; 16], 20)), false, 20),
            (Some(([1; 16], 9)), true, 10),
            (Some(([1; 16], 21)), true, 21),
            (Some(([2; 16], 15)), true, 15),
        ] {
            let stored = stored.map(|(log_id, next)| LogPosition { log_id, next });
            let stored = stored.as_ref();
            assert_eq!((log.contradicts(stored), log.from(stored)), (contradicts, from), "{stored:?}");
        }
    }
}
