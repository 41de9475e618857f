//! A task: one sub-topology at one partition number, with its operators, state, queues and books.
//!
//! A task does what it is told: take records, process them, get ready for a commit, apply it. *When* is the business of the
//! thread that owns it (`runtime`) or of the test driver. It never talks to Kafka: what it has to send waits in its outbox.
//!
//! **One input record is atomic.** Outputs and store writes are staged and join the transaction only when the record's
//! whole traversal returned well; otherwise only its dead letter and its count do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use highwater_state::{LogPosition, StoreId, TaskState};

use crate::error::{Error, ErrorKind};
use crate::kafka::{CommittedOffset, FetchedRecord, Outgoing};
use crate::processor::ProcessError;
use crate::record::{Headers, TaskId, Timestamp, TopicPartition};
use crate::topology::{TopicName, Topology, instantiate, store_specs};

pub(crate) mod books;
pub(crate) mod core;
pub(crate) mod dead_letter;
pub(crate) mod edge;
pub(crate) mod inputs;
pub(crate) mod origin;
pub(crate) mod outbox;
pub(crate) mod times;
pub(crate) mod verdict;

pub use self::books::BookEntry;
pub use self::core::{TaskCore, TopicTable};
pub use self::verdict::{Outcome, Verdict};

use self::books::Ledger;
use self::core::{Input, Origin, RowVersions, Scratch};
use self::dead_letter::DeadLetters;
use self::edge::SharedLifecycle;
use self::inputs::{Choice, InputQueue, Inputs};
use self::outbox::{Destination, Outbox};

/// Key of the row counter in the task's own store.
const COUNTER_KEY: &[u8] = b"row_counter";
/// The reason of a dead letter whose processing panicked.
const PANIC_REASON: &str = "internal";

/// Where a task lives: what it needs beside its topology and its state.
#[derive(Clone, Debug)]
pub(crate) struct TaskSettings {
    /// `<application_id>-<topology>`.
    pub(crate) application: Arc<str>,
    pub(crate) topics: Arc<TopicTable>,
    /// Raised by every reset, so that rows made after it win.
    pub(crate) epoch: i64,
    pub(crate) now: Timestamp,
}

/// One sub-topology at one partition.
pub(crate) struct Task {
    pub(crate) inputs: Inputs,
    pub(crate) core: TaskCore,
    lifecycles: Vec<SharedLifecycle>,
    ledger: Ledger,
    changelogs: Vec<Arc<str>>,
    /// Whether anything has happened since the last commit.
    touched: bool,
    /// What the last commit, by whichever owner, says of [`holds_back`](Self::holds_back).
    pub(crate) said_to_hold_back: bool,
    /// Stream time before the record at hand, which comes back if the record does not count.
    stream_time_before: Timestamp,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("id", &self.core.id).field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

/// The names on the cluster of a part's changelog topics, in the order of its stores.
pub(crate) fn changelog_topics(topology: &Topology, subtopology: &str, application: &str) -> Vec<String> {
    let part = topology.subtopology(subtopology).expect("a task's sub-topology is part of its topology");
    store_specs(&topology.0, part).iter().map(|spec| format!("{application}-{}-changelog", spec.name)).collect()
}

impl Task {
    /// Makes the operators of task `id` around its state, which is complete.
    pub(crate) fn new(topology: &Topology, id: TaskId, state: TaskState, settings: &TaskSettings) -> Result<Self, Error> {
        let part = topology.subtopology(&id.subtopology).expect("a task's sub-topology is part of its topology");
        let wiring = instantiate(&topology.0, part, &settings.application, Arc::clone(&settings.topics))?;
        let meta = StoreId(part.stores.len() as u16);
        let inputs = wiring.sources.into_iter().map(|(topic, entry)| {
            let source = part.sources.iter().find(|source| *source.topic.on_cluster(&settings.application) == *topic);
            let internal = source.is_some_and(|source| matches!(source.topic, TopicName::Repartition(_)));
            InputQueue::new(TopicPartition::new(topic, id.partition), entry, internal)
        });
        let books = topology.0.books.as_ref();
        let book_partitions = books.and_then(|books| settings.topics.partitions(&books.topic)).unwrap_or(1);
        let mut task = Self {
            inputs: Inputs::new(inputs.collect()),
            lifecycles: wiring.lifecycles,
            ledger: Ledger::new(books, book_partitions),
            changelogs: changelog_topics(topology, &id.subtopology, &settings.application).into_iter().map(Arc::from).collect(),
            touched: false,
            said_to_hold_back: false,
            stream_time_before: Timestamp::MIN,
            core: TaskCore {
                id,
                state,
                meta,
                outbox: Outbox::default(),
                times: wiring.times,
                ruling: verdict::Ruling::default(),
                input: None,
                now: settings.now,
                versions: RowVersions::default(),
                topics: Arc::clone(&settings.topics),
                dead_letters: DeadLetters {
                    topic: topology.0.dead_letters.as_ref().map(|topic| settings.topics.name(topic)),
                    topology: Arc::clone(&topology.0.name),
                    version: Arc::clone(&topology.0.version),
                },
                scratch: Scratch::default(),
                stream_time: Timestamp::MIN,
                commit_requested: false,
                late_windows: 0,
            },
        };
        task.open(settings.epoch)?;
        Ok(task)
    }

