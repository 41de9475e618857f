//! A stream thread: one loop that owns its consumer, its producer and its tasks.
//!
//! It keeps the order of things; what a step means is decided elsewhere, and how tasks come and go is in `handover`. Any error
//! ends the loop: what then happens is the supervisor's decision, and a new loop starts from what is committed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::commit::{self, Commit, Plan, Situation};
use super::restore::Restorer;
use super::settings::ProcessingGuarantee;
use super::status::{TaskPhase, TaskStatus};
use super::tasks::{RestoringTask, RunningTask, Tasks};
use crate::error::{Error, ErrorKind};
use crate::kafka::{
    Batch, Consumer, ConsumerSettings, Isolation, KafkaError, KafkaErrorKind, Producer, ProducerSettings, Rebalance,
};
use crate::record::{TaskId, Timestamp, millis};
use crate::task::inputs::{Idling, InputQueue};

mod handover;

/// Records that one task may process before the next one has its turn: more than one poll brings, so that queues empty before the
/// next poll and partitions are not paused (which drops what the client has prefetched) while there is work only for this thread.
const TURN_RECORDS: usize = 10_000;
/// The longest that a poll waits while there is nothing to do.
const WAIT_MAX_MS: i64 = 50;
/// The longest that a poll waits while a task waits for more than records: its state, a silent input, a schema.
const WAIT_PENDING_MS: i64 = 10;
/// How often status and store upkeep are looked after.
const UPKEEP_EVERY_MS: i64 = 200;
/// How often internal topics are trimmed.
const TRIM_EVERY_MS: i64 = 30_000;
/// How often what tasks hold is measured.
const MEASURE_EVERY_MS: i64 = 5_000;
/// How long a task with several inputs waits for records that the broker has and that have not arrived.
const FETCH_PATIENCE: Duration = Duration::from_secs(5);
/// How long records wait for company in the producer: a commit flushes at once.
const LINGER: Duration = Duration::from_millis(20);

/// A stream thread. Fields are dropped in this order: tasks are free for other threads before clients end, which may take a while, and
/// the group knows that the member is gone before a restore is waited for that cannot be called off.
pub(crate) struct StreamThread {
    tasks: Tasks,
    batch: Batch,
    consumer: Box<dyn Consumer>,
    restorer: Restorer,
    producer: Box<dyn Producer>,
    in_transaction: bool,
    shared: Arc<Shared>,
    index: usize,
    now: Timestamp,
    last_commit: Timestamp,
    last_upkeep: Timestamp,
    last_trim: Timestamp,
    last_measured: Timestamp,
    sent_bytes: usize,
    /// Whether the last turn processed a record.
    progressed: bool,
    restores: u64,
    joined: bool,
    commits: u64,
}

