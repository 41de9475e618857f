//! `TopologyTestDriver`: runs a topology in the test's own thread, record by record, with a clock that the test moves.
//!
//! Any number of partitions; repartition topics are looped back; state is in memory. What the driver runs are the engine's
//! own tasks; what it leaves out are threads, brokers and transactions (a commit always succeeds).
//!
//! ```
//! use highwater::{StreamsBuilder, TopologyTestDriver};
//!
//! let builder = StreamsBuilder::new("shout");
//! builder.stream::<String, String>("words").map_values(|_, word| word.to_uppercase()).to("WORDS");
//! let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
//! driver.input("words").send("k".to_owned(), "hello".to_owned(), 0);
//! assert_eq!(driver.output("WORDS").read_all::<String, String>(), [("k".to_owned(), "HELLO".to_owned())]);
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use highwater_state::{LogPosition, StoreId, TaskState};

use crate::kafka::{FetchedRecord, Payload, Slot, StoredRecord, partition_for_key};
use crate::processor::KvHandle;
use crate::record::{Headers, TaskId, Timestamp, TopicPartition};
use crate::serde::Data;
use crate::task::inputs::Idling;
use crate::task::{Outcome, Task, TaskSettings, TopicTable};
use crate::topology::{TopicName, Topology, store_specs};

mod io;

pub use io::{DeadLetter, OutputRecord, TestInput, TestOutput};

