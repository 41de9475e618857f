//! Metrics: their names, what they mean, and the handles that the runtime writes to. Who collects them is the program's choice, made by
//! installing a recorder of the crate `metrics`; without one they cost next to nothing.
//!
//! Nothing here is written per record: counts are taken over when a transaction has committed, the rest some times a second or less.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use highwater_state::{SharedResources, Usage};
use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};

use crate::record::{TaskId, Timestamp};
use crate::runtime::{ApplicationStatus, TaskPhase, TaskStatus};

/// What a metric does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is a distribution.
    Histogram,
}

/// A metric's name and meaning.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub about: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal $kind:ident [$($label:literal),*] $about:literal;)*) => {
        $(
            #[doc = $about]
            pub const $constant: &str = $name;
        )*

        /// All metrics.
        pub const ALL: &[Metric] =
            &[$(Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], about: $about }),*];
    };
}

metrics! {
    RECORDS = "highwater_records_total" Counter ["application", "topic", "outcome", "reason"] "Input records whose transaction has committed, by what became of them.";
    RECORDS_OUT = "highwater_records_out_total" Counter ["application", "topic"] "Records written whose transaction has committed.";
    COMMITS = "highwater_commits_total" Counter ["application"] "Commits.";
    COMMIT_SECONDS = "highwater_commit_duration_seconds" Histogram ["application"] "How long a commit took, from its decision to the store's last write.";
    ABORTS = "highwater_aborts_total" Counter ["application", "cause"] "Times that a thread dropped what it had not committed and went back, by the kind of error.";
    RECOVERIES = "highwater_recoveries_total" Counter ["application"] "Failures of stream threads.";
    REBALANCES = "highwater_rebalances_total" Counter ["application", "kind"] "Decisions of the group about this process: assigned, revoked, lost.";
    TASKS = "highwater_tasks" Gauge ["application", "phase"] "Tasks of this process: running, restoring, waiting (for a schema or another dependency).";
    FRESHNESS_SECONDS = "highwater_freshness_seconds" Gauge ["application", "topic"] "How far stream time of the tasks that write a topic is behind the clock, of the task that is furthest behind.";
    LAG_RECORDS = "highwater_consumer_lag_records" Gauge ["application", "topic", "partition"] "Records between the position and the log's end, of this process's tasks.";
    LAG_SECONDS = "highwater_consumer_lag_seconds" Gauge ["application", "topic", "partition"] "How far stream time is behind the clock while there is a lag; 0 without.";
    RESTORE_REMAINING = "highwater_restore_remaining_records" Gauge ["application", "task"] "Changelog records still to read before a task can run.";
    STORE_BYTES = "highwater_store_disk_bytes" Gauge ["application", "task"] "Files of a task's stores.";
    STORE_KEYS = "highwater_store_keys" Gauge ["application", "task"] "Entries of a task's stores, roughly.";
    MEMORY_BYTES = "highwater_memory_bytes" Gauge ["part"] "Memory of what the budget bounds: `block_cache`, `memtables`, `pinned_tables`, `overlays`, `recent_entries`, `record_queues`.";
    MEMORY_BUDGET_BYTES = "highwater_memory_budget_bytes" Gauge [] "The memory budget of the process.";
    RESIDENT_BYTES = "highwater_process_resident_bytes" Gauge [] "Memory that the process has in use.";
}

/// Tells the installed recorder what the metrics mean. Once, at start.
pub fn describe() {
    for metric in ALL {
        let unit = if metric.name.ends_with("_seconds") {
            Unit::Seconds
        } else if metric.name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        };
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.about),
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.about),
            Kind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.about),
        }
    }
}

/// What a process has and may have of memory.
pub fn report_process(budget_bytes: u64, resident_bytes: Option<u64>) {
    gauge!(MEMORY_BUDGET_BYTES).set(budget_bytes as f64);
    if let Some(resident) = resident_bytes {
        gauge!(RESIDENT_BYTES).set(resident as f64);
    }
}

/// What a task holds of memory and disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TaskFootprint {
    pub(crate) usage: Usage,
    pub(crate) overlay_bytes: usize,
    pub(crate) recent_bytes: usize,
    pub(crate) queued_bytes: usize,
}

