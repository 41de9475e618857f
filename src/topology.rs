//! The graph that a program builds: immutable, shared between threads, instantiated once for each task.
//!
//! **Words.** A [`Topology`] is a graph of nodes. Its connected parts are *sub-topologies*: they meet only through topics.
//! A *task* is one sub-topology at one partition number. Each node keeps a closure that knows its concrete types;
//! `instantiate` walks a sub-topology from the sinks up and lets each node make its operator and register its inlet.
//!
//! Not here: what operators do (`dsl/ops`), and who runs tasks when (`runtime`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use highwater_state::StoreKind;

use crate::error::Error;
use crate::record::TaskId;

mod connect;
mod describe;
mod diff;
mod instantiate;

pub(crate) use connect::connect;
pub use describe::{Description, Format, NodeDescription, PartDescription, RepartitionDescription, StoreDescription};
pub use diff::{Difference, Fate, Part, compare, diff};
pub use instantiate::{TaskBuilder, TaskContext};
pub(crate) use instantiate::{instantiate, store_specs};

/// A node of a graph, by number. Numbers are never part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

/// A store of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreRef(pub(crate) usize);

/// A topic as a topology names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicName {
    /// A topic of the outside world, by its name on the cluster.
    External(Arc<str>),
    /// A repartition topic of the application, by the author's name.
    Repartition(Arc<str>),
}

impl TopicName {
    /// The name on the cluster, for an application `<application_id>-<topology>`.
    pub fn on_cluster(&self, application: &str) -> String {
        match self {
            Self::External(name) => name.to_string(),
            Self::Repartition(name) => format!("{application}-{name}-repartition"),
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External(name) => f.write_str(name),
            Self::Repartition(name) => write!(f, "({name})"),
        }
    }
}

/// Where a group without a committed position begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the oldest record.
    #[default]
    Earliest,
    /// Behind the newest record.
    Latest,
}

/// What a source node reads.
#[derive(Clone, Debug)]
pub(crate) struct SourceSpec {
    pub(crate) topic: TopicName,
    pub(crate) reset: OffsetReset,
    pub(crate) lead: bool,
    pub(crate) subtopology: Option<Arc<str>>,
}

/// What a node is to the graph.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Source(SourceSpec),
    Operator,
    /// Writes to a topic.
    Sink(TopicName),
}

/// Which old values are told behind a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OldValues {
    /// Those of rows that are deleted, which every kept table tells anyway.
    OfDeletions,
    /// With every change.
    Always,
}

/// Makes a node's operator in a task.
pub(crate) type Instantiate = Arc<dyn Fn(&mut TaskBuilder<'_>, NodeId) -> Result<(), Error> + Send + Sync>;

/// A node of the graph.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) operator: &'static str,
    pub(crate) role: Role,
    /// Parents, in the order of this node's ports.
    pub(crate) parents: Vec<NodeId>,
    pub(crate) stores: Vec<StoreRef>,
    pub(crate) instantiate: Instantiate,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("parents", &self.parents)
            .finish_non_exhaustive()
    }
}

/// A store as the author declared it.
#[derive(Clone, Debug)]
pub(crate) struct StoreDecl {
    pub(crate) name: Arc<str>,
    pub(crate) kind: StoreKind,
}

/// A connected part of a topology.
#[derive(Clone, Debug)]
pub(crate) struct SubTopology {
    /// The topology's name and this part's, joined by a dot.
    pub(crate) name: Arc<str>,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) sources: Vec<SourceSpec>,
    /// The source whose partitions stand for the tasks.
    pub(crate) lead: TopicName,
    pub(crate) stores: Vec<StoreRef>,
    pub(crate) writes: Vec<TopicName>,
}

impl SubTopology {
    /// The identity of its task at a partition.
    pub(crate) fn task_id(&self, partition: i32) -> TaskId {
        TaskId { subtopology: Arc::clone(&self.name), partition }
    }

    /// The name of the store that holds what is about the task itself.
    pub(crate) fn meta_store(&self) -> String {
        let part = self.name.split_once('.').map_or(&*self.name, |(_, part)| part);
        format!("{part}-task")
    }
}

/// The graph that a program built. Clones share.
#[derive(Clone, Debug)]
pub struct Topology(pub(crate) Arc<Graph>);

/// The parts of a topology.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) name: Arc<str>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) stores: Vec<StoreDecl>,
    pub(crate) subtopologies: Vec<SubTopology>,
    /// Partition counts of repartition topics, where the author gave them.
    pub(crate) repartitions: BTreeMap<Arc<str>, Option<i32>>,
    /// Topics that must have equally many partitions.
    pub(crate) equal_partitions: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) dead_letters: Option<Arc<str>>,
    pub(crate) late_topics: Vec<Arc<str>>,
    pub(crate) books: Option<crate::task::books::Books>,
    pub(crate) version: Arc<str>,
    /// Tables whose changes must tell the old value, because somebody behind them needs it.
    pub(crate) old_wanted: BTreeMap<NodeId, OldValues>,
    /// Tables that a join of tables looks into, so that what it may have seen must be told, even if it has come and gone since.
    pub(crate) looked_into: BTreeSet<NodeId>,
    /// Why it cannot be built, as found while it was recorded.
    pub(crate) refusals: Vec<String>,
}

impl Topology {
    /// The author's name for it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Topics of the outside world that it reads, sorted.
    pub fn reads(&self) -> Vec<Arc<str>> {
        let external = self.0.subtopologies.iter().flat_map(|part| &part.sources).filter_map(|source| match &source.topic {
            TopicName::External(name) => Some(Arc::clone(name)),
            TopicName::Repartition(_) => None,
        });
        sorted(external)
    }

    /// Topics of the outside world that it writes, sorted: sinks, late topics, dead letters, books.
    pub fn writes(&self) -> Vec<Arc<str>> {
        let sinks = self.0.subtopologies.iter().flat_map(|part| &part.writes).filter_map(|topic| match topic {
            TopicName::External(name) => Some(Arc::clone(name)),
            TopicName::Repartition(_) => None,
        });
        let books = self.0.books.as_ref().map(|books| Arc::clone(&books.topic));
        sorted(sinks.chain(self.0.late_topics.iter().cloned()).chain(self.0.dead_letters.clone()).chain(books))
    }

    /// Its sub-topologies' names.
    pub fn subtopologies(&self) -> impl Iterator<Item = &str> {
        self.0.subtopologies.iter().map(|part| &*part.name)
    }

    pub(crate) fn subtopology(&self, name: &str) -> Option<&SubTopology> {
        self.0.subtopologies.iter().find(|part| &*part.name == name)
    }
}

fn sorted(names: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.dedup();
    names
}
