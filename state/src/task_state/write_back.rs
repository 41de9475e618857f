//! From memory to disk: all committed changes of many transactions, their positions and the clock stamp, in one batch. Also while
//! a transaction runs, whose changes stay behind.

use super::TaskState;
use crate::backend::Write;
use crate::dedup::Dedup;
use crate::error::StateError;
use crate::metadata::{self, MetaWrite};
use crate::spec::StoreId;

impl TaskState {
    pub(super) fn write_back(&mut self) -> Result<(), StateError> {
        assert!(!self.overlay.is_record_open(), "committed changes are written between records");
        let metadata = self.held_metadata();
        let identities: Vec<_> =
            self.dedups.iter().map(|dedup| dedup.as_ref().map_or_else(Vec::new, Dedup::sorted_held)).collect();
        let mut writes = self.overlay.sorted_held();
        for (index, entries) in identities.iter().enumerate() {
            let family = Self::family(StoreId(index as u16));
            writes.extend(entries.iter().map(|(id, hour)| Write { family, key: id, value: Some(hour) }));
        }
        let family = self.metadata_family();
        writes.extend(metadata.iter().map(|write| Write { family, key: &write.key, value: write.value.as_deref() }));
        if writes.is_empty() {
            return Ok(());
        }
        // IMPORTANT: one batch. Data without its position, or a position without its data, would outlive a crash.
        self.backend.write(&writes)?;
        self.written();
        Ok(())
    }

    fn held_metadata(&mut self) -> Vec<MetaWrite> {
        let stamp = self.stamp_ms.filter(|_| std::mem::take(&mut self.is_stamp_moved));
        let mut writes: Vec<MetaWrite> = stamp.map(metadata::stamp).into_iter().collect();
        for (index, position) in self.positions.iter().enumerate() {
            if let (true, Some(position)) = (self.moved[index], position) {
                writes.push(metadata::position(self.numbers[index], position));
            }
        }
        for (dedup, &number) in self.dedups.iter_mut().zip(&self.numbers) {
            if let Some(dedup) = dedup {
                writes.extend(dedup.take_metadata(number));
            }
        }
        writes
    }

    fn written(&mut self) {
        self.overlay.written();
        self.last_read.get_mut().forget();
        self.moved.fill(false);
        for (index, dedup) in self.dedups.iter_mut().enumerate() {
            if let Some(dedup) = dedup {
                dedup.written();
                self.backend.forget_before(Self::family(StoreId(index as u16)), dedup.horizon());
            }
        }
    }
}
