//! What an application can be told: plain data. Clocks, clusters and other components are handed over, not configured.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use highwater_state::{ResourceLimits, SharedResources};

use crate::topology::Topology;

/// What is promised about each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessingGuarantee {
    /// Outputs, state and positions commit together: no record is lost or counted twice.
    ExactlyOnce,
    /// No record is lost; after a fault some count twice.
    AtLeastOnce,
}

/// Settings of an application.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first part of all names.
    pub application_id: String,
    /// Names this process among those that share the work; stable across restarts.
    pub instance_id: String,
    /// Where task state lives: `<state_dir>/<application>/<task>/`.
    pub state_dir: PathBuf,
    /// How many stream threads.
    pub threads: usize,
    /// What is promised about each record.
    pub guarantee: ProcessingGuarantee,
    /// How often to commit.
    pub commit_interval: Duration,
    /// Partitions of internal topics whose author gave no count.
    pub internal_partitions: i32,
    /// Copies of each internal topic's partitions; -1 is the broker's default.
    pub replication_factor: i32,
    /// The epoch of row versions: raised by each reset.
    pub epoch: i64,
    /// What to tell an operator who lacks a topic.
    pub create_topics_hint: String,
    /// How long a member may be silent before its work moves.
    pub session_timeout: Duration,
    /// How long the broker lets a silent transaction live; bounds what others wait for after a crash.
    pub transaction_timeout: Duration,
    /// How long one call to the cluster may take.
    pub request_timeout: Duration,
    /// How long a dependency may stay away before a thread gives up.
    pub give_up_after: Duration,
    /// Inputs that are caught up and silent for so long let the wall clock close what is due.
    pub idle_after: Duration,
    /// How long a task with several inputs waits for the silent one after it was read to its end.
    pub task_idle: Duration,
    /// State that was not confirmed for so long is rebuilt: deleted keys could come back to life.
    pub state_max_age: Duration,
    /// Bounds in bytes and records.
    pub limits: Limits,
}

/// Bounds, each in bytes or records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// RocksDB's block cache, shared by all tasks of the process.
    pub block_cache_bytes: usize,
    /// RocksDB's memtables, all together.
    pub memtable_bytes: usize,
    /// Dedup front tables, for each task.
    pub dedup_front_bytes: usize,
    /// Recently used entries kept in memory, for each task.
    pub clean_cache_bytes: usize,
    /// What a thread gathers before it commits early.
    pub transaction_bytes: usize,
    /// Records that wait for their turn, for each input partition.
    pub queue_bytes: usize,
    /// The client's prefetch queue, for each thread.
    pub consumer_queue_bytes: usize,
    /// The client's send queue, for each thread.
    pub producer_queue_bytes: usize,
    /// Records taken by one poll.
    pub poll_records: usize,
    /// The largest record that the client sends; a topic may take less.
    pub record_bytes: usize,
}

impl Settings {
    /// Settings with defaults for an application of this id whose state lives in `state_dir`.
    pub fn new(application_id: impl Into<String>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            application_id: application_id.into(),
            instance_id: "0".to_owned(),
            state_dir: state_dir.into(),
            threads: 1,
            guarantee: ProcessingGuarantee::ExactlyOnce,
            commit_interval: Duration::from_millis(200),
            internal_partitions: 1,
            replication_factor: -1,
            epoch: 0,
            create_topics_hint: "create it".to_owned(),
            session_timeout: Duration::from_secs(30),
            transaction_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            give_up_after: Duration::from_mins(5),
            idle_after: Duration::from_mins(1),
            task_idle: Duration::ZERO,
            state_max_age: Duration::from_hours(20),
            limits: Limits::default(),
        }
    }

    /// `<application_id>-<topology>`: the consumer group and the first part of all internal names.
    pub fn application(&self, topology: &Topology) -> Arc<str> {
        Arc::from(format!("{}-{}", self.application_id, topology.name()))
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            block_cache_bytes: 128 * MIB,
            memtable_bytes: 128 * MIB,
            dedup_front_bytes: 32 * MIB,
            clean_cache_bytes: 16 * MIB,
            transaction_bytes: 64 * MIB,
            queue_bytes: 4 * MIB,
            consumer_queue_bytes: 32 * MIB,
            producer_queue_bytes: 64 * MIB,
            poll_records: 4096,
            record_bytes: 2_000_000,
        }
    }
}

impl Limits {
    /// What all applications of a process may share: see [`KafkaStreams::with_resources`](super::KafkaStreams::with_resources).
    pub fn state_resources(&self) -> SharedResources {
        SharedResources::new(&ResourceLimits {
            block_cache_bytes: self.block_cache_bytes,
            memtable_bytes: self.memtable_bytes,
            background_threads: 2,
        })
    }
}
