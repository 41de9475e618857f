//! The core of the operators that keep a table by key: one function that says what a record does to its row, around one table.
//!
//! Upserts, aggregates and reductions are closures over it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use highwater_state::StoreKind;

use super::placing::ByKey;
use super::table::{Skips, Table, TableSpec};
use super::throttle::Until;
use crate::dsl::builder::{NodeSpec, StreamsBuilder};
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::lookup;
use crate::dsl::materialized::Materialized;
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Lifecycle};
use crate::topology::{NodeId, Role, StoreRef, TaskBuilder};

/// The reason in the books of a record without a key, where rows have keys.
pub(crate) const NULL_KEY: &str = "null_key";
/// The reason in the books of a record without a value, where a value is what counts.
pub(crate) const NULL_VALUE: &str = "null_value";

/// What a record does to a table.
pub(crate) trait Step<K: Data, V, A>:
    Fn(Record<K, V>, &mut Table<ByKey, K, A>, &mut TaskCore) -> Result<(), ProcessError> + Send + Sync + 'static
{
}

impl<K: Data, V, A, F> Step<K, V, A> for F where
    F: Fn(Record<K, V>, &mut Table<ByKey, K, A>, &mut TaskCore) -> Result<(), ProcessError> + Send + Sync + 'static
{
}

/// A kept table of a task, which one or several inlets change.
pub(crate) struct Kept<K: Data, A>(pub(crate) Table<ByKey, K, A>);

impl<K: Data, A: Data> Lifecycle for Kept<K, A> {
    fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.opened(core)
    }

    fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.before_commit(core)
    }

    fn on_time(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.emit_due(Until::Now, core)
    }

    fn drain(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.emit_due(Until::TheEnd, core)
    }

    fn holds_back(&self) -> bool {
        self.0.policy.holds_back()
    }
}

/// One way into a kept table.
struct Inlet<F, K: Data, A> {
    kept: Rc<RefCell<Kept<K, A>>>,
    step: Arc<F>,
}

impl<K: Data, V: Data, A: Data, F: Step<K, V, A>> Forward<K, V> for Inlet<F, K, A> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let table = &mut self.kept.borrow_mut().0;
        if table.is_null_key(&record.key) {
            core.ruling.end_branch(NULL_KEY);
            return Ok(());
        }
        (self.step)(record, table, core)
    }
}

/// Makes one inlet of a table at a port of its node.
pub(crate) type MakeInlet<K, A> = Arc<dyn Fn(&mut TaskBuilder<'_>, NodeId, usize, &Rc<RefCell<Kept<K, A>>>) + Send + Sync>;

/// The inlet through which records do `step`.
pub(crate) fn inlet<K: Data, V: Data, A: Data>(step: impl Step<K, V, A>) -> MakeInlet<K, A> {
    let step = Arc::new(step);
    Arc::new(move |task, node, port, kept| {
        let inlet = Inlet { kept: Rc::clone(kept), step: Arc::clone(&step) };
        task.set_inlet::<K, V>(node, port, Rc::new(RefCell::new(inlet)));
    })
}

/// A table to be kept.
pub(crate) struct Keep<K, A> {
    pub(crate) operator: &'static str,
    pub(crate) options: Materialized<K, A>,
    pub(crate) skips: Skips,
    /// Stores of other tables that its inlets look into.
    pub(crate) looks_into: Vec<StoreRef>,
}

impl<K, A> Keep<K, A> {
    pub(crate) fn new(operator: &'static str, options: Materialized<K, A>) -> Self {
        Self { operator, options, skips: Skips::Nothing, looks_into: Vec::new() }
    }
}

/// Records a table that a stream changes.
pub(crate) fn keep<K: Data, V: Data, A: Data>(
    stream: KStream<'_, K, V>,
    table: Keep<K, A>,
    step: impl Step<K, V, A>,
) -> KTable<'_, K, A> {
    keep_all(stream.builder, table, vec![(stream.node, inlet(step))])
}

/// Records a table that several parents change, each in its way.
pub(crate) fn keep_all<K: Data, A: Data>(
    builder: &StreamsBuilder,
    table: Keep<K, A>,
    parents: Vec<(NodeId, MakeInlet<K, A>)>,
) -> KTable<'_, K, A> {
    let Keep { operator, options, skips, looks_into } = table;
    builder.refuse_close(&options);
    let store = builder.declare_store(&options.name, StoreKind::KeyValue);
    let (parents, inlets): (Vec<NodeId>, Vec<MakeInlet<K, A>>) = parents.into_iter().unzip();
    let lookup = lookup::of_store(store, &options);
    let kept = builder.add(NodeSpec {
        name: Some(options.name.to_string()),
        operator,
        role: Role::Operator,
        parents,
        stores: [store].into_iter().chain(looks_into).collect(),
        instantiate: Arc::new(move |task, node| {
            let spec = TableSpec { placing: ByKey, store, options: &options, skips };
            let kept = Rc::new(RefCell::new(Kept(Table::new(&spec, task, node))));
            for (port, make) in inlets.iter().enumerate() {
                make(task, node, port, &kept);
            }
            task.wiring.lifecycles.push(kept);
            Ok(())
        }),
    });
    builder.set_lookup(kept.node, vec![store], lookup);
    KTable::of(kept)
}

/// Keeps the last value of each key. The order of arrival counts, not that of time.
pub(crate) fn upsert<K: Data, V: Data>(stream: KStream<'_, K, Option<V>>, table: Keep<K, V>) -> KTable<'_, K, V> {
    keep(stream, table, |record: Record<K, Option<V>>, table, core| {
        let Record { key, value, timestamp, .. } = record;
        table.change(&key, (), core, |_| timestamp, |_| Ok(value)).map(drop)
    })
}

/// The time of an aggregate: the larger of the record's and the one it had.
pub(crate) fn later(timestamp: Timestamp) -> impl FnOnce(Option<Timestamp>) -> Timestamp {
    move |before| before.map_or(timestamp, |before| before.max(timestamp))
}
