//! The end of a transaction: what it changed as records of the log, and then, once the log has them, as committed state.

use super::TaskState;
use crate::error::StateError;
use crate::expiry::ExpiryMark;
use crate::spec::{LogPosition, StoreId};

/// What is called with the store, the key and the value (`None` deletes) of changes.
pub type EmitChange<'a> = dyn FnMut(StoreId, &[u8], Option<&[u8]>) + 'a;

impl TaskState {
    /// Calls `emit` with the log's record of every change of the transaction: one per changed key, `None` deletes; identities
    /// come packed. The order depends on nothing but the changes. Stores without a log are left out, and so is what a restore can
    /// derive.
    pub fn log_changes(&self, emit: &mut EmitChange<'_>) {
        for change in self.overlay.sorted_changes() {
            let is_logged = self.specs.get(usize::from(change.family.0)).is_some_and(|spec| spec.logged);
            if is_logged {
                emit(StoreId(change.family.0), change.key, change.value);
            }
        }
        for (index, (spec, dedup)) in self.specs.iter().zip(&self.dedups).enumerate() {
            if let (true, Some(dedup)) = (spec.logged, dedup) {
                dedup.log_records(&mut |key, value| emit(StoreId(index as u16), key, Some(value)));
            }
        }
    }

    /// The log has committed the transaction: its changes are the state from now on, and on their way to disk. `positions` are
    /// the stores whose log moved, each with the first position after what this transaction put there (or any lower bound of it).
    ///
    /// After an error the state must be dropped and opened again.
    pub fn apply(&mut self, positions: &[(StoreId, LogPosition)], now_ms: i64) -> Result<(), StateError> {
        assert!(!self.overlay.is_record_open(), "a transaction is applied between records");
        self.cadence.unflushed_bytes += self.overlay_bytes();
        self.overlay.settle();
        for (index, dedup) in self.dedups.iter_mut().enumerate() {
            if let Some(dedup) = dedup {
                // Before its log moves on, a store's position is a lower bound of the positions of this transaction's records.
                let from = self.positions[index].as_ref().map_or(0, |position| position.next);
                dedup.settle(self.numbers[index], from);
            }
        }
        self.expiry.iter_mut().for_each(ExpiryMark::settle);
        for (store, position) in positions {
            self.positions[usize::from(store.0)] = Some(position.clone());
            self.moved[usize::from(store.0)] = true;
        }
        self.stamp(now_ms);
        if self.held_bytes() > self.write_back_bytes { self.write_back() } else { Ok(()) }
    }
}
