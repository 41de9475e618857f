//! One task on its way from the state on disk to what its changelogs say. Who reads them is `side_by_side`.

use std::sync::atomic::Ordering;

use highwater_state::{StoreId, TaskState};

use super::opening::anew;
use super::plan::{Log, Tail};
use super::{Request, Restored};
use crate::error::{Error, ErrorKind};
use crate::kafka::{Batch, FetchedRecord, Reader, Slot};
use crate::record::{Timestamp, TopicPartition, millis};
use crate::runtime::Shared;
use crate::runtime::ownership::Claim;
use crate::task::changelog_topics;

/// A task whose state is open.
pub(super) struct Restoration {
    pub(super) request: Request,
    state: TaskState,
    claim: Claim,
    /// Its changelogs, in the stores' order.
    logs: Vec<Log>,
    /// What is still to be read of them.
    tails: Vec<Tail>,
}

impl Restoration {
    pub(super) fn new(request: Request, state: TaskState, claim: Claim) -> Self {
        Self { request, state, claim, logs: Vec::new(), tails: Vec::new() }
    }

    /// The changelogs of its stores, in the stores' order.
    pub(super) fn changelogs(&self, shared: &Shared) -> Vec<TopicPartition> {
        let task = &self.request.task;
        let topics = changelog_topics(&shared.topology, &task.subtopology, &shared.prepared.application);
        topics.into_iter().map(|topic| TopicPartition::new(topic, task.partition)).collect()
    }

    /// Takes in where its changelogs begin and end. State that does not belong to them is dropped.
    pub(super) fn bounded(
        mut self,
        shared: &Shared,
        bounds: impl Iterator<Item = (TopicPartition, (i64, i64))>,
    ) -> Result<Self, (Request, Error)> {
        let log = |(index, (partition, (start, end))): (usize, (TopicPartition, (i64, i64)))| {
            let id = shared.prepared.log_ids[&*partition.topic];
            Log { store: StoreId(index as u16), partition, id, start, end }
        };
        self.logs = bounds.enumerate().map(log).collect();
        if self.logs.iter().any(|log| log.contradicts(self.state.position(log.store).as_ref())) {
            tracing::warn!(task = %self.request.task, "local state does not belong to its changelog any more; rebuilding it");
            self.state = anew(shared, &self.request.task, self.state).map_err(|error| (self.request.clone(), error))?;
        }
        Ok(self)
    }

    /// Begins to wait for the tails of its changelogs; where each is to be read from.
    pub(super) fn begin(&mut self, reader: &mut dyn Reader, now: Timestamp) -> Vec<(TopicPartition, i64)> {
        let tails = self.logs.iter().filter_map(|log| {
            let next = log.from(self.state.position(log.store).as_ref());
            let is_unread = next < log.end;
            is_unread.then(|| Tail { log: log.clone(), slot: reader.slot(&log.partition), next, progress_at: now })
        });
        self.tails = tails.collect();
        let remaining = self.tails.iter().map(|tail| tail.log.end - tail.next).sum::<i64>();
        self.request.remaining.store(remaining, Ordering::Relaxed);
        self.tails.iter().map(|tail| (tail.log.partition.clone(), tail.next)).collect()
    }

    /// Takes its own of a batch, whose records are in the order of their slots.
    pub(super) fn take(&mut self, batch: &Batch, shared: &Shared) -> Result<(), Error> {
        let now = shared.clock.now();
        let patience = millis(shared.settings.transaction_timeout + shared.settings.request_timeout);
        for tail in &mut self.tails {
            let records = of_slot(&batch.records, tail.slot);
            let reached = batch.ends.iter().filter(|(slot, _)| *slot == tail.slot).map(|(_, end)| *end).max();
            let after = records.last().map(|record| record.offset + 1).into_iter().chain(reached).max().unwrap_or(tail.next);
            if after > tail.next {
                let mut entries = records.iter().map(|record| (record.key().unwrap_or_default(), record.value(), record.offset));
                self.state.restore(tail.log.store, &mut entries, after, tail.log.id, now.as_millis())?;
                self.request.remaining.fetch_sub(after - tail.next, Ordering::Relaxed);
                (tail.next, tail.progress_at) = (after, now);
            } else if now.as_millis() - tail.progress_at.as_millis() > patience {
                let Tail { log, next, .. } = tail;
                let message = format!("changelog {} stands still at {next} before {}", log.partition, log.end);
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
        }
        Ok(())
    }

    /// Tails that need no more reading.
    pub(super) fn take_read(&mut self) -> Vec<TopicPartition> {
        self.tails.extract_if(.., |tail| tail.is_read()).map(|tail| tail.log.partition).collect()
    }

    /// Tails that are being read.
    pub(super) fn unread(&self) -> impl Iterator<Item = &TopicPartition> {
        self.tails.iter().map(|tail| &tail.log.partition)
    }

    /// The complete state. A store that has followed an empty log is bound to that log all the same: were it made anew, the state would be
    /// another's.
    pub(super) fn complete(mut self, shared: &Shared) -> Restored {
        let now_ms = shared.clock.now().as_millis();
        for log in &self.logs {
            if self.state.position(log.store).is_none()
                && let Err(error) = self.state.restore(log.store, &mut std::iter::empty(), log.end, log.id, now_ms)
            {
                return self.request.answer(Err(error.into()));
            }
        }
        self.request.answer(Ok((self.state, self.claim)))
    }
}

/// The records of a slot, in a batch that is ordered by slots.
fn of_slot(records: &[FetchedRecord], slot: Slot) -> &[FetchedRecord] {
    let begins = records.partition_point(|record| record.slot < slot);
    let length = records[begins..].partition_point(|record| record.slot == slot);
    &records[begins..begins + length]
}
