//! The tasks of one thread: those that restore, those that run, and which partition of the consumer feeds which.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::ownership::Claim;
use super::restore::Request;
use crate::kafka::{Batch, FetchedRecord, Slot};
use crate::metrics::TaskFootprint;
use crate::record::{TaskId, Timestamp, TopicPartition};
use crate::task::Task;
use crate::task::inputs::InputQueue;

/// A task that runs, and its right to.
#[derive(Debug)]
pub(crate) struct RunningTask {
    pub(crate) task: Task,
    pub(crate) claim: Claim,
    /// When it last processed a record, or was last told that it is idle.
    pub(crate) last_record: Timestamp,
    /// How many requests to emit what is held back it has answered.
    pub(crate) drained: usize,
}

impl RunningTask {
    pub(crate) fn new(task: Task, claim: Claim, now: Timestamp) -> Self {
        Self { task, claim, last_record: now, drained: 0 }
    }

    /// What it holds of memory and disk. Asks the database, so: not often.
    pub(crate) fn footprint(&self) -> TaskFootprint {
        let state = &self.task.core.state;
        TaskFootprint {
            usage: state.usage(),
            overlay_bytes: state.overlay_bytes(),
            recent_bytes: state.clean_cache_bytes(),
            queued_bytes: self.task.inputs.iter().map(InputQueue::waiting_bytes).sum(),
        }
    }
}

/// A task whose state is being read from its changelog by the restorer.
#[derive(Debug)]
pub(crate) struct RestoringTask {
    /// Inputs, and where each begins.
    pub(crate) inputs: Vec<(TopicPartition, i64)>,
    /// Records that came before the state was complete.
    pub(crate) early: Vec<(TopicPartition, FetchedRecord)>,
    /// Ends of inputs that were reported before the state was complete.
    pub(crate) early_ends: Vec<(TopicPartition, i64)>,
    /// What the last commit says of the task.
    said_to_hold_back: bool,
    pub(crate) request: Request,
}

impl RestoringTask {
    pub(crate) fn new(inputs: Vec<(TopicPartition, i64)>, said_to_hold_back: bool, request: Request) -> Self {
        Self { inputs, early: Vec::new(), early_ends: Vec::new(), said_to_hold_back, request }
    }

    /// The task is not wanted here any more.
    pub(crate) fn cancel(self) {
        self.request.cancelled.store(true, Ordering::Relaxed);
    }

    /// Hands the task what has come for it meanwhile.
    pub(crate) fn hand_over(self, task: &mut Task) {
        task.said_to_hold_back = self.said_to_hold_back;
        for (partition, offset) in &self.inputs {
            queue_of(task, partition).start_at(*offset);
        }
        for (partition, record) in self.early {
            queue_of(task, &partition).push(record);
        }
        for (partition, end) in &self.early_ends {
            queue_of(task, partition).end_at(*end);
        }
    }
}

fn queue_of<'t>(task: &'t mut Task, partition: &TopicPartition) -> &'t mut InputQueue {
    let queue = task.inputs.iter_mut().find(|queue| queue.partition == *partition);
    queue.expect("a task has a queue for each of its inputs")
}

/// All tasks of a thread.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) running: BTreeMap<TaskId, RunningTask>,
    pub(crate) restoring: BTreeMap<TaskId, RestoringTask>,
    /// By slot: the task that a partition feeds, and the partition.
    routes: Vec<Option<(TaskId, TopicPartition)>>,
}

impl Tasks {
    /// Sends what comes for this partition to that task.
    pub(crate) fn route(&mut self, slot: Slot, task: &TaskId, partition: &TopicPartition) {
        let index = slot.0 as usize;
        if self.routes.len() <= index {
            self.routes.resize(index + 1, None);
        }
        self.routes[index] = Some((task.clone(), partition.clone()));
    }

    /// Sends nothing to that task any more.
    pub(crate) fn forget_routes(&mut self, task: &TaskId) {
        for route in &mut self.routes {
            if route.as_ref().is_some_and(|(to, _)| to == task) {
                *route = None;
            }
        }
    }

    /// Sorts a batch into the queues. What is for nobody came late for a task that left, and is its new owner's.
    pub(crate) fn take(&mut self, batch: &mut Batch) {
        let Self { running, restoring, routes } = self;
        let mut records = batch.records.drain(..).peekable();
        while let Some(record) = records.next() {
            let Some(Some((id, partition))) = routes.get(record.slot.0 as usize) else { continue };
            if let Some(task) = running.get_mut(id) {
                let Some(queue) = task.task.inputs.iter_mut().find(|queue| queue.partition == *partition) else { continue };
                let slot = record.slot;
                queue.push(record);
                // Records of one partition come in runs.
                while let Some(record) = records.next_if(|record| record.slot == slot) {
                    queue.push(record);
                }
            } else if let Some(task) = restoring.get_mut(id) {
                task.early.push((partition.clone(), record));
            }
        }
        drop(records);
        for (slot, end) in batch.ends.drain(..) {
            let Some(Some((id, partition))) = routes.get(slot.0 as usize) else { continue };
            let task = running.get_mut(id);
            if let Some(queue) = task.and_then(|task| task.task.inputs.iter_mut().find(|queue| queue.partition == *partition)) {
                queue.end_at(end);
            } else if let Some(task) = restoring.get_mut(id) {
                task.early_ends.push((partition.clone(), end));
            }
        }
    }

    /// Partitions to pause and to resume, by what waits in their queues.
    pub(crate) fn back_pressure(&mut self, queue_bytes: usize) -> (Vec<TopicPartition>, Vec<TopicPartition>) {
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for queue in self.running.values_mut().flat_map(|task| task.task.inputs.iter_mut()) {
            let waiting = queue.waiting_bytes();
            if !queue.paused && waiting > queue_bytes {
                queue.paused = true;
                pause.push(queue.partition.clone());
            } else if queue.paused && waiting <= queue_bytes / 2 {
                queue.paused = false;
                resume.push(queue.partition.clone());
            }
        }
        (pause, resume)
    }
}
