//! Tables that keep nothing: `filter` and `map_values` of a table, as changes of what is kept before them.

use std::sync::Arc;

use super::transform::transform;
use crate::dsl::change::Change;
use crate::dsl::ktable::KTable;
use crate::dsl::lookup::{self, ViewOf};
use crate::record::Record;
use crate::serde::Data;
use crate::topology::OldValues;

/// A row that no longer passes is deleted; one that never passed is nothing.
pub(crate) fn filter<'b, K: Data, V: Data>(
    table: KTable<'b, K, V>,
    keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
) -> KTable<'b, K, V> {
    let keep = Arc::new(keep);
    table.builder().want_old(table.changes.node, OldValues::Always);
    let passes = Arc::clone(&keep);
    let view = transform(table.changes, "table_filter", move |record: Record<K, Change<V>>, outlet, core| {
        let Record { key, value: Change { old, new }, timestamp, headers } = record;
        let (old, new) = (old.filter(|old| passes(&key, old)), new.filter(|new| passes(&key, new)));
        if old.is_none() && new.is_none() {
            core.ruling.end_branch("filter");
            return Ok(());
        }
        outlet.forward(Record { key, value: Change { old, new }, timestamp, headers }, core)
    });
    look_through(table, KTable::of(view), Arc::new(move |key, value| Some(value).filter(|value| keep(key, value))))
}

pub(crate) fn map_values<'b, K: Data, V: Data, V2: Data>(
    table: KTable<'b, K, V>,
    f: impl Fn(&K, &V) -> V2 + Send + Sync + 'static,
) -> KTable<'b, K, V2> {
    let f = Arc::new(f);
    let map = Arc::clone(&f);
    let view = transform(table.changes, "table_map_values", move |record: Record<K, Change<V>>, outlet, core| {
        let Record { key, value: Change { old, new }, timestamp, headers } = record;
        let change = Change { old: old.map(|old| map(&key, &old)), new: new.map(|new| map(&key, &new)) };
        outlet.forward(Record { key, value: change, timestamp, headers }, core)
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