    fn open(&mut self, epoch: i64) -> Result<(), Error> {
        self.load_own_state(epoch).map_err(|error| error.of_task(&self.core.id))?;
        self.each_lifecycle(|lifecycle, core| lifecycle.opened(core))
    }

    fn load_own_state(&mut self, epoch: i64) -> Result<(), Error> {
        let Self { core, ledger, .. } = self;
        core.times.load(&core.state, core.meta)?;
        let counter = core.state.get(core.meta, COUNTER_KEY)?.and_then(|bytes| <[u8; 8]>::try_from(&*bytes).ok());
        core.versions = RowVersions::new(epoch, counter.map_or(0, i64::from_be_bytes));
        core.stream_time = core.times.greatest().unwrap_or(Timestamp::MIN);
        ledger.load(&core.state, core.meta)
    }

    pub(crate) fn id(&self) -> &TaskId {
        &self.core.id
    }

    /// Takes back the state, to close it or to start over from what is committed.
    pub(crate) fn into_state(self) -> TaskState {
        let mut state = self.core.state;
        state.discard();
        state
    }

    /// Processes the next record if one is due; `false` if none is.
    pub(crate) fn process_next(&mut self, idle: inputs::Idling) -> Result<bool, Error> {
        loop {
            match self.inputs.choose(self.core.now, idle) {
                Choice::Load(index) => self.load(index)?,
                Choice::Process(index) => {
                    self.process(index)?;
                    return Ok(true);
                }
                Choice::Wait => return Ok(false),
            }
        }
    }

    /// Decodes the record at the head of a queue; one that cannot be decoded is dead-lettered on the spot.
    fn load(&mut self, index: usize) -> Result<(), Error> {
        match self.inputs.load(index) {
            Ok(()) => Ok(()),
            Err((record, error)) => {
                self.begin(index, record);
                self.conclude(index, Err(error))
            }
        }
    }

    fn process(&mut self, index: usize) -> Result<(), Error> {
        let (record, timestamp) = self.inputs.take_loaded(index);
        self.begin(index, record);
        self.core.stream_time = self.core.stream_time.max(timestamp);
        let Self { inputs, core, .. } = self;
        let entry = inputs.entry(index);
        let result = catch_unwind(AssertUnwindSafe(|| entry.fire(core)));
        self.conclude(index, result.unwrap_or_else(|panic| Err(panicked(&*panic))))
    }

