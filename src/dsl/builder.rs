//! The recorded graph, and the entry points that begin a stream.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use highwater_state::StoreKind;

use super::emit::Emit;
use super::kstream::KStream;
use super::ktable::KTable;
use super::lookup::MakeLookup;
use super::materialized::Materialized;
use super::ops;
use super::options::{Consumed, Repartitioned};
use crate::error::Error;
use crate::kafka::partition_for_key;
use crate::processor::KvHandle;
use crate::serde::{Data, DefaultSerde, SharedSerde};
use crate::task::books::{BookEntry, Books, RETENTION, WRITE_EVERY};
use crate::topology::{Graph, Instantiate, Node, NodeId, OldValues, Role, StoreDecl, StoreRef, Topology, connect};

/// The operators of tables that keep nothing: their changes are those of the table before them.
const PASSING_TABLES: [&str; 2] = ["table_filter", "table_map_values"];

/// Records a topology.
///
/// ```
/// use highwater::StreamsBuilder;
///
/// let builder = StreamsBuilder::new("shout");
/// builder.stream::<String, String>("words").map_values(|_, word| word.to_uppercase()).to("WORDS");
/// let topology = builder.build().unwrap();
/// assert_eq!(topology.reads().len(), 1);
/// ```
#[derive(Debug)]
pub struct StreamsBuilder {
    graph: RefCell<Graph>,
    /// Of tables that can be looked into, by node.
    lookups: RefCell<BTreeMap<NodeId, AnyLookup>>,
}

/// Stores to be opened, and a [`MakeLookup`] of types that only the table's handle knows.
type AnyLookup = (Vec<StoreRef>, Box<dyn Any>);

/// A node to be recorded.
pub(crate) struct NodeSpec {
    /// The author's name, or `None` to derive one from the parent and the operator.
    pub(crate) name: Option<String>,
    pub(crate) operator: &'static str,
    pub(crate) role: Role,
    pub(crate) parents: Vec<NodeId>,
    pub(crate) stores: Vec<StoreRef>,
    pub(crate) instantiate: Instantiate,
}

impl StreamsBuilder {
    /// Begins a topology. Its name becomes part of the consumer group, the internal topics and the state directory.
    pub fn new(name: &str) -> Self {
        let graph = Graph { name: Arc::from(name), version: Arc::from(env!("CARGO_PKG_VERSION")), ..Graph::default() };
        Self { graph: RefCell::new(graph), lookups: RefCell::default() }
    }

    /// States the program's version, which dead letters carry. By default the engine's.
    pub fn version(&self, version: &str) {
        self.graph.borrow_mut().version = Arc::from(version);
    }

