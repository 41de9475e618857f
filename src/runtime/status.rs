//! What an application's threads and tasks are doing, for health checks and people. Written once per turn, read any time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::{TaskId, Timestamp};

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskPhase {
    /// Reads its changelog.
    Restoring {
        /// Records still to read, at most.
        remaining: i64,
    },
    /// Processes records.
    Running,
}

/// A task as of the last turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStatus {
    /// What it is doing.
    pub phase: TaskPhase,
    /// The thread that owns it.
    pub thread: usize,
    /// Its stream time, if it has seen a record.
    pub stream_time: Option<Timestamp>,
    /// Its inputs: topic, next offset to process, end of the partition as last reported.
    pub inputs: Vec<(String, i64, Option<i64>)>,
    /// What its next record waits for, such as a schema registry that does not answer.
    pub waits_for: Option<String>,
}

/// An application as of the last turn of each thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationStatus {
    /// `<application_id>-<topology>`.
    pub application: String,
    /// Tasks owned by this process.
    pub tasks: BTreeMap<TaskId, TaskStatus>,
    /// The last turn of each thread's loop.
    pub turns: BTreeMap<usize, Timestamp>,
    /// How many threads it has.
    pub threads: usize,
    /// Threads that have joined the group and were told what is theirs.
    pub threads_joined: BTreeSet<usize>,
    /// Records read so far, by topic.
    pub records_in: BTreeMap<String, u64>,
    /// Records by topic, outcome and reason.
    pub outcomes: BTreeMap<(String, &'static str, &'static str), u64>,
    /// Records written so far, by topic.
    pub records_out: BTreeMap<String, u64>,
    /// Commits so far.
    pub commits: u64,
    /// Transactions given up so far.
    pub aborts: u64,
    /// Recoveries so far: errors after which a thread went back to what is committed.
    pub recoveries: u64,
}

impl ApplicationStatus {
    /// Whether every thread knows its work and every task has its state.
    pub fn is_ready(&self) -> bool {
        self.threads > 0
            && self.threads_joined.len() == self.threads
            && self.tasks.values().all(|task| task.phase == TaskPhase::Running)
    }
}

/// Where threads write and others read.
#[derive(Debug)]
pub(crate) struct StatusBoard(Mutex<ApplicationStatus>);

impl StatusBoard {
    pub(crate) fn new(application: &str, threads: usize) -> Self {
        Self(Mutex::new(ApplicationStatus { application: application.to_owned(), threads, ..ApplicationStatus::default() }))
    }

    /// A thread has lost or left all that it had.
    pub(crate) fn forget_thread(&self, thread: usize) {
        let mut status = self.write();
        status.tasks.retain(|_, task| task.thread != thread);
        status.threads_joined.remove(&thread);
    }

    pub(crate) fn read(&self) -> ApplicationStatus {
        self.write().clone()
    }

    pub(crate) fn write(&self) -> MutexGuard<'_, ApplicationStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
