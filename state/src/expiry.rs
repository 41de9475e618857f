//! Finding what has expired without reading a store from end to end: an index from hour to key, written when a key first has
//! something in an hour, and worked off hour by hour. It is coarse on purpose: an entry expires when its whole hour has. What
//! expiring means is the store kind's business.

use std::ops::{Bound, ControlFlow};

use crate::error::StateError;
use crate::layout::expiry as layout;
use crate::spec::StoreId;
use crate::task_state::TaskState;

/// Entries of the index that one call looks at, for each entry of the store that it may drop: a key that lived on in later hours
/// leaves entries behind that drop nothing.
const LOOKS_PER_DROP: usize = 4;

/// No entry of a store's index lies in an hour before the mark, so scans start there instead of among the deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpiryMark {
    applied: i64,
    staged: i64,
}

impl ExpiryMark {
    pub(crate) fn unknown() -> Self {
        Self { applied: i64::MIN, staged: i64::MIN }
    }

    pub(crate) fn forget(&mut self) {
        *self = Self::unknown();
    }

    pub(crate) fn settle(&mut self) {
        self.applied = self.staged;
    }

    pub(crate) fn discard(&mut self) {
        self.staged = self.applied;
    }

    fn lower_to(&mut self, hour: i64) {
        self.applied = self.applied.min(hour);
        self.staged = self.staged.min(hour);
    }
}

/// What one entry of the index came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) entries: usize,
    /// Whether nothing of this key is left in this hour.
    pub(crate) is_done: bool,
}

impl TaskState {
    /// Notes that a key has something in an hour. Most calls find the note already there.
    pub(crate) fn note_hour(&mut self, store: StoreId, hour: i64, key: &[u8]) {
        let entry = layout::encode(self.number(store), hour, key);
        self.overlay.put(self.expiry_family(), &entry, Some(b""));
        self.expiry[usize::from(store.0)].lower_to(hour);
    }

    /// Whether everything of hours before this one has been expired.
    pub(crate) fn is_expired_before(&self, store: StoreId, hour: i64) -> bool {
        self.expiry[usize::from(store.0)].staged >= hour
    }

    /// Works off the index up to an hour, with `drop_one(state, hour, key, at most)` for each entry.
    pub(crate) fn expire_before(
        &mut self,
        store: StoreId,
        before_hour: i64,
        max: usize,
        mut drop_one: impl FnMut(&mut Self, i64, &[u8], usize) -> Result<Dropped, StateError>,
    ) -> Result<usize, StateError> {
        if max == 0 || self.is_expired_before(store, before_hour) {
            return Ok(0);
        }
        let most_looks = max.saturating_mul(LOOKS_PER_DROP);
        let due = self.due_entries(store, before_hour, most_looks)?;
        let mut dropped = 0;
        for entry in &due {
            let (_, hour, key) = layout::decode(entry).ok_or_else(|| self.corrupt_index(store))?;
            self.expiry[usize::from(store.0)].staged = hour;
            let outcome = drop_one(self, hour, key, max - dropped)?;
            dropped += outcome.entries;
            if outcome.is_done {
                self.overlay.put(self.expiry_family(), entry, None);
            }
            if dropped >= max {
                return Ok(dropped);
            }
        }
        if due.len() < most_looks {
            self.expiry[usize::from(store.0)].staged = before_hour;
        }
        Ok(dropped)
    }

    fn due_entries(&self, store: StoreId, before_hour: i64, most: usize) -> Result<Vec<Box<[u8]>>, StateError> {
        let number = self.number(store);
        let from = layout::prefix(number, self.expiry[usize::from(store.0)].staged);
        let to = layout::prefix(number, before_hour);
        let mut due = Vec::new();
        self.scan_family(self.expiry_family(), (Bound::Included(&from), Bound::Excluded(&to)), &mut |entry, _| {
            due.push(entry.into());
            if due.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(due)
    }

    fn corrupt_index(&self, store: StoreId) -> StateError {
        StateError::Corrupt(format!("the expiry index of store `{}` can't be read", self.name_of(store)))
    }
}
