//! The backend on disk: one RocksDB per task, a column family per family, no write-ahead log. Only this file and the ones under
//! `rocks/` name RocksDB.
//!
//! The task's log is the write-ahead log: what a crash loses of the memtables is read again from the stored position.
//! `atomic_flush` keeps all families at one point.

mod open;
mod options;
mod shared;

use std::fmt;
use std::ops::{Bound, Deref};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rocksdb::properties::{
    CUR_SIZE_ALL_MEM_TABLES, ESTIMATE_NUM_KEYS, ESTIMATE_TABLE_READERS_MEM, NUM_IMMUTABLE_MEM_TABLE, TOTAL_SST_FILES_SIZE,
};
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, ErrorKind, FlushOptions, ReadOptions, WriteBatch, WriteOptions};

pub(crate) use self::open::{DEFAULT_FAMILY, destroy};
pub use self::shared::{ResourceLimits, SharedResources};
use crate::backend::{Backend, Family, FamilySpec, FlushWait, KeyRange, Usage, Visit, Write};
use crate::error::StateError;
use crate::value_ref::ValueRef;

/// A value in a block or memtable that RocksDB keeps in place until this is dropped.
pub(crate) struct PinnedValue<'a>(DBPinnableSlice<'a>);

impl Deref for PinnedValue<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// One task's database.
pub(crate) struct Rocks {
    db: DB,
    families: Vec<RocksFamily>,
    shared: SharedResources,
    write_options: WriteOptions,
}

struct RocksFamily {
    spec: FamilySpec,
    /// Entries of a dedup family that were kept in an earlier hour are dropped when their files are compacted.
    horizon: Arc<AtomicI64>,
}

impl fmt::Debug for Rocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rocks").field("path", &self.db.path()).field("families", &self.families.len()).finish_non_exhaustive()
    }
}

impl Rocks {
    fn handle(&self, family: Family) -> &ColumnFamily {
        let name = &self.families[usize::from(family.0)].spec.name;
        self.db.cf_handle(name).expect("every family of the task was opened with it")
    }

    fn sum_of(&self, property: &rocksdb::properties::PropName) -> u64 {
        let of_family = |index| self.db.property_int_value_cf(self.handle(Family(index)), property).ok().flatten().unwrap_or(0);
        (0..self.families.len() as u16).map(of_family).sum()
    }
}