/// How many records of a topic met which outcome for which reason.
pub type BookCounts = BTreeMap<(String, Outcome, &'static str), u64>;

/// Runs a topology synchronously. See the module's example.
#[derive(Debug)]
pub struct TopologyTestDriver {
    topology: Topology,
    settings: TaskSettings,
    partitions: i32,
    tasks: BTreeMap<TaskId, Task>,
    arrivals: VecDeque<(TopicPartition, Timestamp, StoredRecord)>,
    offsets: BTreeMap<TopicPartition, i64>,
    outputs: BTreeMap<String, VecDeque<OutputRecord>>,
    counts: BookCounts,
    commit_each: bool,
}

impl TopologyTestDriver {
    /// One partition for each topic; commits after each input record.
    pub fn new(topology: &Topology) -> Self {
        Self::with_partitions(topology, 1)
    }

    /// So many partitions for each topic; commits after each input record.
    pub fn with_partitions(topology: &Topology, partitions: i32) -> Self {
        let application: Arc<str> = Arc::from(format!("test-{}", topology.name()));
        let repartitions = topology.0.repartitions.keys().map(|name| TopicName::Repartition(Arc::clone(name)));
        let external = topology.writes().into_iter().chain(topology.reads()).map(TopicName::External);
        let topics = external.chain(repartitions).map(|topic| (Arc::from(topic.on_cluster(&application)), partitions));
        let settings = TaskSettings {
            application: Arc::clone(&application),
            topics: Arc::new(TopicTable::new(topics)),
            epoch: 0,
            now: Timestamp::from_millis(0),
        };
        let mut driver = Self {
            topology: topology.clone(),
            settings,
            partitions,
            tasks: BTreeMap::new(),
            arrivals: VecDeque::new(),
            offsets: BTreeMap::new(),
            outputs: BTreeMap::new(),
            counts: BTreeMap::new(),
            commit_each: true,
        };
        driver.start(TaskState::in_memory);
        driver
    }

    /// Commits only when [`commit`](Self::commit) is called.
    #[must_use]
    pub fn committing_by_hand(mut self) -> Self {
        self.commit_each = false;
        self
    }

    fn start(&mut self, mut state: impl FnMut(&[highwater_state::StoreSpec]) -> TaskState) {
        for part in &self.topology.0.subtopologies {
            for partition in 0..self.partitions {
                let id = part.task_id(partition);
                let state = state(&store_specs(&self.topology.0, part));
                let task =
                    Task::new(&self.topology, id.clone(), state, &self.settings).expect("the topology can be instantiated");
                self.tasks.insert(id, task);
            }
        }
    }

    /// Sends records to an input topic.
    pub fn input(&mut self, topic: &str) -> TestInput<'_> {
        assert!(self.topology.reads().iter().any(|read| &**read == topic), "the topology does not read `{topic}`");
        TestInput { driver: self, topic: Arc::from(topic), partition: None }
    }

    /// Reads what was written to a topic since the last read.
    pub fn output(&mut self, topic: &str) -> TestOutput<'_> {
        TestOutput { driver: self, topic: topic.to_owned() }
    }

    /// What went to the dead-letter topic since the last call.
    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        let topic = self.topology.0.dead_letters.as_ref().expect("the topology has a dead-letter topic").to_string();
        self.output(&topic).read_raw().iter().map(DeadLetter::of).collect()
    }

    /// What became of all input records so far.
    pub fn books(&self) -> &BookCounts {
        &self.counts
    }

    /// How many windows a record came too late for, since the tasks were made.
    pub fn late_windows(&self) -> u64 {
        self.tasks.values().map(|task| task.core.late_windows).sum()
    }

    /// Lets wall-clock time pass.
    pub fn advance_wall_clock(&mut self, by: Duration) {
        self.settings.now = self.settings.now.plus(by);
        let now = self.settings.now;
        self.each_task(|task| task.on_time(now));
        self.settle();
        self.commit_if_each();
    }

    /// Tells all tasks that their inputs are caught up and silent.
    pub fn idle(&mut self) {
        let now = self.settings.now;
        self.each_task(|task| task.on_idle(now));
        self.settle();
        self.commit_if_each();
    }

    /// Commits all tasks, and again while what a commit emits comes back in through a repartition topic.
    pub fn commit(&mut self) {
        loop {
            self.each_task(Task::prepare_commit);
            self.collect_outputs();
            self.acknowledge();
            if self.arrivals.is_empty() {
                return;
            }
            self.settle();
        }
    }

    /// The transaction has been committed.
    fn acknowledge(&mut self) {
        for task in self.tasks.values_mut() {
            for ((topic, verdict), count) in task.take_totals() {
                *self.counts.entry((topic.to_string(), verdict.outcome, verdict.reason)).or_default() += count;
                *self.counts.entry((topic.to_string(), Outcome::In, "")).or_default() += count;
            }
            let logs: Vec<(StoreId, LogPosition)> = Vec::new();
            task.apply(&logs, self.settings.now).expect("state in memory can be written");
        }
    }

    /// Ends the input: everything held back comes out.
    pub fn drain(&mut self) {
        loop {
            self.each_task(Task::drain);
            let is_over = !self.tasks.values().any(Task::is_dirty);
            self.settle();
            self.commit();
            if is_over {
                return;
            }
        }
    }

    /// Closes all tasks without a commit and makes them anew from their committed state, as after a crash.
    pub fn crash_and_restart(&mut self) {
        let mut states: VecDeque<TaskState> = std::mem::take(&mut self.tasks).into_values().map(Task::into_state).collect();
        let order = |part: &crate::topology::SubTopology| part.name.clone();
        debug_assert!(self.topology.0.subtopologies.is_sorted_by_key(order), "tasks come back in the order in which they left");
        self.start(|_| states.pop_front().expect("each task had a state"));
    }

    /// All entries of a key-value store, over all partitions, in the order of the keys' bytes within each.
    pub fn store<K: Data, V: Data>(&mut self, handle: &KvHandle<K, V>) -> Vec<(K, V)> {
        let name = Arc::clone(&self.topology.0.stores[handle.store.0].name);
        let mut entries = Vec::new();
        for task in self.tasks.values_mut() {
            if let Some(id) = task.core.state.store(&name) {
                let store = crate::processor::KvStore::new(id, handle.key.clone(), handle.value.clone());
                entries.extend(store.read_all(&task.core).expect("the store's entries can be read"));
            }
        }
        entries
    }

    /// Looks at the state of every task that has a store of this name.
    pub fn each_state(&self, store: &str, mut look: impl FnMut(&TaskState, StoreId)) {
        for task in self.tasks.values() {
            if let Some(id) = task.core.state.store(store) {
                look(&task.core.state, id);
            }
        }
    }

    fn each_task(&mut self, mut call: impl FnMut(&mut Task) -> Result<(), crate::Error>) {
        for task in self.tasks.values_mut() {
            call(task).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    fn arrive(&mut self, to: TopicPartition, timestamp: Timestamp, record: StoredRecord) {
        self.arrivals.push_back((to, timestamp, record));
        self.settle();
        self.commit_if_each();
    }

    fn commit_if_each(&mut self) {
        if self.commit_each {
            self.commit();
        }
    }

    /// Processes what has arrived and all that comes of it.
    fn settle(&mut self) {
        self.collect_outputs();
        while let Some((to, timestamp, record)) = self.arrivals.pop_front() {
            let next = self.offsets.entry(to.clone()).or_default();
            let offset = std::mem::replace(next, *next + 1);
            let fetched = FetchedRecord::new(Slot(0), offset, timestamp, Payload::Shared(Arc::new(record)));
            let now = self.settings.now;
            for task in self.tasks.values_mut() {
                let Some(queue) = task.inputs.iter_mut().find(|queue| queue.partition == to) else { continue };
                queue.push(fetched);
                let mut run = || -> Result<(), crate::Error> {
                    while task.process_next(Idling::NONE)? {}
                    task.on_time(now)
                };
                run().unwrap_or_else(|error| panic!("{error}"));
                break;
            }
            self.collect_outputs();
        }
    }

    /// Moves what the tasks have to send to where it is read: the outputs, and back into tasks.
    fn collect_outputs(&mut self) {
        let inputs: Vec<TopicPartition> =
            self.tasks.values().flat_map(|task| task.inputs.iter().map(|queue| queue.partition.clone())).collect();
        let Self { tasks, arrivals, outputs, settings, .. } = self;
        for task in tasks.values_mut() {
            let drained: Result<usize, std::convert::Infallible> = task.drain_outbox(|out| {
                let record = StoredRecord {
                    key: out.key.map(bytes::Bytes::copy_from_slice),
                    value: out.value.map(bytes::Bytes::copy_from_slice),
                    headers: out.headers.clone(),
                };
                let to = TopicPartition::new(Arc::clone(out.topic), out.partition);
                if inputs.contains(&to) {
                    arrivals.push_back((to, out.timestamp, record.clone()));
                }
                let output = OutputRecord { partition: out.partition, timestamp: out.timestamp, record };
                let short = out.topic.strip_prefix(&*settings.application).and_then(|name| name.strip_prefix('-'));
                outputs.entry(short.unwrap_or(out.topic).to_owned()).or_default().push_back(output);
                Ok(())
            });
            let Ok(_) = drained;
        }
    }

    fn partition_of(&self, key: Option<&[u8]>) -> i32 {
        key.map_or(0, |key| partition_for_key(key, self.partitions))
    }
}

/// Headers as pairs of text, for assertions.
pub fn header_texts(headers: &Headers) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|header| (header.key.to_string(), String::from_utf8_lossy(header.value.as_deref().unwrap_or_default()).into_owned()))
        .collect()
}
