//! Brings a task's state up to its changelogs, off the processing path: one restorer thread for each stream thread.
//!
//! The order is part of the guarantee: the group's stable positions are read *before* the changelog's end (the stream thread
//! does that before it asks), the end is the log's end, open transactions included, and the restore reads committed records
//! until its position, markers included, reaches that end. A restore that stopped at the last stable offset could miss a
//! transaction whose positions are visible already.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use highwater_state::{LogPosition, OpenError, OpenOptions, StoreId, TaskState};

use super::Shared;
use super::ownership::{Claim, Ownership};
use crate::error::{Error, ErrorKind};
use crate::kafka::{Batch, Isolation, Reader, ReaderSettings};
use crate::record::{TaskId, TopicPartition, millis};
use crate::task::changelog_topics;
use crate::topology::store_specs;

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
}

/// A task whose state is complete, or why it is not.
pub(crate) struct Restored {
    pub(crate) task: TaskId,
    pub(crate) number: u64,
    pub(crate) result: Result<(TaskState, Claim), Error>,
}

/// How long state that is open elsewhere is waited for: another thread, or the process before this one, may be closing it.
const LOCKED_PATIENCE: Duration = Duration::from_secs(10);
const LOCKED_PAUSE: Duration = Duration::from_millis(50);
/// How long another thread's claim is waited for before looking whether the task is still wanted.
const CLAIM_PATIENCE: Duration = Duration::from_millis(100);

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
    // One client for all restores, since connecting costs more than most changelog tails; one that failed is not used again.
    let mut reader = None;
    while let Ok(request) = requests.recv() {
        if closed.load(Ordering::Relaxed) {
            return;
        }
        let work = Work { shared, thread, closed, request: &request };
        let told = |error: Error| error.of_task(&request.task).context(format_args!("restoring task {}", request.task));
        let result = restore(&work, &mut reader).map_err(told);
        if result.is_err() {
            reader = None;
        }
        if done.send(Restored { task: request.task, number: request.number, result }).is_err() {
            return;
        }
    }
}

/// One restore, and who may call it off.
struct Work<'a> {
    shared: &'a Arc<Shared>,
    thread: usize,
    closed: &'a AtomicBool,
    request: &'a Request,
}

impl Work<'_> {
    fn check_wanted(&self) -> Result<(), Error> {
        let gone = self.request.cancelled.load(Ordering::Relaxed) || self.closed.load(Ordering::Relaxed);
        if gone || self.shared.control.is_stopping() {
            return Err(Error::new(ErrorKind::Closed, "no longer wanted"));
        }
        Ok(())
    }
}

fn restore(work: &Work<'_>, reader: &mut Option<Box<dyn Reader>>) -> Result<(TaskState, Claim), Error> {
    let Work { shared, request, .. } = work;
    let claim = claim_when_free(work)?;
    let dir = task_dir(shared, &request.task);
    let mut state = open_when_unlocked(work, &dir)?;
    work.check_wanted()?;
    let reader = match reader {
        Some(reader) => reader,
        None => reader.insert(connect(work)?),
    };
    let topics = changelog_topics(&shared.topology, &request.task.subtopology, &shared.prepared.application);
    let mut plans = Vec::new();
    for (index, topic) in topics.into_iter().enumerate() {
        let log = TopicPartition::new(topic, request.task.partition);
        work.check_wanted()?;
        let (start, end) = reader.watermarks(&log, Isolation::ReadUncommitted, shared.settings.request_timeout)?;
        let log_id = shared.prepared.log_ids[&*log.topic];
        plans.push(Plan { store: StoreId(index as u16), log, log_id, start, end });
    }
    if plans.iter().any(|plan| plan.contradicts(&state)) {
        tracing::warn!(task = %request.task, "local state does not belong to its changelog any more; rebuilding it");
        state.close()?;
        TaskState::destroy(&dir)?;
        state = open_when_unlocked(work, &dir)?;
    }
    let remaining = plans.iter().map(|plan| plan.end - plan.from(&state)).sum::<i64>();
    request.remaining.store(remaining, Ordering::Relaxed);
    for plan in &plans {
        replay(work, &mut **reader, &mut state, plan)?;
        adopt(work, &mut state, plan)?;
    }
    Ok((state, claim))
}

fn connect(work: &Work<'_>) -> Result<Box<dyn Reader>, Error> {
    let Work { shared, thread, .. } = work;
    let reader = shared.kafka.reader(&ReaderSettings {
        client_id: format!("{}-restore-{thread}", shared.prepared.application),
        queue_max_bytes: shared.settings.limits.consumer_queue_bytes,
        isolation: Isolation::ReadCommitted,
    })?;
    Ok(reader)
}

/// Waits until no other thread of this process has the task open.
fn claim_when_free(work: &Work<'_>) -> Result<Claim, Error> {
    let Work { shared, request, .. } = work;
    let patience = shared.settings.request_timeout;
    let until = shared.clock.now().plus(patience);
    loop {
        work.check_wanted()?;
        if let Some(claim) = Ownership::claim(shared, &request.task, CLAIM_PATIENCE) {
            return Ok(claim);
        }
        if shared.clock.now() >= until {
            let message = format!("another thread did not close task {} within {patience:?}", request.task);
            return Err(Error::new(ErrorKind::Migrated, message));
        }
    }
}