impl Backend for Rocks {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<ValueRef<'_>>, StateError> {
        let found = self.db.get_pinned_cf(self.handle(family), key).map_err(|error| state_error(&error))?;
        Ok(found.map(|value| ValueRef::pinned(PinnedValue(value))))
    }

    fn scan(&self, family: Family, (lower, upper): KeyRange<'_>, visit: Visit<'_>) -> Result<(), StateError> {
        let mut options = ReadOptions::default();
        match upper {
            Bound::Included(key) => options.set_iterate_upper_bound(just_after(key)),
            Bound::Excluded(key) => options.set_iterate_upper_bound(key),
            Bound::Unbounded => {}
        }
        let mut cursor = self.db.raw_iterator_cf_opt(self.handle(family), options);
        match lower {
            Bound::Included(key) => cursor.seek(key),
            Bound::Excluded(key) => cursor.seek(just_after(key)),
            Bound::Unbounded => cursor.seek_to_first(),
        }
        while let Some((key, value)) = cursor.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            cursor.next();
        }
        cursor.status().map_err(|error| state_error(&error))
    }

    fn write(&mut self, writes: &[Write<'_>]) -> Result<(), StateError> {
        const BYTES_PER_WRITE_HEAD: usize = 12;
        let bytes = writes.iter().map(|write| BYTES_PER_WRITE_HEAD + write.key.len() + write.value.map_or(0, <[u8]>::len)).sum();
        let mut batch = WriteBatch::with_capacity_bytes(bytes);
        for of_family in writes.chunk_by(|a, b| a.family == b.family) {
            let handle = self.handle(of_family[0].family);
            for write in of_family {
                match write.value {
                    Some(value) => batch.put_cf(handle, write.key, value),
                    None => batch.delete_cf(handle, write.key),
                }
            }
        }
        self.db.write_opt(batch, &self.write_options).map_err(|error| state_error(&error))
    }

    fn forget_before(&mut self, family: Family, hour: i64) {
        self.families[usize::from(family.0)].horizon.store(hour, Ordering::Relaxed);
    }

    fn clear(&mut self, family: Family) -> Result<(), StateError> {
        let cleared = &self.families[usize::from(family.0)];
        let options = options::family_options(&cleared.spec, &cleared.horizon, &self.shared);
        let name = cleared.spec.name.clone();
        self.db.drop_cf(&name).map_err(|error| state_error(&error))?;
        self.db.create_cf(&name, &options).map_err(|error| state_error(&error))
    }

    fn flush(&self, wait: FlushWait) -> Result<(), StateError> {
        let mut options = FlushOptions::default();
        options.set_wait(wait == FlushWait::UntilDurable);
        let handles: Vec<&ColumnFamily> = (0..self.families.len() as u16).map(|index| self.handle(Family(index))).collect();
        self.db.flush_cfs_opt(&handles, &options).map_err(|error| state_error(&error))
    }

    fn is_flushed(&self) -> bool {
        self.sum_of(NUM_IMMUTABLE_MEM_TABLE) == 0
    }

    fn is_volatile(&self) -> bool {
        false
    }

    fn usage(&self) -> Usage {
        Usage {
            disk_bytes: self.sum_of(TOTAL_SST_FILES_SIZE),
            memtable_bytes: self.sum_of(CUR_SIZE_ALL_MEM_TABLES),
            table_reader_bytes: self.sum_of(ESTIMATE_TABLE_READERS_MEM),
            estimated_keys: self.sum_of(ESTIMATE_NUM_KEYS),
        }
    }

    fn estimated_keys(&self, family: Family) -> u64 {
        self.db.property_int_value_cf(self.handle(family), ESTIMATE_NUM_KEYS).ok().flatten().unwrap_or(0)
    }

    fn compact(&self) {
        for index in 0..self.families.len() as u16 {
            self.db.compact_range_cf(self.handle(Family(index)), None::<&[u8]>, None::<&[u8]>);
        }
    }

    fn verify(&self) -> Result<(), StateError> {
        for index in 0..self.families.len() as u16 {
            let mut options = ReadOptions::default();
            options.fill_cache(false);
            options.set_verify_checksums(true);
            let mut cursor = self.db.raw_iterator_cf_opt(self.handle(Family(index)), options);
            cursor.seek_to_first();
            while cursor.valid() {
                cursor.next();
            }
            cursor.status().map_err(|error| state_error(&error))?;
        }
        Ok(())
    }
}

impl RocksFamily {
    fn new(spec: FamilySpec) -> Self {
        Self { spec, horizon: Arc::new(AtomicI64::new(i64::MIN)) }
    }
}

/// The smallest key that is greater than this one.
fn just_after(key: &[u8]) -> Vec<u8> {
    let mut after = Vec::with_capacity(key.len() + 1);
    after.extend_from_slice(key);
    after.push(0);
    after
}

/// Tells damage from a file system that refuses.
fn state_error(error: &rocksdb::Error) -> StateError {
    match error.kind() {
        ErrorKind::Corruption => StateError::Corrupt(error.to_string()),
        _ if is_lock_refusal(error) => StateError::Locked,
        _ => StateError::Io(error.to_string()),
    }
}

/// RocksDB has no kind for it: the message names the `LOCK` file.
fn is_lock_refusal(error: &rocksdb::Error) -> bool {
    let message = error.to_string();
    message.contains("/LOCK: ") && (message.contains("lock hold by current process") || message.contains("While lock file"))
}
