//! The end of a transaction: what it changed as records of the log, and then, once the log has them, as one batch with the positions.

use super::TaskState;
use crate::backend::Write;
use crate::dedup::Dedup;
use crate::error::StateError;
use crate::expiry::ExpiryMark;
use crate::metadata::{self, MetaWrite};
use crate::spec::{LogPosition, StoreId};

/// What is called with the store, the key and the value (`None` deletes) of changes.
pub type EmitChange<'a> = dyn FnMut(StoreId, &[u8], Option<&[u8]>) + 'a;

impl TaskState {
    /// Calls `emit` with the log's record of every change of the transaction: one per changed key, `None` deletes; identities come packed. The order depends on nothing but
    /// the changes. Stores without a log are left out, and so is what a restore can derive.
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

    /// Writes the transaction's changes, to be called once the log has committed them: all data, the positions and the clock stamp in one batch. `positions` are the stores whose
    /// log moved, each with the first position after what this transaction put there (or any lower bound of it).
    pub fn apply(&mut self, positions: &[(StoreId, LogPosition)], now_ms: i64) -> Result<(), StateError> {
        assert!(!self.overlay.is_record_open(), "a transaction is applied between records");
        let metadata = self.transaction_metadata(positions, now_ms);
        let identities: Vec<_> = self.dedups.iter().map(|dedup| dedup.as_ref().map_or_else(Vec::new, Dedup::entries)).collect();
        let mut writes = self.overlay.sorted_changes();
        for (index, entries) in identities.iter().enumerate() {
            let family = Self::family(StoreId(index as u16));
            writes.extend(entries.iter().map(|(id, hour)| Write { family, key: id, value: Some(hour) }));
        }
        let family = self.metadata_family();
        writes.extend(metadata.iter().map(|write| Write { family, key: &write.key, value: write.value.as_deref() }));
        let bytes: usize = writes.iter().map(|write| write.key.len() + write.value.map_or(0, <[u8]>::len)).sum();
        // IMPORTANT: one batch. Data without its position, or a position without its data, would outlive a crash.
        self.backend.write(&writes)?;
        self.cadence.unflushed_bytes += bytes;
        self.settle(positions, now_ms);
        Ok(())
    }

    fn transaction_metadata(&mut self, positions: &[(StoreId, LogPosition)], now_ms: i64) -> Vec<MetaWrite> {
        let mut writes = vec![metadata::stamp(now_ms)];
        writes.extend(positions.iter().map(|(store, position)| metadata::position(self.number(*store), position)));
        for (index, dedup) in self.dedups.iter_mut().enumerate() {
            if let Some(dedup) = dedup {
                let from = self.positions[index].as_ref().map_or(0, |position| position.next);
                writes.extend(dedup.settle_metadata(self.numbers[index], from));
            }
        }
        writes
    }

    fn settle(&mut self, positions: &[(StoreId, LogPosition)], now_ms: i64) {
        self.overlay.settle();
        self.last_read.get_mut().forget();
        for (index, dedup) in self.dedups.iter_mut().enumerate() {
            if let Some(dedup) = dedup {
                if let Some(horizon) = dedup.staged_horizon() {
                    self.backend.forget_before(Self::family(StoreId(index as u16)), horizon);
                }
                dedup.settle();
            }
        }
        self.expiry.iter_mut().for_each(ExpiryMark::settle);
        for (store, position) in positions {
            self.positions[usize::from(store.0)] = Some(position.clone());
        }
        self.stamp_ms = Some(now_ms);
    }

    pub(super) fn write_metadata(&mut self, writes: &[MetaWrite]) -> Result<(), StateError> {
        let family = self.metadata_family();
        self.backend.write(
            &writes.iter().map(|write| Write { family, key: &write.key, value: write.value.as_deref() }).collect::<Vec<_>>(),
        )
    }
}
