//! A stream thread: one loop that owns its consumer, its producer and its tasks.
//!
//! It keeps the order of things; what a step means is decided elsewhere. Any error ends the loop: what then happens is the
//! supervisor's decision, and a new loop starts from what is committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Shared;
use super::commit::{self, Commit, Plan, Situation};
use super::restore::{Request, Restored, Restorer};
use super::settings::ProcessingGuarantee;
use super::status::{TaskPhase, TaskStatus};
use super::tasks::{RestoringTask, RunningTask, Tasks};
use crate::error::{Error, ErrorKind};
use crate::kafka::{
    Batch, Consumer, ConsumerSettings, Isolation, OFFSET_BEGINNING, OFFSET_END, Producer, ProducerSettings, Rebalance,
};
use crate::record::{TaskId, Timestamp, TopicPartition, millis};
use crate::task::inputs::Idling;
use crate::task::{Task, TaskSettings};
use crate::topology::OffsetReset;

/// Records that one task may process before the next one has its turn.
const TURN_RECORDS: usize = 1_000;
/// The longest that a poll waits while there is nothing to do.
const WAIT_MAX_MS: i64 = 50;
/// How often status and store upkeep are looked after.
const UPKEEP_EVERY_MS: i64 = 200;
/// How often internal topics are trimmed.
const TRIM_EVERY_MS: i64 = 30_000;
/// How long a task with several inputs waits for records that the broker has and that have not arrived.
const FETCH_PATIENCE: Duration = Duration::from_secs(5);
/// How long records wait for company in the producer: a commit flushes at once.
const LINGER: Duration = Duration::from_millis(20);

/// A stream thread.
pub(crate) struct StreamThread {
    shared: Arc<Shared>,
    index: usize,
    consumer: Box<dyn Consumer>,
    producer: Box<dyn Producer>,
    in_transaction: bool,
    tasks: Tasks,
    restorer: Restorer,
    batch: Batch,
    now: Timestamp,
    last_commit: Timestamp,
    last_upkeep: Timestamp,
    last_trim: Timestamp,
    sent_bytes: usize,
    drained: usize,
    joined: bool,
}

impl StreamThread {
    /// Makes the clients and joins the group.
    pub(crate) fn join(shared: &Arc<Shared>, index: usize) -> Result<Self, Error> {
        let settings = &shared.settings;
        let application = &shared.prepared.application;
        let exactly_once = settings.guarantee == ProcessingGuarantee::ExactlyOnce;
        let client_id = format!("{application}-{}-{index}", settings.instance_id);
        let mut producer = shared.kafka.producer(&ProducerSettings {
            transactional_id: exactly_once.then(|| client_id.clone()),
            client_id: client_id.clone(),
            transaction_timeout: settings.transaction_timeout,
            linger: LINGER,
            queue_max_bytes: settings.limits.producer_queue_bytes,
        })?;
        if exactly_once {
            producer.init_transactions(settings.request_timeout)?;
        }
        let mut consumer = shared.kafka.consumer(&ConsumerSettings {
            group_id: application.to_string(),
            instance_id: Some(client_id.clone()),
            client_id,
            queue_max_bytes: settings.limits.consumer_queue_bytes,
            session_timeout: settings.session_timeout,
            isolation: if exactly_once { Isolation::ReadCommitted } else { Isolation::ReadUncommitted },
        })?;
        consumer.subscribe(&shared.prepared.parts.leads())?;
        let now = shared.clock.now();
        Ok(Self {
            shared: Arc::clone(shared),
            index,
            consumer,
            producer,
            in_transaction: false,
            tasks: Tasks::default(),
            restorer: Restorer::spawn(shared, index)?,
            batch: Batch::default(),
            now,
            last_commit: now,
            last_upkeep: now,
            last_trim: now,
            sent_bytes: 0,
            drained: 0,
            joined: false,
        })
    }

    /// Runs until asked to finish, then leaves in order.
    pub(crate) fn run(mut self) -> Result<(), Error> {
        while !self.shared.control.is_stopping() {
            self.run_once()?;
        }
        if self.shared.control.is_crashing() {
            return Ok(());
        }
        self.leave()
    }