/// Handles of one application.
pub(crate) struct ApplicationMetrics {
    application: Arc<str>,
    commit_seconds: Histogram,
    commits: Counter,
    recoveries: Counter,
    footprints: Mutex<BTreeMap<TaskId, TaskFootprint>>,
    /// Gauges of tasks and partitions that are here now, so that they are taken back when these leave.
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    restoring: BTreeMap<TaskId, Gauge>,
    stores: BTreeMap<TaskId, (Gauge, Gauge)>,
    lags: BTreeMap<(String, i32), (Gauge, Gauge)>,
    freshness: BTreeMap<String, Gauge>,
}

impl std::fmt::Debug for ApplicationMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApplicationMetrics").field("application", &self.application).finish_non_exhaustive()
    }
}

impl ApplicationMetrics {
    pub(crate) fn new(application: &Arc<str>) -> Self {
        let application = Arc::clone(application);
        let label = || Arc::clone(&application);
        Self {
            commit_seconds: histogram!(COMMIT_SECONDS, "application" => label()),
            commits: counter!(COMMITS, "application" => label()),
            recoveries: counter!(RECOVERIES, "application" => label()),
            footprints: Mutex::default(),
            shown: Mutex::default(),
            application,
        }
    }

    fn label(&self) -> Arc<str> {
        Arc::clone(&self.application)
    }

    pub(crate) fn committed(&self, took: Duration) {
        self.commit_seconds.record(took.as_secs_f64());
    }

    pub(crate) fn rebalanced(&self, kind: &'static str) {
        counter!(REBALANCES, "application" => self.label(), "kind" => kind).increment(1);
    }

    pub(crate) fn aborted(&self, cause: &'static str) {
        counter!(ABORTS, "application" => self.label(), "cause" => cause).increment(1);
    }

    /// Notes what a task holds; forgotten when the task is no longer in the status.
    pub(crate) fn holds(&self, task: &TaskId, footprint: TaskFootprint) {
        self.footprints.lock().unwrap_or_else(PoisonError::into_inner).insert(task.clone(), footprint);
    }

    /// Takes over what the status says. `writes` names the topics that a sub-topology writes.
    pub(crate) fn publish(&self, status: &ApplicationStatus, writes: impl Fn(&str) -> Vec<String>, now: Timestamp) {
        self.commits.absolute(status.commits);
        self.recoveries.absolute(status.recoveries);
        for ((topic, outcome, reason), count) in &status.outcomes {
            counter!(RECORDS, "application" => self.label(), "topic" => topic.clone(), "outcome" => *outcome, "reason" => *reason)
                .absolute(*count);
        }
        for (topic, count) in &status.records_in {
            counter!(RECORDS, "application" => self.label(), "topic" => topic.clone(), "outcome" => "in", "reason" => "")
                .absolute(*count);
        }
        for (topic, count) in &status.records_out {
            counter!(RECORDS_OUT, "application" => self.label(), "topic" => topic.clone()).absolute(*count);
        }
        self.publish_tasks(&status.tasks);
        self.publish_freshness(&status.tasks, writes, now);
        self.publish_footprints(&status.tasks);
    }