impl StreamThread {
    /// Makes the clients and joins the group.
    pub(crate) fn join(shared: &Arc<Shared>, index: usize) -> Result<Self, Error> {
        let settings = &shared.settings;
        let application = &shared.prepared.application;
        let exactly_once = settings.guarantee == ProcessingGuarantee::ExactlyOnce;
        let client_id = shared.client_id(index);
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
            tasks: Tasks::default(),
            batch: Batch::default(),
            consumer,
            restorer: Restorer::spawn(shared, index)?,
            producer,
            in_transaction: false,
            shared: Arc::clone(shared),
            index,
            now,
            last_commit: now,
            last_upkeep: now,
            last_trim: now,
            last_measured: Timestamp::from_millis(0),
            sent_bytes: 0,
            progressed: false,
            restores: 0,
            joined: false,
            commits: 0,
        })
    }

    /// Runs until asked to finish, then leaves in order; counts its commits.
    pub(crate) fn run(mut self, commits: &mut u64) -> Result<(), Error> {
        while !self.shared.control.is_stopping() {
            let turn = self.run_once();
            *commits = self.commits;
            turn?;
        }
        if self.shared.control.is_crashing() {
            return Ok(());
        }
        self.leave()
    }

    /// One turn: poll → process → let time pass → commit → look after things. Owns all branching.
    fn run_once(&mut self) -> Result<(), Error> {
        self.now = self.shared.clock.now();
        if self.shared.control.takes_rejoin(self.index) {
            self.consumer.rejoin(&self.shared.prepared.parts.leads())?;
        }
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
        self.consumer.poll(&mut self.batch, self.shared.settings.limits.poll_records, wait).map_err(poll_error)?;
        if !wait.is_zero() {
            self.now = self.shared.clock.now();
        }
        self.tasks.take(&mut self.batch);
        for rebalance in std::mem::take(&mut self.batch.rebalances) {
            match rebalance {
                Rebalance::Assign(leads) => {
                    self.shared.metrics.rebalanced("assigned");
                    self.assigned(&leads)?;
                }
                Rebalance::Revoke(leads) => {
                    self.shared.metrics.rebalanced("revoked");
                    self.revoked(&leads)?;
                }
                Rebalance::Lost(leads) => {
                    self.shared.metrics.rebalanced("lost");
                    return Err(handover::lost(&leads));
                }
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
        if self.progressed {
            return 0;
        }
        let running = || self.tasks.running.values();
        let pending = !self.tasks.restoring.is_empty() || running().any(|running| running.task.inputs.has_waiting());
        let longest = if pending { WAIT_PENDING_MS } else { WAIT_MAX_MS };
        let until_commit = commit::due_in_ms(self.now, self.last_commit, self.shared.settings.commit_interval);
        if running().any(|running| running.task.is_dirty()) { until_commit.min(longest) } else { longest }
    }

    /// Each task processes what it has, in turns; what comes of it goes to the producer.
    fn process(&mut self) -> Result<(), Error> {
        let idling = Idling { caught_up: self.shared.settings.task_idle, fetching: FETCH_PATIENCE };
        let Self { shared, tasks, producer, in_transaction, sent_bytes, now, progressed, .. } = self;
        *progressed = false;
        for running in tasks.running.values_mut() {
            running.task.core.now = *now;
            let mut records = 0;
            while records < TURN_RECORDS && running.task.process_next(idling)? {
                records += 1;
            }
            if records > 0 {
                *progressed = true;
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
            if silent_ms >= idle_after && running.task.inputs.iter().all(InputQueue::is_caught_up) {
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
        if !self.knows_a_position() {
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

    /// Whether a commit would carry any position. The broker refuses a member of an older generation by the positions that it
    /// sends, so a commit without any would not be refused to anybody.
    fn knows_a_position(&self) -> bool {
        self.tasks.running.values().any(|running| running.task.inputs.has_known_position())
    }

    fn commit_if_dirty(&mut self) -> Result<(), Error> {
        match (self.is_dirty(), self.knows_a_position()) {
            (true, true) => self.commit(),
            (true, false) => Err(Error::new(ErrorKind::Transaction, "what was emitted before a position was known is given up")),
            (false, _) => Ok(()),
        }
    }

    fn commit(&mut self) -> Result<(), Error> {
        let began = self.shared.clock.now();
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
        let took_ms = self.shared.clock.now().as_millis().saturating_sub(began.as_millis()).max(0);
        self.shared.metrics.committed(Duration::from_millis(took_ms as u64));
        self.last_commit = self.now;
        self.sent_bytes = 0;
        self.commits += 1;
        let mut status = self.shared.status.write();
        status.commits += 1;
        for running in self.tasks.running.values_mut() {
            for ((topic, verdict), count) in running.task.take_totals() {
                *status.records_in.entry(topic.to_string()).or_default() += count;
                *status.outcomes.entry((topic.to_string(), verdict.outcome.as_str(), verdict.reason)).or_default() += count;
            }
            for (topic, count) in running.task.take_sent() {
                *status.records_out.entry(topic.to_string()).or_default() += count;
            }
        }
        Ok(())
    }

    /// The input has ended: what is held back is emitted and committed, once for each request and task, also of tasks that come
    /// after the request.
    fn drain_if_asked(&mut self) -> Result<(), Error> {
        let asked = self.shared.control.drain_requests();
        if asked == 0 {
            return Ok(());
        }
        let mut any = false;
        for running in self.tasks.running.values_mut().filter(|running| running.drained < asked) {
            running.task.drain()?;
            running.drained = asked;
            any = true;
        }
        if any {
            self.commit_if_dirty()?;
        }
        let is_done = self.joined && self.tasks.restoring.is_empty();
        self.shared.control.report_drained(self.index, if is_done { asked } else { 0 });
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
        if self.now.as_millis() - self.last_measured.as_millis() >= MEASURE_EVERY_MS {
            self.last_measured = self.now;
            self.tasks.running.iter().for_each(|(id, running)| self.shared.metrics.holds(id, running.footprint()));
        }
        if self.now.as_millis() - self.last_trim.as_millis() >= TRIM_EVERY_MS {
            self.last_trim = self.now;
            self.shared.trimmer.request(self.tasks.running.values().map(|running| &running.task));
        }
        Ok(())
    }

    fn report(&self) {
        let restoring = self.tasks.restoring.iter().map(|(id, task)| (id.clone(), restoring_status(task, self.index)));
        let running = self.tasks.running.iter().map(|(id, task)| (id.clone(), running_status(task, self.index)));
        let mut status = self.shared.status.write();
        status.turns.insert(self.index, self.now);
        if self.joined {
            status.threads_joined.insert(self.index);
        }
        status.tasks.retain(|_, task| task.thread != self.index);
        status.tasks.extend(restoring.chain(running));
    }

    /// Commits, closes, leaves.
    fn leave(mut self) -> Result<(), Error> {
        self.now = self.shared.clock.now();
        self.commit_if_dirty()?;
        let ids: Vec<TaskId> = self.tasks.running.keys().chain(self.tasks.restoring.keys()).cloned().collect();
        for id in ids {
            self.close_task(&id)?;
        }
        self.consumer.close(self.shared.settings.request_timeout)?;
        Ok(())
    }
}

fn running_status(running: &RunningTask, thread: usize) -> TaskStatus {
    let inputs = &running.task.inputs;
    let input = |queue: &InputQueue| (queue.partition.topic.to_string(), queue.position(), queue.reported_end());
    TaskStatus {
        phase: TaskPhase::Running,
        thread,
        stream_time: Some(running.task.core.stream_time).filter(|time| *time > Timestamp::MIN),
        inputs: inputs.iter().map(input).collect(),
        waits_for: inputs.iter().find_map(InputQueue::waits_for).map(str::to_owned),
    }
}

fn restoring_status(restoring: &RestoringTask, thread: usize) -> TaskStatus {
    let remaining = restoring.request.remaining.load(Ordering::Relaxed);
    TaskStatus { phase: TaskPhase::Restoring { remaining }, thread, stream_time: None, inputs: Vec::new(), waits_for: None }
}

/// A committed position that the log does not have (any more) is nothing that trying again mends.
fn poll_error(error: KafkaError) -> Error {
    let out_of_range = error.kind == KafkaErrorKind::OffsetOutOfRange;
    let error = Error::from(error);
    if !out_of_range {
        return error;
    }
    error.context(
        "a committed position is not in its topic any more, so records were lost before they were read \
         (raise the topic's retention, then reset the application)",
    )
}

#[cfg(test)]
mod tests;
