//! Opens a task's state, once nobody else of this process or the one before has it open; what cannot be used is wiped. It reads no changelog.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use highwater_state::{OpenError, OpenOptions, TaskState};

use super::Request;
use crate::error::{Error, ErrorKind};
use crate::record::{TaskId, Timestamp, millis};
use crate::runtime::Shared;
use crate::runtime::ownership::{Claim, Ownership};
use crate::topology::store_specs;

/// How long state that is open elsewhere is waited for: another thread, or the process before this one, may be closing it.
const LOCKED_PATIENCE: Duration = Duration::from_secs(10);
const LOCKED_PAUSE: Duration = Duration::from_millis(50);

/// A task that is to be restored, and whose state may be open elsewhere still.
pub(super) struct Opening {
    pub(super) request: Request,
    claim: Option<Claim>,
    /// How long the present obstacle is waited for.
    until: Timestamp,
    /// Before this it is not tried again: each attempt leaves its traces in the folder.
    again_at: Timestamp,
}

impl Opening {
    pub(super) fn new(request: Request, shared: &Shared) -> Self {
        let now = shared.clock.now();
        Self { request, claim: None, until: now.plus(shared.settings.request_timeout), again_at: now }
    }

    /// Opens it, unless somebody else has it still. Waits at most so long for another thread to close it.
    pub(super) fn attempt(&mut self, shared: &Arc<Shared>, patience: Duration) -> Result<Option<(TaskState, Claim)>, Error> {
        let task = &self.request.task;
        if self.claim.is_none() {
            let Some(claim) = Ownership::claim(shared, task, patience) else {
                let waited = shared.settings.request_timeout;
                let message = format!("another thread did not close task {task} within {waited:?}");
                return self.wait_on(shared, Error::new(ErrorKind::Migrated, message));
            };
            self.claim = Some(claim);
            self.until = shared.clock.now().plus(LOCKED_PATIENCE);
        }
        if shared.clock.now() < self.again_at {
            return Ok(None);
        }
        let dir = task_dir(shared, task);
        match open(shared, task, &dir) {
            Ok(state) => Ok(self.claim.take().map(|claim| (state, claim))),
            Err(OpenError::Locked) => {
                let error = open_error(task, &dir, &OpenError::Locked);
                self.again_at = shared.clock.now().plus(LOCKED_PAUSE);
                self.wait_on(shared, error)
            }
            Err(error) => Err(open_error(task, &dir, &error)),
        }
    }

    /// Nothing yet, or an error if that has taken too long.
    fn wait_on<T>(&self, shared: &Shared, error: Error) -> Result<Option<T>, Error> {
        if shared.clock.now() < self.until { Ok(None) } else { Err(error) }
    }
}

/// `<state_dir>/<application>/<task>`.
pub(crate) fn task_dir(shared: &Shared, task: &TaskId) -> PathBuf {
    shared.settings.state_dir.join(&*shared.prepared.application).join(task.to_string())
}

/// State of a task whose own is of no use, empty.
pub(super) fn anew(shared: &Shared, task: &TaskId, useless: TaskState) -> Result<TaskState, Error> {
    let dir = task_dir(shared, task);
    useless.close()?;
    TaskState::destroy(&dir)?;
    open(shared, task, &dir).map_err(|error| open_error(task, &dir, &error))
}

/// Opens a task's state; what is stale, of another format or corrupt is wiped, to be restored from the changelog.
fn open(shared: &Shared, task: &TaskId, dir: &Path) -> Result<TaskState, OpenError> {
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

fn open_error(task: &TaskId, dir: &Path, error: &OpenError) -> Error {
    Error::config(format!(
        "state of task {task} in {} cannot be opened: {error}; is another process using the state directory, or is it unwritable?",
        dir.display()
    ))
}
