//! How a task's database and its families are laid out, and why. Nothing here opens or writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rocksdb::compaction_filter::Decision;
use rocksdb::{BlockBasedOptions, DBCompressionType, DataBlockIndexType, LogLevel, Options, WriteOptions};

use super::SharedResources;
use crate::backend::{FamilyRole, FamilySpec};
use crate::error::OpenError;
use crate::layout::dedup::decode_hour;

const BLOOM_BITS_PER_KEY: f64 = 10.0;
const BLOCK_BYTES: usize = 8 << 10;
const FORMAT_VERSION: i32 = 6;
/// Small arenas, since there are many families and most hold little between two flushes.
const ARENA_BLOCK_BYTES: usize = 64 << 10;
const STORE_WRITE_BUFFER_BYTES: usize = 16 << 20;
const INTERNAL_WRITE_BUFFER_BYTES: usize = 2 << 20;
const MAX_WRITE_BUFFERS: i32 = 4;
const TARGET_FILE_BYTES: u64 = 32 << 20;
const LEVEL_BASE_BYTES: u64 = 64 << 20;
const INFO_LOG_BYTES: usize = 1 << 20;
const INFO_LOG_FILES: usize = 2;
const MANIFEST_BYTES: usize = 4 << 20;
const FILE_OPENING_THREADS: i32 = 4;
const DATA_BLOCK_HASH_RATIO: f64 = 0.75;
/// The part of a memtable that a filter over its keys may take.
const MEMTABLE_FILTER_RATIO: f64 = 0.05;

/// What holds for the whole database.
pub(super) fn database_options(shared: &SharedResources) -> Result<Options, OpenError> {
    // Only the text form has this one. A state that is dropped without `close` leaves what was flushed, as a crash does; there is
    // one recovery, and it is always exercised.
    let mut options = Options::default()
        .get_options_from_string("avoid_flush_during_shutdown=true")
        .map_err(|error| OpenError::Io(error.to_string()))?;
    options.set_env(&shared.env);
    options.set_write_buffer_manager(&shared.write_buffers);
    options.set_max_background_jobs(shared.background_threads as i32 + 1);
    // IMPORTANT: without a write-ahead log, only this keeps the data of all families and the positions in the metadata at one
    // point.
    options.set_atomic_flush(true);
    options.set_paranoid_checks(true);
    // Every file stays open, so its filter and index stay in memory and a damaged file shows when the state is opened.
    options.set_max_open_files(-1);
    options.set_max_file_opening_threads(FILE_OPENING_THREADS);
    options.set_keep_log_file_num(INFO_LOG_FILES);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_max_manifest_file_size(MANIFEST_BYTES);
    options.set_manifest_preallocation_size(64 << 10);
    Ok(options)
}

/// What holds for one family.
pub(super) fn family_options(spec: &FamilySpec, horizon: &Arc<AtomicI64>, shared: &SharedResources) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(&table_options(spec.role, shared));
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_arena_block_size(ARENA_BLOCK_BYTES);
    options.set_write_buffer_size(write_buffer_bytes(spec.role));
    options.set_max_write_buffer_number(MAX_WRITE_BUFFERS);
    options.set_target_file_size_base(TARGET_FILE_BYTES);
    options.set_max_bytes_for_level_base(LEVEL_BASE_BYTES);
    if spec.role.is_read_by_point() {
        // A miss, such as a new identity or a new visitor, is then settled without a search in every memtable.
        options.set_memtable_prefix_bloom_ratio(MEMTABLE_FILTER_RATIO);
        options.set_memtable_whole_key_filtering(true);
    }
    if let FamilyRole::Dedup { memory_hours } = spec.role {
        forget_expired(&mut options, memory_hours, horizon);
    }
    options
}

/// Writes skip the write-ahead log.
pub(super) fn write_options() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

fn table_options(role: FamilyRole, shared: &SharedResources) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&shared.cache);
    table.set_block_size(BLOCK_BYTES);
    table.set_format_version(FORMAT_VERSION);
    // IMPORTANT: filters and indexes lie in table memory, beside the block cache. Where they compete with blocks for it, a miss
    // costs a read of a filter: some sixty times as much.
    table.set_cache_index_and_filter_blocks(false);
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    table.set_whole_key_filtering(true);
    table.set_optimize_filters_for_memory(true);
    if role.is_read_by_point() {
        table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
        table.set_data_block_hash_ratio(DATA_BLOCK_HASH_RATIO);
    }
    table
}

fn write_buffer_bytes(role: FamilyRole) -> usize {
    match role {
        FamilyRole::KeyValue | FamilyRole::Window | FamilyRole::Session | FamilyRole::Dedup { .. } => STORE_WRITE_BUFFER_BYTES,
        FamilyRole::Expiry | FamilyRole::Metadata => INTERNAL_WRITE_BUFFER_BYTES,
    }
}

/// Expired identities leave while their files are compacted, and no file waits for that longer than identities are remembered.
fn forget_expired(options: &mut Options, memory_hours: u32, horizon: &Arc<AtomicI64>) {
    let horizon = Arc::clone(horizon);
    options.set_compaction_filter("highwater.dedup.horizon", move |_level, _key, value| {
        let is_expired = decode_hour(value).is_some_and(|kept| kept < horizon.load(Ordering::Relaxed));
        if is_expired { Decision::Remove } else { Decision::Keep }
    });
    options.set_periodic_compaction_seconds(u64::from(memory_hours.max(1)) * 3600);
}