    fn begin(&mut self, index: usize, record: FetchedRecord) {
        let input = self.inputs.queue(index);
        let origin = Origin::of(&record, &input.partition, input.internal);
        self.core.input = Some(Input { record, source: input.partition.clone(), origin });
        self.core.ruling = verdict::Ruling::default();
        self.stream_time_before = self.core.stream_time;
        self.core.state.begin_record();
        self.core.times.begin_record();
        self.core.outbox.begin_record();
    }

    /// Keeps or takes back what the record at hand did, and enters it in the books.
    fn conclude(&mut self, index: usize, result: Result<(), ProcessError>) -> Result<(), Error> {
        let core = &mut self.core;
        let verdict = match result.and_then(|()| core.check_sizes()) {
            Ok(()) => {
                core.state.accept_record();
                core.ruling.verdict()
            }
            Err(error) => {
                core.state.rollback_record();
                core.times.rollback_record();
                core.outbox.rollback_record();
                core.stream_time = self.stream_time_before;
                match error {
                    ProcessError::Fatal(error) if *error.kind() == ErrorKind::Unavailable => {
                        self.park(index, &error);
                        return Ok(());
                    }
                    ProcessError::Fatal(error) => {
                        return Err(error.of_task(&core.id).context(format_args!("task {}", core.id)));
                    }
                    ProcessError::Rejected { reason, error } => {
                        core.stage_dead_letter(reason, &error);
                        Verdict { outcome: Outcome::DeadLettered, reason }
                    }
                }
            }
        };
        self.touched = true;
        let input = core.input.take().expect("a record was begun");
        if !self.inputs.queue(index).internal {
            self.ledger.count(&input.origin, verdict);
        }
        self.inputs.advance(index, input.record.offset + 1);
        Ok(())
    }

    /// The record says nothing wrong, but what it needs does not answer: it waits, and its task with it.
    fn park(&mut self, index: usize, error: &Error) {
        let input = self.core.input.take().expect("a record was begun");
        tracing::warn!(task = %self.core.id, from = %input.source, offset = input.record.offset, %error, "a record waits");
        self.inputs.park(index, input.record, error.to_string(), self.core.now);
    }

    /// Lets time pass: punctuations and held-back emissions that are due.
    pub(crate) fn on_time(&mut self, now: Timestamp) -> Result<(), Error> {
        self.core.now = now;
        self.each_lifecycle(|lifecycle, core| lifecycle.on_time(core))
    }

    /// All inputs are caught up and silent: the wall clock may close what waits for event time.
    pub(crate) fn on_idle(&mut self, until: Timestamp) -> Result<(), Error> {
        self.each_lifecycle(|lifecycle, core| lifecycle.on_idle(until, core))
    }

    /// The input has ended: emits what is held back, the books included.
    pub(crate) fn drain(&mut self) -> Result<(), Error> {
        self.each_lifecycle(|lifecycle, core| lifecycle.drain(core))?;
        self.close_books(true)
    }

    /// Whether what came of the records processed so far is not all emitted. What waits for event time is not held back: it is not
    /// known yet.
    pub(crate) fn holds_back(&self) -> bool {
        self.ledger.holds_back() || self.lifecycles.iter().any(|lifecycle| lifecycle.borrow().holds_back())
    }

    /// Whether there is anything to commit.
    pub(crate) fn is_dirty(&self) -> bool {
        let core = &self.core;
        self.touched
            || core.outbox.len() > 0
            || core.state.is_dirty()
            || self.inputs.moved()
            || self.ledger.is_due(core.now)
            || (self.said_to_hold_back && !self.holds_back())
    }

    /// Step 1 and 2 of a commit: emits what is held back until now, closes the books, and stages the changelog.
    pub(crate) fn prepare_commit(&mut self) -> Result<(), Error> {
        self.each_lifecycle(|lifecycle, core| lifecycle.before_commit(core))?;
        self.close_books(false)?;
        self.stage_changelog().map_err(|error| error.of_task(&self.core.id))
    }

    fn close_books(&mut self, at_once: bool) -> Result<(), Error> {
        self.ledger.store(&mut self.core.state, self.core.meta).map_err(|error| error.of_task(&self.core.id))?;
        books::write(&mut self.ledger, &mut self.core, at_once).map_err(|error| lifecycle_error(&self.core.id, error))
    }

