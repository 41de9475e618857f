//! Brings tasks' state up to their changelogs, off the processing path: one restorer thread for each stream thread, for all of its tasks at once.
//!
//! The order is part of the guarantee: the group's stable positions are read *before* the changelog's end (the stream thread
//! does that before it asks), the end is the log's end, open transactions included, and the restore reads committed records
//! until its position, markers included, reaches that end. A restore that stopped at the last stable offset could miss a
//! transaction whose positions are visible already.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use highwater_state::{LogPosition, StoreId, TaskState};

use super::Shared;
use super::ownership::Claim;
use crate::error::Error;
use crate::record::TaskId;

mod opening;
mod plan;
mod restoration;
mod side_by_side;

pub(crate) use opening::task_dir;

use side_by_side::SideBySide;

/// A task to restore.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) task: TaskId,
    /// Tells the answer to this request from that to an older one for the same task.
    pub(crate) number: u64,
    pub(crate) cancelled: Arc<AtomicBool>,
    /// Records still to read, at most; the restorer keeps it.
    pub(crate) remaining: Arc<AtomicI64>,
}

impl Request {
    pub(crate) fn new(task: TaskId, number: u64) -> Self {
        Self { task, number, cancelled: Arc::default(), remaining: Arc::default() }
    }

    fn answer(self, result: Result<(TaskState, Claim), Error>) -> Restored {
        let told = |error: Error| error.of_task(&self.task).context(format_args!("restoring task {}", self.task));
        Restored { result: result.map_err(told), number: self.number, task: self.task }
    }
}

/// A task whose state is complete, or why it is not.
pub(crate) struct Restored {
    pub(crate) task: TaskId,
    pub(crate) number: u64,
    pub(crate) result: Result<(TaskState, Claim), Error>,
}

/// A restorer thread. Dropping it stops the thread and waits until it has let go of what it had open.
#[derive(Debug)]
pub(crate) struct Restorer {
    requests: Option<Sender<Request>>,
    done: Receiver<Restored>,
    closed: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Restorer {
    /// Starts one for stream thread `thread`.
    pub(crate) fn spawn(shared: &Arc<Shared>, thread: usize) -> Result<Self, Error> {
        let (requests, to_do) = channel();
        let (finished, done) = channel();
        let shared = Arc::clone(shared);
        let closed = Arc::new(AtomicBool::new(false));
        let is_closed = Arc::clone(&closed);
        let work = move || run(&shared, thread, &is_closed, &to_do, &finished);
        let spawned = std::thread::Builder::new().name(format!("restore-{thread}")).spawn(work);
        let thread = spawned.map_err(|error| Error::internal("a thread cannot be started").caused_by(error))?;
        Ok(Self { requests: Some(requests), done, closed, thread: Some(thread) })
    }

    pub(crate) fn request(&self, request: Request) {
        // A restorer that is gone has told why in its last answer, or its stream thread is ending.
        let _ = self.requests.as_ref().map(|requests| requests.send(request));
    }

    /// The next task that is done, if there is one.
    pub(crate) fn poll(&self) -> Option<Restored> {
        self.done.try_recv().ok()
    }
}

impl Drop for Restorer {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        self.requests = None;
        // What it finished and nobody took is dropped with the channel, and closed by that.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Ends when the stream thread drops its end.
fn run(shared: &Arc<Shared>, thread: usize, closed: &AtomicBool, requests: &Receiver<Request>, done: &Sender<Restored>) {
    let mut work = SideBySide::new(shared, thread, closed);
    loop {
        if work.is_idle() {
            let Ok(request) = requests.recv() else { return };
            work.add(request);
        }
        loop {
            match requests.try_recv() {
                Ok(request) => work.add(request),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        if closed.load(Ordering::Relaxed) {
            return;
        }
        for restored in work.turn() {
            if done.send(restored).is_err() {
                return;
            }
        }
    }
}

/// Positions to write with a commit's state: what the changelogs acknowledged.
pub(crate) fn acknowledged(
    shared: &Shared,
    changelogs: &[Arc<str>],
    partition: i32,
    acknowledged: impl Fn(&Arc<str>, i32) -> Option<i64>,
) -> Vec<(StoreId, LogPosition)> {
    let position = |(index, topic): (usize, &Arc<str>)| {
        let next = acknowledged(topic, partition)?;
        Some((StoreId(index as u16), LogPosition { log_id: shared.prepared.log_ids[&**topic], next }))
    };
    changelogs.iter().enumerate().filter_map(position).collect()
}
