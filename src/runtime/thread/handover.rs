//! How tasks come to a stream thread and leave it: what the group assigns and revokes, and restores in between.
//!
//! What an assignment means is `assignment`; reading changelogs is `restore`.

use std::time::Duration;

use super::StreamThread;
use crate::error::{Error, ErrorKind};
use crate::kafka::{CommittedOffset, KafkaErrorKind, OFFSET_BEGINNING, OFFSET_END};
use crate::record::{TaskId, TopicPartition};
use crate::runtime::note::Note;
use crate::runtime::restore::{Request, Restored};
use crate::runtime::tasks::{RestoringTask, RunningTask};
use crate::task::{Task, TaskSettings};
use crate::topology::OffsetReset;

/// How long positions that are not stable are waited for before looking whether somebody wants the thread to stop.
const STABLE_PATIENCE: Duration = Duration::from_secs(1);

impl StreamThread {
    /// The group gave us these: read on where it stopped, once the state is complete.
    pub(super) fn assigned(&mut self, leads: &[TopicPartition]) -> Result<(), Error> {
        let ids = self.shared.prepared.parts.tasks(leads);
        let inputs: Vec<Vec<(TopicPartition, OffsetReset)>> =
            ids.iter().map(|id| self.shared.prepared.parts.inputs(id)).collect();
        let flat: Vec<TopicPartition> = inputs.iter().flatten().map(|(partition, _)| partition.clone()).collect();
        // IMPORTANT: positions before the changelogs' ends, which the restorer asks for: see `restore`.
        let Some(committed) = self.stable_positions(&flat)? else { return Ok(()) };
        let mut committed = committed.into_iter();
        let mut all = Vec::new();
        for (id, inputs) in ids.into_iter().zip(inputs) {
            let fingerprint = self.shared.prepared.parts.of(&id).fingerprint.clone();
            let (mut starts, mut said_to_hold_back) = (Vec::new(), false);
            for (partition, reset) in inputs {
                let position = committed.next().expect("one answer for each partition asked for");
                said_to_hold_back |= position.as_ref().is_some_and(|position| Note::read(&position.metadata).holds_back);
                starts.push((partition, start(position, reset, &fingerprint)?));
            }
            all.extend(starts.iter().cloned());
            self.begin_restore(id, starts, said_to_hold_back);
        }
        self.consumer.incremental_assign(&all)?;
        let partitions: Vec<TopicPartition> = all.into_iter().map(|(partition, _)| partition).collect();
        if !partitions.is_empty() {
            self.consumer.pause(&partitions)?;
        }
        self.joined = true;
        self.report();
        Ok(())
    }

    /// The group's positions, once no pending transaction can move them; `None` if the thread is to stop before that.
    fn stable_positions(&mut self, partitions: &[TopicPartition]) -> Result<Option<Vec<Option<CommittedOffset>>>, Error> {
        let settings = &self.shared.settings;
        let until = self.shared.clock.now().plus(settings.request_timeout + settings.transaction_timeout);
        loop {
            match self.consumer.committed(partitions, STABLE_PATIENCE) {
                Ok(committed) => return Ok(Some(committed)),
                Err(_) if self.shared.control.is_stopping() => return Ok(None),
                Err(error) if error.kind == KafkaErrorKind::Timeout && self.shared.clock.now() < until => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn begin_restore(&mut self, id: TaskId, inputs: Vec<(TopicPartition, i64)>, said_to_hold_back: bool) {
        for (partition, _) in &inputs {
            let slot = self.consumer.slot(partition);
            self.tasks.route(slot, &id, partition);
        }
        self.restores += 1;
        let request = Request::new(id.clone(), self.restores);
        self.restorer.request(request.clone());
        self.tasks.restoring.insert(id, RestoringTask::new(inputs, said_to_hold_back, request));
    }

    /// The group wants these back: commit, close, let go.
    pub(super) fn revoked(&mut self, leads: &[TopicPartition]) -> Result<(), Error> {
        let ids = self.shared.prepared.parts.tasks(leads);
        if ids.iter().any(|id| self.tasks.running.contains_key(id)) {
            self.commit_if_dirty()?;
        }
        let mut partitions = Vec::new();
        for id in ids {
            partitions.extend(self.shared.prepared.parts.inputs(&id).into_iter().map(|(partition, _)| partition));
            self.close_task(&id)?;
        }
        self.consumer.incremental_unassign(&partitions)?;
        self.report();
        Ok(())
    }

    /// Closes a task, without a commit.
    pub(super) fn close_task(&mut self, id: &TaskId) -> Result<(), Error> {
        self.tasks.forget_routes(id);
        if let Some(restoring) = self.tasks.restoring.remove(id) {
            restoring.cancel();
        }
        if let Some(RunningTask { task, claim, .. }) = self.tasks.running.remove(id) {
            task.into_state().close()?;
            drop(claim);
        }
        Ok(())
    }

    /// Tasks whose state is complete begin to run.
    pub(super) fn finish_restores(&mut self) -> Result<(), Error> {
        while let Some(Restored { task: id, number, result }) = self.restorer.poll() {
            // An answer to a request that was cancelled is nobody's, though the task may have come back since.
            if self.tasks.restoring.get(&id).is_none_or(|restoring| restoring.request.number != number) {
                continue;
            }
            let (state, claim) = match result {
                Ok(restored) => restored,
                // The thread is to stop, and commits what it has before it does.
                Err(error) if *error.kind() == ErrorKind::Closed => continue,
                Err(error) => return Err(error),
            };
            let restoring = self.tasks.restoring.remove(&id).expect("it was found above");
            let settings = TaskSettings {
                application: std::sync::Arc::clone(&self.shared.prepared.application),
                topics: std::sync::Arc::clone(&self.shared.prepared.topics),
                epoch: self.shared.settings.epoch,
                now: self.now,
            };
            let mut task = Task::new(&self.shared.topology, id.clone(), state, &settings)?;
            let partitions: Vec<TopicPartition> = restoring.inputs.iter().map(|(partition, _)| partition.clone()).collect();
            restoring.hand_over(&mut task);
            self.consumer.resume(&partitions)?;
            tracing::info!(task = %id, thread = self.index, "task runs");
            self.tasks.running.insert(id, RunningTask::new(task, claim, self.now));
        }
        Ok(())
    }
}

/// Somebody else has the tasks of these lead partitions already.
pub(super) fn lost(leads: &[TopicPartition]) -> Error {
    let leads: Vec<String> = leads.iter().map(ToString::to_string).collect();
    Error::new(ErrorKind::Migrated, format!("the group gave {} to others", leads.join(", ")))
}

/// Where to begin: at the committed position, which must have been written by a program that cuts the work as this one does.
fn start(committed: Option<CommittedOffset>, reset: OffsetReset, fingerprint: &str) -> Result<i64, Error> {
    match (committed, reset) {
        (Some(position), _) => match Note::read(&position.metadata).fingerprint {
            "" => Ok(position.offset),
            same if same == fingerprint => Ok(position.offset),
            other => Err(Error::config(format!(
                "the group's positions were committed under lead topics or partition counts that differ ({other} there, \
                 {fingerprint} here): stop all old members, then reset the application",
            ))),
        },
        (None, OffsetReset::Earliest) => Ok(OFFSET_BEGINNING),
        (None, OffsetReset::Latest) => Ok(OFFSET_END),
    }
}
