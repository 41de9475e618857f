//! The bounds and cadences of this crate, each with its unit in its name. Nothing here is computed.

use std::time::Duration;

/// The version of everything that lies on disk; another one is refused at open.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Applied but unflushed log is flushed after this time, so a crash replays at most this much.
pub(crate) const FLUSH_AFTER: Duration = Duration::from_mins(5);

/// Applied but unflushed log is flushed beyond this size, so a crash replays at most this much.
pub(crate) const FLUSH_AFTER_BYTES: usize = 64 << 20;

/// An idle state's clock stamp is made durable this often: rarely, since every flush makes a file.
pub(crate) const IDLE_STAMP_AFTER: Duration = Duration::from_hours(1);

/// A restore hands RocksDB this much at a time.
pub(crate) const RESTORE_CHUNK_BYTES: usize = 8 << 20;

/// Ids of the dedup store in one record of the log: 16 bytes each, so a record stays near 64 KiB.
pub(crate) const DEDUP_IDS_PER_RECORD: usize = 4096;

/// What a slot of the overlay costs beside its key and its value: the slot, its table entry, its place in the dirty list.
pub(crate) const SLOT_OVERHEAD_BYTES: usize = 144;

/// Value buffers that are kept for reuse, together.
pub(crate) const SPARE_BYTES: usize = 1 << 20;

/// A spare buffer beyond this size is returned to the allocator.
pub(crate) const SPARE_BUFFER_MAX_BYTES: usize = 16 << 10;

/// What a dedup front is given when nobody says.
pub(crate) const DEFAULT_DEDUP_FRONT_BYTES: usize = 16 << 20;

/// What the clean cache is given when nobody says.
pub(crate) const DEFAULT_CLEAN_CACHE_BYTES: usize = 16 << 20;

/// What committed changes may hold in memory before they are written, when nobody says.
pub(crate) const DEFAULT_WRITE_BACK_BYTES: usize = 4 << 20;

/// The age at which state is stale when nobody says: a log forgets its deletes after a day by default.
pub(crate) const DEFAULT_MAX_AGE: Duration = Duration::from_hours(24);
