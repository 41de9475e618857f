//! A topology as others see it: for people as text, for documents as a Mermaid graph, for `diff` as JSON.
//!
//! A [`Description`] holds what outlives a version of the program (sub-topologies, stores, topics) and, to be read, the nodes.
//! It is made of the graph alone, so it needs no cluster.

use serde::{Deserialize, Serialize};

use super::{Node, NodeId, Role, SubTopology, TopicName, Topology};
use highwater_state::StoreKind;

mod mermaid;
mod text;

/// How a topology is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// A `flowchart` of Mermaid.
    Mermaid,
    /// For [`diff`](super::diff()) and other programs.
    Json,
}

/// What a topology is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The author's name.
    pub topology: String,
    /// The program's version.
    pub version: String,
    /// Its parts.
    pub subtopologies: Vec<PartDescription>,
    /// Its repartition topics.
    pub repartitions: Vec<RepartitionDescription>,
    /// Topics that late records go to.
    pub late_topics: Vec<String>,
    /// The topic of dead letters.
    pub dead_letters: Option<String>,
    /// The topic of the books.
    pub books: Option<String>,
}

/// A sub-topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDescription {
    /// The topology's name and its own; tasks and their directories are named by it.
    pub name: String,
    /// The topic whose partitions stand for its tasks; a repartition topic in parentheses.
    pub lead: String,
    /// Topics that it reads.
    pub reads: Vec<String>,
    /// Topics that it writes.
    pub writes: Vec<String>,
    /// Its stores.
    pub stores: Vec<StoreDescription>,
    /// Its nodes, from the sources on.
    pub nodes: Vec<NodeDescription>,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreDescription {
    /// The author's name; its changelog is named by it.
    pub name: String,
    /// How it is organised.
    pub kind: String,
    /// How long it keeps what it holds, where that is limited.
    pub retention_ms: Option<i64>,
}

/// A repartition topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepartitionDescription {
    /// The author's name.
    pub name: String,
    /// How many partitions the author gave it; otherwise the settings do.
    pub partitions: Option<i32>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeDescription {
    /// A name for display.
    pub name: String,
    /// What it does.
    pub operator: String,
    /// The topic, of sources and sinks.
    pub topic: Option<String>,
    /// The stores that it uses.
    pub stores: Vec<String>,
    /// The nodes before it, as places in the list of its part's nodes.
    pub parents: Vec<usize>,
}

impl Topology {
    /// What it is made of, to be read.
    ///
    /// ```
    /// use highwater::StreamsBuilder;
    /// use highwater::topology::Format;
    ///
    /// let builder = StreamsBuilder::new("words");
    /// builder.stream::<String, String>("lines").group_by_key().count("counts").to_stream().to("counts");
    /// let text = builder.build().unwrap().describe(Format::Text);
    /// assert!(text.contains("stores: counts (key-value)"), "{text}");
    /// ```
    pub fn describe(&self, format: Format) -> String {
        let description = self.description();
        match format {
            Format::Text => text::write(&description),
            Format::Mermaid => mermaid::write(&description),
            Format::Json => serde_json::to_string_pretty(&description).expect("names and numbers can be written as JSON"),
        }
    }

    /// What it is made of.
    pub fn description(&self) -> Description {
        let graph = &self.0;
        let text = |name: &std::sync::Arc<str>| name.to_string();
        let mut late_topics: Vec<String> = graph.late_topics.iter().map(text).collect();
        late_topics.sort_unstable();
        late_topics.dedup();
        Description {
            topology: graph.name.to_string(),
            version: graph.version.to_string(),
            subtopologies: graph.subtopologies.iter().map(|part| self.part(part)).collect(),
            repartitions: graph
                .repartitions
                .iter()
                .map(|(name, partitions)| RepartitionDescription { name: name.to_string(), partitions: *partitions })
                .collect(),
            late_topics,
            dead_letters: graph.dead_letters.as_ref().map(text),
            books: graph.books.as_ref().map(|books| books.topic.to_string()),
        }
    }

    fn part(&self, part: &SubTopology) -> PartDescription {
        let topics = |topics: Vec<&TopicName>| topics.into_iter().map(ToString::to_string).collect();
        PartDescription {
            name: part.name.to_string(),
            lead: part.lead.to_string(),
            reads: topics(part.sources.iter().map(|source| &source.topic).collect()),
            writes: topics(part.writes.iter().collect()),
            stores: part.stores.iter().map(|store| store_description(&self.0.stores[store.0])).collect(),
            nodes: part.nodes.iter().map(|id| self.node(&self.0.nodes[id.0], &part.nodes)).collect(),
        }
    }

    fn node(&self, node: &Node, all: &[NodeId]) -> NodeDescription {
        NodeDescription {
            name: node.name.to_string(),
            operator: node.operator.to_owned(),
            topic: match &node.role {
                Role::Source(source) => Some(source.topic.to_string()),
                Role::Sink(topic) => Some(topic.to_string()),
                Role::Operator => None,
            },
            stores: node.stores.iter().map(|store| self.0.stores[store.0].name.to_string()).collect(),
            parents: node.parents.iter().filter_map(|parent| all.iter().position(|other| other == parent)).collect(),
        }
    }
}

fn store_description(store: &super::StoreDecl) -> StoreDescription {
    let retention_ms = match store.kind {
        StoreKind::KeyValue => None,
        StoreKind::Window { retention_ms } | StoreKind::Session { retention_ms } => Some(retention_ms),
        StoreKind::Dedup { memory_hours } => Some(i64::from(memory_hours) * 3_600_000),
    };
    StoreDescription { name: store.name.to_string(), kind: store.kind.name().to_owned(), retention_ms }
}
