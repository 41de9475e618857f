//! Who owns which task within this process: a task's store is open in one thread at a time.
//!
//! Between processes Kafka's group protocol decides; within one, a thread may be given a task before another has closed it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use std::collections::BTreeSet;

use crate::record::TaskId;

/// The tasks whose state is open.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    open: Mutex<BTreeSet<TaskId>>,
    closed: Condvar,
}

/// The right to have a task's state open. Given back on drop.
#[derive(Debug)]
pub(crate) struct Claim {
    task: TaskId,
    shared: std::sync::Arc<super::Shared>,
}

impl Ownership {
    /// Waits, at most `timeout`, until nobody has the task open, and claims it; `None` if it stayed open.
    pub(crate) fn claim(shared: &std::sync::Arc<super::Shared>, task: &TaskId, timeout: Duration) -> Option<Claim> {
        let ownership = &shared.ownership;
        let open = ownership.open.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = ownership.closed.wait_timeout_while(open, timeout, |open| open.contains(task));
        let (mut open, _) = taken.unwrap_or_else(PoisonError::into_inner);
        open.insert(task.clone()).then(|| Claim { task: task.clone(), shared: std::sync::Arc::clone(shared) })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let ownership = &self.shared.ownership;
        ownership.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.task);
        ownership.closed.notify_all();
    }
}