    /// Reads a topic.
    pub fn stream<K: Data, V: Data>(&self, source: impl Into<Consumed<K, V>>) -> KStream<'_, K, V> {
        ops::source::stream(self, source.into())
    }

    /// Reads a topic as a table: the last record of each key, in the order of arrival; one without a value deletes.
    ///
    /// ```
    /// use highwater::{StreamsBuilder, TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new("names");
    /// builder.table::<String, String>("people", "people").map_values(|_, name| name.to_uppercase()).to_stream().to("names");
    /// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    /// driver.input("people").send("7".to_owned(), "ada".to_owned(), 0);
    /// driver.input("people").send("7".to_owned(), None::<String>, 1);
    /// let names: Vec<(String, Option<String>)> = driver.output("names").read_all();
    /// assert_eq!(names, [("7".to_owned(), Some("ADA".to_owned())), ("7".to_owned(), None)]);
    /// ```
    pub fn table<K: Data, V: Data>(
        &self,
        source: impl Into<Consumed<K, V>>,
        store: impl Into<Materialized<K, V>>,
    ) -> KTable<'_, K, V> {
        ops::source::table(self, source.into(), store.into())
    }

    /// Sends the records of several streams through one topic, so that equal keys meet, whichever stream they come from.
    ///
    /// Unlike a `merge` before a `repartition` it leaves each stream a sub-topology of its own: they share no task, and
    /// their topics may have any number of partitions.
    pub fn repartition<'b, K: Data, V: Data>(
        &'b self,
        streams: impl IntoIterator<Item = KStream<'b, K, V>>,
        options: impl Into<Repartitioned<K, V>>,
    ) -> KStream<'b, K, V> {
        ops::repartition::repartition(self, streams, options.into())
    }

    /// Demands that two topics have equally many partitions, because records are to stay in the partition that they came in by.
    pub fn equal_partitions(&self, one: &str, other: &str) {
        self.graph.borrow_mut().equal_partitions.push((Arc::from(one), Arc::from(other)));
    }

    /// Records that cannot be processed go to this topic: their bytes, with headers that name cause and origin.
    pub fn dead_letters(&self, topic: &str) {
        self.graph.borrow_mut().dead_letters = Some(Arc::from(topic));
    }

    /// Counts what becomes of every input record, and writes the running totals to `topic`.
    ///
    /// `row` makes a record of a count, and the text whose hash decides its partition.
    pub fn books<K: DefaultSerde, V: DefaultSerde>(
        &self,
        topic: &str,
        row: impl Fn(&BookEntry<'_>) -> (K, V, String) + Send + Sync + 'static,
    ) {
        self.books_with(topic, K::default_serde(), V::default_serde(), row);
    }

    /// As [`books`](Self::books), with serdes of its own.
    pub fn books_with<K: Data, V: Data>(
        &self,
        topic: &str,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
        row: impl Fn(&BookEntry<'_>) -> (K, V, String) + Send + Sync + 'static,
    ) {
        let row = Arc::new(row);
        let encode = move |partitions: i32| -> crate::task::books::EncodeEntry {
            let (key, value, row) = (key.clone(), value.clone(), Arc::clone(&row));
            Arc::new(move |entry, key_out, value_out| {
                let (key_of_row, value_of_row, partition_text) = row(entry);
                key.encode(&key_of_row, key_out)?;
                value.encode(&value_of_row, value_out)?;
                Ok(partition_for_key(partition_text.as_bytes(), partitions))
            })
        };
        let books = Books { topic: Arc::from(topic), every: WRITE_EVERY, retention: RETENTION, encode: Arc::new(encode) };
        self.graph.borrow_mut().books = Some(books);
    }

    /// How often a running total is written to the books' topic at most.
    pub fn books_every(&self, every: Duration) {
        if let Some(books) = &mut self.graph.borrow_mut().books {
            books.every = every;
        }
    }

    /// Declares a key-value store for a processor.
    pub fn key_value_store<K: DefaultSerde, V: DefaultSerde>(&self, name: &str) -> KvHandle<K, V> {
        self.key_value_store_with(name, K::default_serde(), V::default_serde())
    }

    /// Declares a key-value store with serdes of its own.
    pub fn key_value_store_with<K: Data, V: Data>(
        &self,
        name: &str,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> KvHandle<K, V> {
        KvHandle { store: self.declare_store(name, StoreKind::KeyValue), key, value }
    }

    /// The graph, checked and connected.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Topology`](crate::error::ErrorKind::Topology) for a graph that cannot run: two nodes, stores or
    /// repartition topics of one name, several topics in a sub-topology and none that leads, options that contradict each other.
    pub fn build(self) -> Result<Topology, Error> {
        let mut graph = self.graph.into_inner();
        if let Some(refusal) = graph.refusals.first() {
            return Err(Error::topology(refusal.clone()));
        }
        check_names(&graph)?;
        connect(&mut graph)?;
        Ok(Topology(Arc::new(graph)))
    }

    pub(crate) fn add<K, V>(&self, spec: NodeSpec) -> KStream<'_, K, V> {
        let mut graph = self.graph.borrow_mut();
        let name = spec.name.map_or_else(|| derived_name(&graph, &spec.parents, spec.operator), Arc::from);
        let (operator, role, parents, stores, instantiate) =
            (spec.operator, spec.role, spec.parents, spec.stores, spec.instantiate);
        graph.nodes.push(Node { name, operator, role, parents, stores, instantiate });
        KStream { builder: self, node: NodeId(graph.nodes.len() - 1), key_changed: false, types: PhantomData }
    }

    pub(crate) fn declare_store(&self, name: &str, kind: StoreKind) -> StoreRef {
        let mut graph = self.graph.borrow_mut();
        graph.stores.push(StoreDecl { name: Arc::from(name), kind });
        StoreRef(graph.stores.len() - 1)
    }

    pub(crate) fn declare_repartition(&self, name: &str, partitions: Option<i32>) -> Arc<str> {
        let name: Arc<str> = Arc::from(name);
        self.graph.borrow_mut().repartitions.insert(Arc::clone(&name), partitions);
        name
    }

    pub(crate) fn declare_late_topic(&self, topic: &str) -> Arc<str> {
        let topic: Arc<str> = Arc::from(topic);
        self.graph.borrow_mut().late_topics.push(Arc::clone(&topic));
        topic
    }

    /// Notes why the graph cannot be built; [`build`](Self::build) reports the first.
    pub(crate) fn refuse(&self, why: String) {
        self.graph.borrow_mut().refusals.push(why);
    }

    /// A table without windows cannot wait for them to close.
    pub(crate) fn refuse_close<K, V>(&self, options: &Materialized<K, V>) {
        if options.emit == Emit::Close {
            let name = &options.name;
            self.refuse(format!("store `{name}` has no windows, so none closes: give it another `Emit` than `Emit::Close`"));
        }
    }

    /// Asks a table to tell old values; tables that only transform another pass the wish on.
    pub(crate) fn want_old(&self, table: NodeId, which: OldValues) {
        let mut graph = self.graph.borrow_mut();
        for node in with_tables_before(&graph, table) {
            let wanted_so_far = graph.old_wanted.entry(node).or_insert(which);
            *wanted_so_far = which.max(*wanted_so_far);
        }
    }

    /// Notes that a join of tables looks into a table, and so into those that it only transforms.
    pub(crate) fn look_into(&self, table: NodeId) {
        let mut graph = self.graph.borrow_mut();
        let tables = with_tables_before(&graph, table);
        graph.looked_into.extend(tables);
    }

    /// Keeps how a table is looked into.
    pub(crate) fn set_lookup<K: Data, V: Data>(&self, table: NodeId, stores: Vec<StoreRef>, make: MakeLookup<K, V>) {
        self.lookups.borrow_mut().insert(table, (stores, Box::new(make)));
    }

    /// How a table is looked into, and the stores that takes; `None` for tables of windows.
    pub(crate) fn lookup<K: Data, V: Data>(&self, table: NodeId) -> Option<(Vec<StoreRef>, MakeLookup<K, V>)> {
        let lookups = self.lookups.borrow();
        let (stores, make) = lookups.get(&table)?;
        let make = make.downcast_ref::<MakeLookup<K, V>>().expect("a table's handle has the types it was recorded with");
        Some((stores.clone(), Arc::clone(make)))
    }

    pub(crate) fn name_of(&self, node: NodeId) -> Arc<str> {
        Arc::clone(&self.graph.borrow().nodes[node.0].name)
    }

    pub(crate) fn rename(&self, node: NodeId, name: &str) {
        self.graph.borrow_mut().nodes[node.0].name = Arc::from(name);
    }
}

/// A table, and the one before it as long as it keeps nothing itself.
fn with_tables_before(graph: &Graph, table: NodeId) -> Vec<NodeId> {
    let mut tables = vec![table];
    let mut node = &graph.nodes[table.0];
    while PASSING_TABLES.contains(&node.operator)
        && let Some(before) = node.parents.first()
    {
        tables.push(*before);
        node = &graph.nodes[before.0];
    }
    tables
}

/// A name for display: what it does to whom. Nothing durable is named by it.
fn derived_name(graph: &Graph, parents: &[NodeId], operator: &str) -> Arc<str> {
    let parent = parents.first().map_or("", |parent| &graph.nodes[parent.0].name);
    let base = format!("{parent}/{operator}");
    let taken = |name: &str| graph.nodes.iter().any(|node| &*node.name == name);
    let mut name = base.clone();
    let mut ordinal = 1;
    while taken(&name) {
        ordinal += 1;
        name = format!("{base}#{ordinal}");
    }
    Arc::from(name)
}

fn check_names(graph: &Graph) -> Result<(), Error> {
    let kind = |node: &Node| if matches!(node.role, Role::Source(_)) { "source" } else { "node" };
    let nodes = graph.nodes.iter().map(|node| (kind(node), &*node.name));
    let stores = graph.stores.iter().map(|store| ("store", &*store.name));
    let mut seen = std::collections::BTreeSet::new();
    for named in nodes.chain(stores) {
        let (what, name) = named;
        if !seen.insert(named) {
            return Err(Error::topology(format!(
                "two {what}s are named `{name}`: names say where state is, so each needs its own"
            )));
        }
        if what == "store" && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            return Err(Error::topology(format!("store `{name}` names a topic: only letters, digits, `.`, `_` and `-` can")));
        }
    }
    Ok(())
}