    /// One turn: poll → process → let time pass → commit → look after things. Owns all branching.
    fn run_once(&mut self) -> Result<(), Error> {
        self.now = self.shared.clock.now();
        self.poll()?;
        self.finish_restores()?;
        self.process()?;
        self.pass_time()?;
        self.drain_if_asked()?;
        if self.commit_plan() == Plan::Commit {
            self.commit()?;
        }
        self.look_after()
    }

    fn poll(&mut self) -> Result<(), Error> {
        self.batch.clear();
        let wait = Duration::from_millis(self.poll_wait_ms() as u64);
        self.consumer.poll(&mut self.batch, self.shared.settings.limits.poll_records, wait)?;
        if !wait.is_zero() {
            self.now = self.shared.clock.now();
        }
        self.tasks.take(&mut self.batch);
        for rebalance in std::mem::take(&mut self.batch.rebalances) {
            match rebalance {
                Rebalance::Assign(leads) => self.assigned(&leads)?,
                Rebalance::Revoke(leads) => self.revoked(&leads)?,
                Rebalance::Lost(leads) => return Err(lost(&leads)),
            }
        }
        let (pause, resume) = self.tasks.back_pressure(self.shared.settings.limits.queue_bytes);
        if !pause.is_empty() {
            self.consumer.pause(&pause)?;
        }
        if !resume.is_empty() {
            self.consumer.resume(&resume)?;
        }
        Ok(())
    }

    /// Work at hand is not kept waiting for more.
    fn poll_wait_ms(&self) -> i64 {
        if self.tasks.running.values().any(|running| running.task.inputs.has_waiting()) {
            return 0;
        }
        let dirty = self.tasks.running.values().any(|running| running.task.is_dirty());
        let until_commit = commit::due_in_ms(self.now, self.last_commit, self.shared.settings.commit_interval);
        if dirty { until_commit.min(WAIT_MAX_MS) } else { WAIT_MAX_MS }
    }

    /// The group gave us these: read on where it stopped, once the state is complete.
    fn assigned(&mut self, leads: &[TopicPartition]) -> Result<(), Error> {
        self.joined = true;
        let ids = self.shared.prepared.parts.tasks(leads);
        let inputs: Vec<Vec<(TopicPartition, OffsetReset)>> =
            ids.iter().map(|id| self.shared.prepared.parts.inputs(id)).collect();
        let flat: Vec<TopicPartition> = inputs.iter().flatten().map(|(partition, _)| partition.clone()).collect();
        let timeout = self.shared.settings.request_timeout + self.shared.settings.transaction_timeout;
        let mut committed = self.consumer.committed(&flat, timeout)?.into_iter();
        let mut all = Vec::new();
        for (id, inputs) in ids.into_iter().zip(inputs) {
            let fingerprint = self.shared.prepared.parts.of(&id).fingerprint.clone();
            let mut starts = Vec::new();
            for (partition, reset) in inputs {
                let position = committed.next().expect("one answer for each partition asked for");
                starts.push((partition, start(position, reset, &fingerprint)?));
            }
            all.extend(starts.iter().cloned());
            self.begin_restore(id, starts);
        }
        self.consumer.incremental_assign(&all)?;
        let partitions: Vec<TopicPartition> = all.into_iter().map(|(partition, _)| partition).collect();
        if !partitions.is_empty() {
            self.consumer.pause(&partitions)?;
        }
        Ok(())
    }