    fn stage_changelog(&mut self) -> Result<(), Error> {
        let TaskCore { state, times, versions, meta, outbox, id, .. } = &mut self.core;
        times.store(state, *meta)?;
        let counter = versions.counter().to_be_bytes();
        let changed = state.get(*meta, COUNTER_KEY)?.is_none_or(|stored| *stored != counter);
        if changed && versions.counter() > 0 {
            state.put(*meta, COUNTER_KEY, &counter)?;
        }
        let changelogs = &self.changelogs;
        state.log_changes(&mut |store, key, value| {
            let topic = &changelogs[store.0 as usize];
            let to = Destination {
                topic,
                partition: id.partition,
                timestamp: Timestamp::from_millis(0),
                headers: Headers::new(),
                track: true,
            };
            outbox.stage_copy(to, Some(key), value);
        });
        Ok(())
    }

    /// Hands out what is staged, in order.
    pub(crate) fn drain_outbox<E>(&mut self, send: impl FnMut(&Outgoing<'_>) -> Result<(), E>) -> Result<usize, E> {
        self.core.outbox.drain(send)
    }

    /// The positions to commit: of all inputs, moved or not.
    pub(crate) fn positions(&self, metadata: &str) -> impl Iterator<Item = (TopicPartition, CommittedOffset)> {
        self.inputs.positions(metadata)
    }

    /// Step 6 of a commit: the transaction is acknowledged, so state and positions reach the store in one batch.
    pub(crate) fn apply(&mut self, logs: &[(StoreId, LogPosition)], now: Timestamp) -> Result<(), Error> {
        self.core.state.apply(logs, now.as_millis()).map_err(|error| Error::from(error).of_task(&self.core.id))?;
        self.committed();
        Ok(())
    }

    /// Nothing is pending any more.
    pub(crate) fn committed(&mut self) {
        self.inputs.committed();
        self.touched = false;
        self.said_to_hold_back = self.holds_back();
        self.core.commit_requested = false;
    }

    /// The changelog topics of its stores, in the order of the stores.
    pub(crate) fn changelogs(&self) -> &[Arc<str>] {
        &self.changelogs
    }

    /// Records sent since the last call, by topic.
    pub(crate) fn take_sent(&mut self) -> Vec<(Arc<str>, u64)> {
        self.core.outbox.take_sent()
    }

    /// Records by verdict since the last call.
    pub(crate) fn take_totals(&mut self) -> books::Totals {
        self.ledger.take_totals()
    }

    fn each_lifecycle(
        &mut self,
        mut call: impl FnMut(&mut dyn edge::Lifecycle, &mut TaskCore) -> Result<(), ProcessError>,
    ) -> Result<(), Error> {
        for lifecycle in &self.lifecycles {
            let core = &mut self.core;
            let called = catch_unwind(AssertUnwindSafe(|| call(&mut *lifecycle.borrow_mut(), core)));
            called.unwrap_or_else(|panic| Err(panicked(&*panic))).map_err(|error| lifecycle_error(&self.core.id, error))?;
        }
        Ok(())
    }
}

/// Outside a record there is no dead letter to write: what is wrong is the program or its surroundings.
fn lifecycle_error(id: &TaskId, error: ProcessError) -> Error {
    match error {
        ProcessError::Fatal(error) => error.of_task(id).context(format_args!("task {id}")),
        ProcessError::Rejected { reason, error } => Error::new(
            ErrorKind::Internal,
            format!("task {id}: an emission that no record stands for was rejected ({reason}): {error}"),
        ),
    }
}

/// The author's code panicked on a record.
fn panicked(panic: &(dyn std::any::Any + Send)) -> ProcessError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(|text| &**text));
    ProcessError::rejected(PANIC_REASON, format!("processing panicked: {}", text.unwrap_or("no message")))
}
