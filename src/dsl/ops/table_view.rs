//! Tables that keep nothing: `filter` and `map_values` of a table, as changes of what is kept before them.

use std::sync::Arc;

use crate::dsl::builder::NodeSpec;
use crate::dsl::change::Change;
use crate::dsl::ktable::KTable;
use crate::dsl::lookup::{self, ViewOf};
use crate::processor::ProcessError;
use crate::record::Record;
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Outlet};
use crate::topology::{OldValues, Role};

struct Filter<F, K, V> {
    keep: Arc<F>,
    /// Whether a join must hear of every change, since it may have looked through between two.
    tells_all: bool,
    outlet: Outlet<K, Change<V>>,
}

impl<K: Data, V: Data, F: Fn(&K, &V) -> bool> Forward<K, Change<V>> for Filter<F, K, V> {
    fn forward(&mut self, record: Record<K, Change<V>>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Record { key, value: Change { old, new, .. }, timestamp, headers } = record;
        let passes = |value: &V| (self.keep)(&key, value);
        let mut change = Change::new(old.filter(passes), new.filter(passes));
        // This table is always told old values, so what has none and is none never passed.
        change.is_void = change.old.is_none() && change.new.is_none();
        if change.is_void && !self.tells_all {
            core.ruling.end_branch("filter");
            return Ok(());
        }
        self.outlet.forward(Record { key, value: change, timestamp, headers }, core)
    }
}

/// A row that no longer passes is deleted; one that never passed is nothing.
pub(crate) fn filter<K: Data, V: Data>(
    table: KTable<'_, K, V>,
    keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
) -> KTable<'_, K, V> {
    let keep = Arc::new(keep);
    table.builder().want_old(table.changes.node, OldValues::Always);
    let passes = Arc::clone(&keep);
    let view = table.builder().add(NodeSpec {
        name: None,
        operator: "table_filter",
        role: Role::Operator,
        parents: vec![table.changes.node],
        stores: Vec::new(),
        instantiate: Arc::new(move |task, node| {
            let (keep, tells_all) = (Arc::clone(&passes), task.is_looked_into(node));
            task.operator::<K, Change<V>>(node, Filter { keep, tells_all, outlet: task.outlet(node) });
            Ok(())
        }),
    });
    look_through(table, KTable::of(view), Arc::new(move |key, value| Some(value).filter(|value| keep(key, value))))
}

struct MapValues<F, K, V2> {
    map: Arc<F>,
    /// Whether somebody needs old values; else a deletion passes unseen.
    maps_old: bool,
    outlet: Outlet<K, Change<V2>>,
}

impl<K: Data, V: Data, V2: Data, F: Fn(&K, &V) -> V2> Forward<K, Change<V>> for MapValues<F, K, V2> {
    fn forward(&mut self, record: Record<K, Change<V>>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Record { key, value: Change { old, new, is_void }, timestamp, headers } = record;
        let old = old.filter(|_| self.maps_old).map(|old| (self.map)(&key, &old));
        let change = Change { old, new: new.map(|new| (self.map)(&key, &new)), is_void };
        self.outlet.forward(Record { key, value: change, timestamp, headers }, core)
    }
}

pub(crate) fn map_values<K: Data, V: Data, V2: Data>(
    table: KTable<'_, K, V>,
    f: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
) -> KTable<'_, K, V2> {
    let f = Arc::new(f);
    let map = Arc::clone(&f);
    let view = table.builder().add(NodeSpec {
        name: None,
        operator: "table_map_values",
        role: Role::Operator,
        parents: vec![table.changes.node],
        stores: Vec::new(),
        instantiate: Arc::new(move |task, node| {
            let operator =
                MapValues { map: Arc::clone(&map), maps_old: task.old_values(node).is_some(), outlet: task.outlet(node) };
            task.operator::<K, Change<V>>(node, operator);
            Ok(())
        }),
    });
    look_through(table, KTable::of(view), Arc::new(move |key, value| Some(f(key, &value))))
}

fn look_through<'b, K: Data, V: Data, V2: Data>(
    table: KTable<'b, K, V>,
    view: KTable<'b, K, V2>,
    show: ViewOf<K, V, V2>,
) -> KTable<'b, K, V2> {
    let builder = table.builder();
    if let Some((stores, inner)) = builder.lookup::<K, V>(table.changes.node) {
        builder.set_lookup(view.changes.node, stores, lookup::through(inner, show));
    }
    view
}
