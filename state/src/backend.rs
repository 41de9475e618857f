//! What lies under the overlay: ordered families of bytes that take one atomic batch at a time.
//! It knows no store kind, no position and no transaction.

use std::fmt;
use std::ops::{Bound, ControlFlow};

use crate::error::StateError;
use crate::value_ref::ValueRef;

/// A key range as scans take it.
pub(crate) type KeyRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// What a scan calls with each entry.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered set of entries of its own: one per store, one for the expiry index, one for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Family(pub(crate) u16);

/// What a family is for, which decides how it is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyRole {
    /// A key-value store: point reads and scans.
    KeyValue,
    /// A window store: point reads and short scans.
    Window,
    /// A session store: point reads.
    Session,
    /// A dedup store: point reads that mostly miss, and values that expire by their hour.
    Dedup {
        /// How long an identity is remembered.
        memory_hours: u32,
    },
    /// The expiry index: scans from its start.
    Expiry,
    /// Metadata: a few dozen small values.
    Metadata,
}

impl FamilyRole {
    /// Whether the family is mostly read key by key.
    pub(crate) fn is_read_by_point(self) -> bool {
        !matches!(self, Self::Expiry | Self::Metadata)
    }
}

/// A family's name on disk and what it is for.
#[derive(Clone, Debug)]
pub(crate) struct FamilySpec {
    pub(crate) name: String,
    pub(crate) role: FamilyRole,
}

/// One change of one family; `None` deletes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) family: Family,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
}

/// What a backend uses of memory and disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files on disk.
    pub disk_bytes: u64,
    /// Applied changes that are not yet in files.
    pub memtable_bytes: u64,
    /// Filters and indexes of open files; they are not evictable and not part of the block cache.
    pub table_reader_bytes: u64,
    /// Entries, as far as they can be counted without reading them.
    pub estimated_keys: u64,
}

/// Ordered families under one atomic write.
pub(crate) trait Backend: Send + fmt::Debug {
    /// The value of a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<ValueRef<'_>>, StateError>;

    /// The entries of a range in key order, until `visit` breaks.
    fn scan(&self, family: Family, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), StateError>;

    /// All of these changes or none of them.
    fn write(&mut self, writes: &[Write<'_>]) -> Result<(), StateError>;

    /// Lets go of the entries of a dedup family that were kept before this hour, now or later.
    fn forget_before(&mut self, family: Family, hour: i64);

    /// Empties a family.
    fn clear(&mut self, family: Family) -> Result<(), StateError>;

    /// Makes what was written durable; `wait` says whether to return only then.
    fn flush(&self, wait: FlushWait) -> Result<(), StateError>;

    /// Whether every flush that was begun has reached the disk.
    fn is_flushed(&self) -> bool;

    /// Whether nothing outlives the process, so that there is no stored position to come back to.
    fn is_volatile(&self) -> bool;

    /// What all families together use.
    fn usage(&self) -> Usage;

    /// Roughly how many entries a family holds.
    fn estimated_keys(&self, family: Family) -> u64;

    /// Rewrites every file without what was deleted or has expired.
    fn compact(&self);

    /// Reads every file and checks its sums.
    fn verify(&self) -> Result<(), StateError>;
}

/// Whether a flush is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushWait {
    /// Return when everything is on disk.
    UntilDurable,
    /// Return at once; a background thread flushes.
    Background,
}

/// Whether no key can lie in the range; ordered maps refuse such ranges with a panic.
pub(crate) fn is_empty_range(range: KeyRange<'_>) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low), Bound::Excluded(high)) | (Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
            low >= high
        }
    }
}
