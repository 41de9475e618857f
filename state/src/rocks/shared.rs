//! What all databases of a process share: one block cache, one limit for memtables, one set of background threads.

use std::fmt;

use rocksdb::{Cache, Env, WriteBufferManager};

/// How much all task states of a process may use together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimits {
    /// Blocks of files that were read.
    pub block_cache_bytes: usize,
    /// Applied changes that are not yet in files; beyond it, the state that writes flushes.
    pub memtable_bytes: usize,
    /// Threads that flush and compact.
    pub background_threads: u32,
}

impl Default for ResourceLimits {
    fn default() -> Self {
        Self { block_cache_bytes: 256 << 20, memtable_bytes: 256 << 20, background_threads: 2 }
    }
}

/// The shared block cache, memtable limit and background threads; a clone shares them too.
///
/// ```
/// use highwater_state::{ResourceLimits, SharedResources};
/// let shared = SharedResources::new(&ResourceLimits { block_cache_bytes: 64 << 20, ..ResourceLimits::default() });
/// assert_eq!(shared.memtable_bytes(), 0);
/// ```
#[derive(Clone)]
pub struct SharedResources {
    pub(super) cache: Cache,
    pub(super) write_buffers: WriteBufferManager,
    pub(super) env: Env,
    pub(super) background_threads: u32,
}

impl SharedResources {
    /// Makes the resources; one value serves a process, since the background threads are the process's.
    pub fn new(limits: &ResourceLimits) -> Self {
        let mut shared = Self::without_threads(limits);
        shared.env.set_background_threads(shared.background_threads as i32);
        shared.env.set_high_priority_background_threads(1);
        shared
    }

    /// Resources for looking at a state, which leave the threads of the process as they are.
    pub(crate) fn without_threads(limits: &ResourceLimits) -> Self {
        Self {
            cache: Cache::new_lru_cache(limits.block_cache_bytes),
            // Stalling writers would stop a stream thread in the middle of a commit; flushing earlier is enough.
            write_buffers: WriteBufferManager::new_write_buffer_manager(limits.memtable_bytes, false),
            env: Env::new().expect("RocksDB always has its default environment"),
            background_threads: limits.background_threads.max(1),
        }
    }

    /// Bytes of blocks in the cache.
    pub fn block_cache_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    /// Bytes of memtables of all states.
    pub fn memtable_bytes(&self) -> usize {
        self.write_buffers.get_usage()
    }
}

impl fmt::Debug for SharedResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedResources")
            .field("block_cache_bytes", &self.block_cache_bytes())
            .field("memtable_bytes", &self.memtable_bytes())
            .field("background_threads", &self.background_threads)
            .finish_non_exhaustive()
    }
}
