//! The Processor API: operators written by hand, with typed stores and punctuation.
//!
//! A [`ProcessorSupplier`] is part of the topology and makes one [`Processor`] for each task, born with its stores open.
//! Everything is synchronous and runs on the task's own thread.
//!
//! ```
//! use highwater::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, TaskContext};
//! use highwater::{Record, StreamsBuilder, TopologyTestDriver};
//!
//! /// Numbers the records of each key.
//! struct Numbering(KvHandle<String, u64>);
//! struct Numberer(KvStore<String, u64>);
//!
//! impl ProcessorSupplier<String, String> for Numbering {
//!     type Processor = Numberer;
//!     fn stores(&self) -> Vec<highwater::processor::StoreRef> {
//!         vec![self.0.store()]
//!     }
//!     fn create(&self, task: &mut TaskContext<'_>) -> Numberer {
//!         Numberer(task.open(&self.0))
//!     }
//! }
//!
//! impl Processor<String, String> for Numberer {
//!     type KeyOut = String;
//!     type ValueOut = String;
//!     fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
//!         let number = self.0.get(cx, &record.key)?.unwrap_or(0) + 1;
//!         self.0.put(cx, &record.key, &number)?;
//!         let value = format!("{number}: {}", record.value);
//!         cx.forward(Record { value, ..record })
//!     }
//! }
//!
//! let builder = StreamsBuilder::new("numbering");
//! let numbers = builder.key_value_store::<String, u64>("numbers");
//! builder.stream::<String, String>("in").process("number", Numbering(numbers)).to("out");
//! let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
//! driver.input("in").send("a".to_owned(), "x".to_owned(), 0);
//! driver.input("in").send("a".to_owned(), "y".to_owned(), 1);
//! let out: Vec<(String, String)> = driver.output("out").read_all();
//! assert_eq!(out, [("a".into(), "1: x".into()), ("a".into(), "2: y".into())]);
//! ```

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::record::{Headers, Record, Timestamp};
use crate::serde::{Data, SerdeError};
use crate::task::TaskCore;
use crate::task::edge::Outlet;
use crate::task::verdict::Outcome;

mod stores;

pub use crate::topology::StoreRef;
pub use crate::topology::TaskContext;
pub use stores::{KvHandle, KvStore};

/// Why a record was not processed.
#[derive(Debug)]
pub enum ProcessError {
    /// The record is at fault: it goes to the dead-letter topic with this reason and sentence, and nothing else of it remains.
    Rejected {
        /// One of the application's closed set.
        reason: &'static str,
        /// What is wrong, for a person.
        error: String,
    },
    /// The engine or its surroundings are at fault. If they are [unavailable](ErrorKind::Unavailable) the record waits, and its
    /// task with it, and is tried again; otherwise the transaction is given up.
    Fatal(Error),
}

impl ProcessError {
    /// The record is at fault.
    pub fn rejected(reason: &'static str, error: impl Into<String>) -> Self {
        Self::Rejected { reason, error: error.into() }
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { reason, error } => write!(f, "{reason}: {error}"),
            Self::Fatal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ProcessError {}

impl From<SerdeError> for ProcessError {
    fn from(error: SerdeError) -> Self {
        if error.is_retriable() {
            return Self::Fatal(Error::new(ErrorKind::Unavailable, error.message));
        }
        Self::Rejected { reason: error.reason, error: error.message }
    }
}

impl From<Error> for ProcessError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

impl From<highwater_state::StateError> for ProcessError {
    fn from(error: highwater_state::StateError) -> Self {
        Self::Fatal(error.into())
    }
}

/// An operator written by hand; one for each task.
pub trait Processor<K, V>: 'static {
    /// Key type of what it forwards.
    type KeyOut: Data;
    /// Value type of what it forwards.
    type ValueOut: Data;

    /// Processes one record.
    fn process(&mut self, record: Record<K, V>, cx: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result<(), ProcessError>;

    /// Called when a schedule of [`TaskContext::every`] is due.
    fn punctuate(&mut self, at: Timestamp, cx: &mut Context<'_, Self::KeyOut, Self::ValueOut>) -> Result<(), ProcessError> {
        let _ = (at, cx);
        Ok(())
    }
}

/// Makes processors, one for each task. Part of the topology, so shared between threads.
pub trait ProcessorSupplier<K, V>: Send + Sync + 'static {
    /// What it makes.
    type Processor: Processor<K, V>;

    /// The stores that its processors open.
    fn stores(&self) -> Vec<StoreRef> {
        Vec::new()
    }

    /// A processor, born ready.
    fn create(&self, task: &mut TaskContext<'_>) -> Self::Processor;
}

/// Which clock a schedule follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PunctuationClock {
    /// The task's event time: fires while records move it on; gaps fire once.
    StreamTime,
    /// The wall clock, looked at once per turn of the thread's loop.
    WallClock,
}

/// A schedule of punctuations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) period: Duration,
    pub(crate) clock: PunctuationClock,
}

/// What a processor may do while it runs.
#[derive(Debug)]
pub struct Context<'a, K, V> {
    pub(crate) core: &'a mut TaskCore,
    pub(crate) outlet: &'a mut Outlet<K, V>,
}

impl<K: Data, V: Data> Context<'_, K, V> {
    /// Hands a record to all children, now, depth first.
    pub fn forward(&mut self, record: Record<K, V>) -> Result<(), ProcessError> {
        self.outlet.forward(record, self.core)
    }

    /// Rules what became of the input record, for the books; the first ruling stands.
    pub fn rule(&mut self, outcome: Outcome, reason: &'static str) {
        self.core.ruling.rule(outcome, reason);
    }

    /// Wall-clock time, as of this turn of the loop.
    pub fn now(&self) -> Timestamp {
        self.core.now
    }

    /// The task's stream time.
    pub fn stream_time(&self) -> Timestamp {
        self.core.stream_time
    }

    /// Topic, partition and offset of the input record outside the application; none in a punctuation.
    pub fn origin(&self) -> Option<(&str, i32, i64)> {
        self.core.input().map(|input| (&*input.origin.topic, input.origin.partition, input.origin.offset))
    }

    /// The input record's headers; none in a punctuation.
    pub fn headers(&self) -> Headers {
        self.core.input().map_or_else(Headers::new, |input| input.record.headers())
    }

    /// Asks for a commit soon.
    pub fn request_commit(&mut self) {
        self.core.commit_requested = true;
    }
}