    fn publish_tasks(&self, tasks: &BTreeMap<TaskId, TaskStatus>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut running, mut restoring, mut waiting) = (0_u32, 0_u32, 0_u32);
        shown.restoring.values().for_each(|gauge| gauge.set(0.0));
        for (id, task) in tasks {
            match task.phase {
                TaskPhase::Restoring { remaining } => {
                    restoring += 1;
                    let gauge = || gauge!(RESTORE_REMAINING, "application" => self.label(), "task" => id.to_string());
                    shown.restoring.entry(id.clone()).or_insert_with(gauge).set(remaining.max(0) as f64);
                }
                TaskPhase::Running if task.waits_for.is_some() => waiting += 1,
                TaskPhase::Running => running += 1,
            }
        }
        for (phase, count) in [("running", running), ("restoring", restoring), ("waiting", waiting)] {
            gauge!(TASKS, "application" => self.label(), "phase" => phase).set(count);
        }
    }

    fn publish_freshness(&self, tasks: &BTreeMap<TaskId, TaskStatus>, writes: impl Fn(&str) -> Vec<String>, now: Timestamp) {
        let mut behind: BTreeMap<String, f64> = BTreeMap::new();
        for (id, task) in tasks {
            let Some(time) = task.stream_time else { continue };
            let seconds = seconds_between(time, now);
            for topic in writes(&id.subtopology) {
                behind.entry(topic).and_modify(|most| *most = most.max(seconds)).or_insert(seconds);
            }
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.freshness.iter().filter(|(topic, _)| !behind.contains_key(*topic)).for_each(|(_, gauge)| gauge.set(0.0));
        for (topic, seconds) in behind {
            let gauge = || gauge!(FRESHNESS_SECONDS, "application" => self.label(), "topic" => topic.clone());
            shown.freshness.entry(topic.clone()).or_insert_with(gauge).set(seconds);
        }
    }

    fn publish_footprints(&self, tasks: &BTreeMap<TaskId, TaskStatus>) {
        let mut footprints = self.footprints.lock().unwrap_or_else(PoisonError::into_inner);
        footprints.retain(|task, _| tasks.contains_key(task));
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (disk, keys) in shown.stores.values() {
            disk.set(0.0);
            keys.set(0.0);
        }
        for (task, footprint) in &*footprints {
            let labelled = |name: &'static str| gauge!(name, "application" => self.label(), "task" => task.to_string());
            let (disk, keys) = shown.stores.entry(task.clone()).or_insert_with(|| (labelled(STORE_BYTES), labelled(STORE_KEYS)));
            disk.set(footprint.usage.disk_bytes as f64);
            keys.set(footprint.usage.estimated_keys as f64);
        }
    }

    /// What all tasks of the application hold together: pinned tables, overlays, recent entries, record queues.
    pub(crate) fn held_bytes(&self) -> [u64; 4] {
        let footprints = self.footprints.lock().unwrap_or_else(PoisonError::into_inner);
        footprints.values().fold([0; 4], |[tables, overlays, recent, queues], held| {
            [
                tables + held.usage.table_reader_bytes,
                overlays + held.overlay_bytes as u64,
                recent + held.recent_bytes as u64,
                queues + held.queued_bytes as u64,
            ]
        })
    }

    /// Shows the lag of each input partition: topic, partition, records, stream time of its task. Others are at 0 from now on.
    pub(crate) fn publish_lags(&self, lags: &[(String, i32, i64, Option<Timestamp>)], now: Timestamp) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (records, seconds) in shown.lags.values() {
            records.set(0.0);
            seconds.set(0.0);
        }
        for (topic, partition, lag, stream_time) in lags {
            let labelled = |name: &'static str| gauge!(name, "application" => self.label(), "topic" => topic.clone(), "partition" => partition.to_string());
            let handles = || (labelled(LAG_RECORDS), labelled(LAG_SECONDS));
            let (records, seconds) = shown.lags.entry((topic.clone(), *partition)).or_insert_with(handles);
            records.set(*lag as f64);
            seconds.set(stream_time.filter(|_| *lag > 0).map_or(0.0, |time| seconds_between(time, now)));
        }
    }
}

fn seconds_between(earlier: Timestamp, later: Timestamp) -> f64 {
    later.as_millis().saturating_sub(earlier.as_millis()).max(0) as f64 / 1000.0
}

/// Memory of the process's parts, over all its applications.
#[derive(Debug, Default)]
pub(crate) struct ProcessMemory(Mutex<BTreeMap<Arc<str>, [u64; 4]>>);

impl ProcessMemory {
    /// The one of this process.
    pub(crate) fn get() -> &'static Self {
        static ONE: ProcessMemory = ProcessMemory(Mutex::new(BTreeMap::new()));
        &ONE
    }

    /// Takes over what one application holds, and shows the sum of all.
    pub(crate) fn publish(&self, metrics: &ApplicationMetrics, resources: &SharedResources) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(metrics.label(), metrics.held_bytes());
        let sum = held.values().fold([0; 4], |sum: [u64; 4], one| std::array::from_fn(|part| sum[part] + one[part]));
        let parts = ["pinned_tables", "overlays", "recent_entries", "record_queues"];
        for (part, bytes) in parts.into_iter().zip(sum) {
            gauge!(MEMORY_BYTES, "part" => part).set(bytes as f64);
        }
        gauge!(MEMORY_BYTES, "part" => "block_cache").set(resources.block_cache_bytes() as f64);
        gauge!(MEMORY_BYTES, "part" => "memtables").set(resources.memtable_bytes() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_one_scheme_and_say_their_unit() {
        for metric in ALL {
            assert!(metric.name.starts_with("highwater_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.about.ends_with('.'), "{}", metric.name);
        }
    }
}
