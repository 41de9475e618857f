//! Makes the operators of one task out of a sub-topology, sinks first, and wires them by typed edges.
//!
//! The only downcast of the engine is here, once per edge and task.

use std::any::{Any, type_name};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;
use highwater_state::{StoreId, StoreKind, StoreSpec};

use super::{Graph, NodeId, OldValues, StoreRef, SubTopology};
use crate::error::Error;
use crate::processor::{KvHandle, KvStore, PunctuationClock, Schedule};
use crate::serde::Data;
use crate::task::TopicTable;
use crate::task::edge::{Forward, Inlet, Lifecycle, Outlet, SharedLifecycle, SourceEntry};
use crate::task::times::{OperatorTimes, TimeId};

/// Makes one task's operators.
pub struct TaskBuilder<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) part: &'a SubTopology,
    /// `<application_id>-<topology>`.
    pub(crate) application: &'a str,
    pub(crate) topics: Arc<TopicTable>,
    stores: BTreeMap<StoreRef, StoreId>,
    inlets: HashMap<(NodeId, usize), Box<dyn Any>, foldhash::fast::FixedState>,
    pub(crate) wiring: Wiring,
}

impl std::fmt::Debug for TaskBuilder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskBuilder").field("part", &self.part.name).finish_non_exhaustive()
    }
}

/// What comes out: the operators, reachable from the sources and by their life cycles.
#[derive(Default)]
pub(crate) struct Wiring {
    pub(crate) sources: Vec<(Arc<str>, Box<dyn SourceEntry>)>,
    pub(crate) lifecycles: Vec<SharedLifecycle>,
    pub(crate) times: OperatorTimes,
}

/// The stores that a task of this part opens, in the order of their ids: the declared ones, then the task's own.
pub(crate) fn store_specs(graph: &Graph, part: &SubTopology) -> Vec<StoreSpec> {
    let declared = part.stores.iter().map(|store| {
        let decl = &graph.stores[store.0];
        StoreSpec { name: decl.name.to_string(), kind: decl.kind.clone(), logged: true }
    });
    let own = StoreSpec { name: part.meta_store(), kind: StoreKind::KeyValue, logged: true };
    declared.chain([own]).collect()
}

/// Makes the operators of a part.
pub(crate) fn instantiate(
    graph: &Graph,
    part: &SubTopology,
    application: &str,
    topics: Arc<TopicTable>,
) -> Result<Wiring, Error> {
    let stores = part.stores.iter().enumerate().map(|(index, store)| (*store, StoreId(index as u16))).collect();
    let mut builder =
        TaskBuilder { graph, part, application, topics, stores, inlets: HashMap::default(), wiring: Wiring::default() };
    for id in part.nodes.iter().rev() {
        let instantiate = Arc::clone(&graph.nodes[id.0].instantiate);
        instantiate(&mut builder, *id)?;
    }
    // Operators were made from the sinks up; they are woken from the sources down.
    builder.wiring.lifecycles.reverse();
    Ok(builder.wiring)
}

impl TaskBuilder<'_> {
    /// The edges from a node to its children, which exist already.
    pub(crate) fn outlet<K: Data, V: Data>(&self, node: NodeId) -> Outlet<K, V> {
        let mut children = Vec::new();
        for child in &self.part.nodes {
            for (port, parent) in self.graph.nodes[child.0].parents.iter().enumerate() {
                if *parent == node {
                    children.push(self.inlet::<K, V>(node, *child, port));
                }
            }
        }
        Outlet::new(children)
    }

    fn inlet<K: Data, V: Data>(&self, from: NodeId, to: NodeId, port: usize) -> Inlet<K, V> {
        let name = |id: NodeId| &self.graph.nodes[id.0].name;
        let inlet = self.inlets.get(&(to, port)).unwrap_or_else(|| panic!("`{}` has no inlet {port}", name(to)));
        let inlet = inlet.downcast_ref::<Inlet<K, V>>().unwrap_or_else(|| {
            panic!("`{}` does not take the {} / {} that `{}` sends", name(to), type_name::<K>(), type_name::<V>(), name(from))
        });
        Rc::clone(inlet)
    }

    /// Registers where a node takes what its parent at `port` sends.
    pub(crate) fn set_inlet<K: Data, V: Data>(&mut self, node: NodeId, port: usize, inlet: Inlet<K, V>) {
        let before = self.inlets.insert((node, port), Box::new(inlet));
        debug_assert!(before.is_none(), "an inlet is registered once");
    }

    /// Registers an operator that takes records at port 0 and has no life of its own.
    pub(crate) fn operator<K: Data, V: Data>(&mut self, node: NodeId, operator: impl Forward<K, V> + 'static) {
        let inlet: Inlet<K, V> = Rc::new(RefCell::new(operator));
        self.set_inlet(node, 0, inlet);
    }

    /// Registers an operator that takes records at port 0 and also runs when none comes.
    pub(crate) fn living_operator<K: Data, V: Data>(&mut self, node: NodeId, operator: impl Forward<K, V> + Lifecycle + 'static) {
        let operator = Rc::new(RefCell::new(operator));
        self.set_inlet::<K, V>(node, 0, operator.clone());
        self.wiring.lifecycles.push(operator);
    }

    /// A store's id in this task.
    pub(crate) fn store(&self, store: StoreRef) -> StoreId {
        *self
            .stores
            .get(&store)
            .unwrap_or_else(|| panic!("store `{}` is declared by the node that opens it", self.graph.stores[store.0].name))
    }

    /// A clock for the operator that the author named so: its name must survive other versions of the graph.
    pub(crate) fn time(&mut self, name: &str) -> TimeId {
        self.wiring.times.register(Arc::from(name))
    }

    /// A mark in time that the operator of this name keeps for `purpose`: persisted like a clock, but none.
    pub(crate) fn mark(&mut self, name: &str, purpose: &str) -> TimeId {
        self.wiring.times.register_mark(Arc::from(format!("{name}/{purpose}")))
    }

    /// Whether a join of tables looks into a table.
    pub(crate) fn is_looked_into(&self, node: NodeId) -> bool {
        self.graph.looked_into.contains(&node)
    }

    /// Which old values somebody behind a table needs, if any.
    pub(crate) fn old_values(&self, node: NodeId) -> Option<OldValues> {
        self.graph.old_wanted.get(&node).copied()
    }
}

/// What a processor may ask for while it is made.
#[derive(Debug)]
pub struct TaskContext<'a> {
    pub(crate) builder: &'a TaskBuilder<'a>,
    pub(crate) schedules: &'a mut Vec<Schedule>,
}

impl TaskContext<'_> {
    /// Opens a store; the supplier must have listed it.
    pub fn open<K: Data, V: Data>(&mut self, handle: &KvHandle<K, V>) -> KvStore<K, V> {
        KvStore::new(self.builder.store(handle.store), handle.key.clone(), handle.value.clone())
    }

    /// Calls [`Processor::punctuate`](crate::processor::Processor::punctuate) at every multiple of `period`.
    pub fn every(&mut self, period: std::time::Duration, clock: PunctuationClock) {
        self.schedules.push(Schedule { period, clock });
    }
}