    fn begin_restore(&mut self, id: TaskId, inputs: Vec<(TopicPartition, i64)>) {
        for (partition, _) in &inputs {
            let slot = self.consumer.slot(partition);
            self.tasks.route(slot, &id, partition);
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        self.restorer.request(Request { task: id.clone(), cancelled: Arc::clone(&cancelled) });
        self.tasks.restoring.insert(id, RestoringTask { inputs, early: Vec::new(), cancelled });
    }

    /// The group wants these back: commit, close, let go.
    fn revoked(&mut self, leads: &[TopicPartition]) -> Result<(), Error> {
        let ids = self.shared.prepared.parts.tasks(leads);
        if ids.iter().any(|id| self.tasks.running.contains_key(id)) && self.is_dirty() {
            self.commit()?;
        }
        let mut partitions = Vec::new();
        for id in ids {
            partitions.extend(self.shared.prepared.parts.inputs(&id).into_iter().map(|(partition, _)| partition));
            self.close_task(&id)?;
        }
        self.consumer.incremental_unassign(&partitions)?;
        Ok(())
    }

    fn close_task(&mut self, id: &TaskId) -> Result<(), Error> {
        self.tasks.forget_routes(id);
        self.shared.status.write().tasks.remove(id);
        if let Some(restoring) = self.tasks.restoring.remove(id) {
            restoring.cancelled.store(true, Ordering::Relaxed);
        }
        if let Some(RunningTask { task, claim, .. }) = self.tasks.running.remove(id) {
            task.into_state().close()?;
            drop(claim);
        }
        Ok(())
    }

    /// Tasks whose state is complete begin to run.
    fn finish_restores(&mut self) -> Result<(), Error> {
        while let Some(Restored { task: id, result }) = self.restorer.poll() {
            let Some(restoring) = self.tasks.restoring.remove(&id) else { continue };
            let (state, claim) = result?;
            let settings = TaskSettings {
                application: Arc::clone(&self.shared.prepared.application),
                topics: Arc::clone(&self.shared.prepared.topics),
                epoch: self.shared.settings.epoch,
                now: self.now,
            };
            let mut task = Task::new(&self.shared.topology, id.clone(), state, &settings)?;
            for (partition, offset) in &restoring.inputs {
                let queue = task.inputs.iter_mut().find(|queue| queue.partition == *partition);
                queue.expect("a task has a queue for each of its inputs").start_at(*offset);
            }
            for (partition, record) in restoring.early {
                let queue = task.inputs.iter_mut().find(|queue| queue.partition == partition);
                queue.expect("a task has a queue for each of its inputs").push(record);
            }
            let partitions: Vec<TopicPartition> = restoring.inputs.into_iter().map(|(partition, _)| partition).collect();
            self.consumer.resume(&partitions)?;
            tracing::info!(task = %id, thread = self.index, "task runs");
            self.tasks.running.insert(id, RunningTask::new(task, claim, self.now));
        }
        Ok(())
    }

    /// Each task processes what it has, in turns; what comes of it goes to the producer.
    fn process(&mut self) -> Result<(), Error> {
        let idling = Idling { caught_up: self.shared.settings.task_idle, fetching: FETCH_PATIENCE };
        let Self { shared, tasks, producer, in_transaction, sent_bytes, now, .. } = self;
        for running in tasks.running.values_mut() {
            running.task.core.now = *now;
            let mut records = 0;
            while records < TURN_RECORDS && running.task.process_next(idling)? {
                records += 1;
            }
            if records > 0 {
                running.last_record = *now;
                *sent_bytes += commit::send(shared, &mut running.task, &mut **producer, in_transaction)?;
            }
        }
        Ok(())
    }

    /// Punctuations, held-back emissions that are due, and idle inputs.
    fn pass_time(&mut self) -> Result<(), Error> {
        let idle_after = millis(self.shared.settings.idle_after);
        for running in self.tasks.running.values_mut() {
            running.task.on_time(self.now)?;
            let silent_ms = self.now.as_millis().saturating_sub(running.last_record.as_millis());
            if silent_ms >= idle_after && running.task.inputs.iter().all(crate::task::inputs::InputQueue::is_caught_up) {
                running.last_record = self.now;
                running.task.on_idle(self.now)?;
            }
        }
        Ok(())
    }

    fn is_dirty(&self) -> bool {
        self.in_transaction || self.tasks.running.values().any(|running| running.task.is_dirty())
    }

    fn commit_plan(&self) -> Plan {
        let running = || self.tasks.running.values();
        if self.tasks.running.is_empty() && !self.in_transaction {
            return Plan::NotDue;
        }
        commit::plan(Situation {
            now: self.now,
            last_commit: self.last_commit,
            interval_ms: millis(self.shared.settings.commit_interval),
            dirty: self.is_dirty(),
            gathered_bytes: self.sent_bytes + running().map(|running| running.task.core.state.overlay_bytes()).sum::<usize>(),
            gathered_bytes_max: self.shared.settings.limits.transaction_bytes,
            requested: running().any(|running| running.task.core.commit_requested),
        })
    }

    fn commit(&mut self) -> Result<(), Error> {
        let mut commit = Commit {
            shared: &self.shared,
            tasks: &mut self.tasks,
            consumer: &mut *self.consumer,
            producer: &mut *self.producer,
            in_transaction: &mut self.in_transaction,
            now: self.now,
        };
        match self.shared.settings.guarantee {
            ProcessingGuarantee::ExactlyOnce => commit::exactly_once(&mut commit)?,
            ProcessingGuarantee::AtLeastOnce => commit::at_least_once(&mut commit)?,
        }
        self.last_commit = self.now;
        self.sent_bytes = 0;
        let mut status = self.shared.status.write();
        status.commits += 1;
        for running in self.tasks.running.values_mut() {
            for ((topic, verdict), count) in running.task.take_totals() {
                *status.records_in.entry(topic.to_string()).or_default() += count;
                *status.outcomes.entry((topic.to_string(), verdict.outcome.as_str(), verdict.reason)).or_default() += count;
            }
        }
        Ok(())
    }

    /// The input has ended: what is held back is emitted and committed, once for each request.
    fn drain_if_asked(&mut self) -> Result<(), Error> {
        let asked = self.shared.control.drain_requests();
        if asked == self.drained || !self.tasks.restoring.is_empty() {
            return Ok(());
        }
        self.tasks.running.values_mut().try_for_each(|running| running.task.drain())?;
        if self.is_dirty() {
            self.commit()?;
        }
        self.drained = asked;
        self.shared.control.report_drained(self.index, asked);
        Ok(())
    }

    fn look_after(&mut self) -> Result<(), Error> {
        if self.now.as_millis() - self.last_upkeep.as_millis() < UPKEEP_EVERY_MS {
            return Ok(());
        }
        self.last_upkeep = self.now;
        for running in self.tasks.running.values_mut() {
            running.task.core.state.maintain(self.now.as_millis())?;
        }
        self.report();
        if self.now.as_millis() - self.last_trim.as_millis() >= TRIM_EVERY_MS {
            self.last_trim = self.now;
            self.shared.trimmer.request(self.tasks.running.values().map(|running| &running.task));
        }
        Ok(())
    }

    fn report(&self) {
        let mut status = self.shared.status.write();
        status.turns.insert(self.index, self.now);
        if self.joined {
            status.threads_joined.insert(self.index);
        }
        for (id, running) in &self.tasks.running {
            let input = |queue: &crate::task::inputs::InputQueue| {
                (queue.partition.topic.to_string(), queue.position(), queue.reported_end())
            };
            status.tasks.insert(
                id.clone(),
                TaskStatus {
                    phase: TaskPhase::Running,
                    thread: self.index,
                    stream_time: Some(running.task.core.stream_time).filter(|time| *time > Timestamp::MIN),
                    inputs: running.task.inputs.iter().map(input).collect(),
                },
            );
        }
    }

    /// Commits, closes, leaves.
    fn leave(mut self) -> Result<(), Error> {
        self.now = self.shared.clock.now();
        if self.is_dirty() {
            self.commit()?;
        }
        let ids: Vec<TaskId> = self.tasks.running.keys().chain(self.tasks.restoring.keys()).cloned().collect();
        for id in ids {
            self.close_task(&id)?;
        }
        self.consumer.close(self.shared.settings.request_timeout)?;
        Ok(())
    }
}

fn lost(leads: &[TopicPartition]) -> Error {
    let leads: Vec<String> = leads.iter().map(ToString::to_string).collect();
    Error::new(ErrorKind::Migrated, format!("the group gave {} to others", leads.join(", ")))
}

/// Where to begin: at the committed position, which must have been written by a program that cuts the work as this one does.
fn start(committed: Option<crate::kafka::CommittedOffset>, reset: OffsetReset, fingerprint: &str) -> Result<i64, Error> {
    match (committed, reset) {
        (Some(position), _) if position.metadata.is_empty() || position.metadata == fingerprint => Ok(position.offset),
        (Some(position), _) => Err(Error::config(format!(
            "the group's positions were committed under lead topics or partition counts that differ ({} there, {fingerprint} here): \
             stop all old members, then reset the application",
            position.metadata
        ))),
        (None, OffsetReset::Earliest) => Ok(OFFSET_BEGINNING),
        (None, OffsetReset::Latest) => Ok(OFFSET_END),
    }
}