/// State that has followed an empty log is bound to that log all the same: were it made anew, the state would be another's.
fn adopt(work: &Work<'_>, state: &mut TaskState, plan: &Plan) -> Result<(), Error> {
    if state.position(plan.store).is_none() {
        let now_ms = work.shared.clock.now().as_millis();
        state.restore(plan.store, &mut std::iter::empty(), plan.end, plan.log_id, now_ms)?;
    }
    Ok(())
}

/// What to read for one store.
#[derive(Debug)]
struct Plan {
    store: StoreId,
    log: TopicPartition,
    log_id: [u8; 16],
    start: i64,
    end: i64,
}

impl Plan {
    /// Whether the stored position is of another log, before its start, or behind its end.
    fn contradicts(&self, state: &TaskState) -> bool {
        state
            .position(self.store)
            .is_some_and(|stored| stored.log_id != self.log_id || stored.next < self.start || stored.next > self.end)
    }

    fn from(&self, state: &TaskState) -> i64 {
        state.position(self.store).map_or(self.start, |stored| stored.next).max(self.start)
    }
}

fn replay(work: &Work<'_>, reader: &mut dyn Reader, state: &mut TaskState, plan: &Plan) -> Result<(), Error> {
    const BATCH_RECORDS: usize = 10_000;
    let shared = work.shared;
    let mut next = plan.from(state);
    if next >= plan.end {
        return Ok(());
    }
    reader.assign(&[(plan.log.clone(), next)])?;
    let slot = reader.slot(&plan.log);
    let mut batch = Batch::default();
    let patience = millis(shared.settings.transaction_timeout + shared.settings.request_timeout);
    let mut progress_at = shared.clock.now();
    while next < plan.end {
        work.check_wanted()?;
        batch.clear();
        reader.poll(&mut batch, BATCH_RECORDS, Duration::from_millis(100))?;
        let now = shared.clock.now();
        let reached = batch.ends.iter().filter(|(of, _)| *of == slot).map(|(_, end)| *end).max();
        let records = batch.records.iter().filter(|record| record.slot == slot);
        let after = records.clone().map(|record| record.offset + 1).chain(reached).max().unwrap_or(next).max(next);
        if after > next {
            let mut entries = records.map(|record| (record.key().unwrap_or_default(), record.value(), record.offset));
            state.restore(plan.store, &mut entries, after, plan.log_id, now.as_millis())?;
            work.request.remaining.fetch_sub(after - next, Ordering::Relaxed);
            next = after;
            progress_at = now;
        } else if now.as_millis() - progress_at.as_millis() > patience {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("changelog {} stands still at {next} before {}", plan.log, plan.end),
            ));
        }
    }
    Ok(())
}

/// `<state_dir>/<application>/<task>`.
pub(crate) fn task_dir(shared: &Shared, task: &TaskId) -> PathBuf {
    shared.settings.state_dir.join(&*shared.prepared.application).join(task.to_string())
}

/// Opens a task's state; one that is open elsewhere may be about to close.
fn open_when_unlocked(work: &Work<'_>, dir: &std::path::Path) -> Result<TaskState, Error> {
    let Work { shared, request, .. } = work;
    let until = shared.clock.now().plus(LOCKED_PATIENCE);
    loop {
        match open(shared, &request.task, dir) {
            Err(OpenError::Locked) if shared.clock.now() < until => {
                work.check_wanted()?;
                shared.clock.sleep(LOCKED_PAUSE);
            }
            result => return result.map_err(|error| open_error(&request.task, dir, &error)),
        }
    }
}

/// Opens a task's state; what is stale, of another format or corrupt is wiped, to be restored from the changelog.
fn open(shared: &Shared, task: &TaskId, dir: &std::path::Path) -> Result<TaskState, OpenError> {
    let part = shared.topology.subtopology(&task.subtopology).expect("a task belongs to a part");
    let specs = store_specs(&shared.topology.0, part);
    let limits = &shared.settings.limits;
    let options = OpenOptions {
        max_age_ms: millis(shared.settings.state_max_age),
        dedup_front_bytes: limits.dedup_front_bytes,
        clean_cache_bytes: limits.clean_cache_bytes,
        ..OpenOptions::at(shared.clock.now().as_millis())
    };
    let first = TaskState::open(dir, &specs, &shared.resources, &options);
    let reason = match first {
        Ok(state) => return Ok(state),
        Err(error) if error.is_cured_by_rebuild() => error,
        Err(error) => return Err(error),
    };
    tracing::warn!(%task, %reason, "local state cannot be used; rebuilding it from the changelog");
    TaskState::destroy(dir)?;
    TaskState::open(dir, &specs, &shared.resources, &options)
}

fn open_error(task: &TaskId, dir: &std::path::Path, error: &OpenError) -> Error {
    Error::config(format!(
        "state of task {task} in {} cannot be opened: {error}; is another process using the state directory, or is it unwritable?",
        dir.display()
    ))
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
