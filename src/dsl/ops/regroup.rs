//! Tables grouped by another key: a change takes its old value out of one group and puts its new one into another.

use std::sync::Arc;

use super::keep::{Keep, keep, later};
use super::transform::transform;
use crate::dsl::change::Change;
use crate::dsl::grouped_table::KGroupedTable;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::record::Record;
use crate::serde::{Data, SharedSerde};
use crate::topology::OldValues;

/// A table's changes by their new keys: both values in one record if the group stays, else first the old one, then the new.
pub(crate) fn regroup<K: Data, V: Data, K2: Data, V2: Data>(
    table: KTable<'_, K, V>,
    key_serde: SharedSerde<K2>,
    f: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
) -> KStream<'_, K2, Change<V2>> {
    table.builder().want_old(table.changes.node, OldValues::Always);
    let regrouped = transform(table.changes, "regroup", move |record: Record<K, Change<V>>, outlet, core| {
        let Record { key, value: Change { old, new, .. }, timestamp, headers } = record;
        let of = |key: K2, old: Option<V2>, new: Option<V2>| Record {
            key,
            value: Change::new(old, new),
            timestamp,
            headers: headers.clone(),
        };
        match (old.map(|old| f(&key, &old)), new.map(|new| f(&key, &new))) {
            (Some((old_key, old)), Some((new_key, new))) => {
                let scratch = &mut core.scratch;
                scratch.key.clear();
                scratch.value.clear();
                key_serde.encode(&old_key, &mut scratch.key)?;
                key_serde.encode(&new_key, &mut scratch.value)?;
                if scratch.key == scratch.value {
                    return outlet.forward(of(new_key, Some(old), Some(new)), core);
                }
                outlet.forward(of(old_key, Some(old), None), core)?;
                outlet.forward(of(new_key, None, Some(new)), core)
            }
            (Some((key, old)), None) => outlet.forward(of(key, Some(old), None), core),
            (None, Some((key, new))) => outlet.forward(of(key, None, Some(new)), core),
            (None, None) => Ok(()),
        }
    });
    KStream { key_changed: true, ..regrouped }
}

/// What takes a value out of an aggregate, or puts one in.
pub(crate) type FoldOf<K, V, A> = Arc<dyn Fn(&K, &V, &mut A) + Send + Sync>;

/// The author's functions.
pub(crate) struct Folds<K, V, A> {
    pub(crate) init: Arc<dyn Fn() -> A + Send + Sync>,
    pub(crate) add: FoldOf<K, V, A>,
    pub(crate) subtract: FoldOf<K, V, A>,
}

/// Subtracts before it adds.
pub(crate) fn aggregate<'b, K: Data, V: Data, A: Data>(
    grouped: &KGroupedTable<'b, K, V>,
    options: Materialized<K, A>,
    folds: Folds<K, V, A>,
) -> KTable<'b, K, A> {
    let stream = grouped.meeting(&options.name);
    keep(stream, Keep::new("table_aggregate", options), move |record: Record<K, Change<V>>, table, core| {
        let Record { key, value: Change { old, new, .. }, timestamp, .. } = record;
        let changed = table.change(&key, (), core, later(timestamp), |current| {
            let mut aggregate = current.value()?;
            if let (Some(old), Some(aggregate)) = (&old, &mut aggregate) {
                (folds.subtract)(&key, old, aggregate);
            }
            if let Some(new) = &new {
                (folds.add)(&key, new, aggregate.get_or_insert_with(|| (folds.init)()));
            }
            Ok(aggregate)
        });
        changed.map(drop)
    })
}

pub(crate) fn reduce<'b, K: Data, V: Data>(
    grouped: &KGroupedTable<'b, K, V>,
    options: Materialized<K, V>,
    add: impl Fn(V, &V) -> V + Send + Sync + 'static,
    subtract: impl Fn(V, &V) -> V + Send + Sync + 'static,
) -> KTable<'b, K, V> {
    let stream = grouped.meeting(&options.name);
    keep(stream, Keep::new("table_reduce", options), move |record: Record<K, Change<V>>, table, core| {
        let Record { key, value: Change { old, new, .. }, timestamp, .. } = record;
        let changed = table.change(&key, (), core, later(timestamp), |current| {
            let reduced = match (current.value()?, &old) {
                (Some(reduced), Some(old)) => Some(subtract(reduced, old)),
                (reduced, _) => reduced,
            };
            Ok(match (reduced, new) {
                (Some(reduced), Some(new)) => Some(add(reduced, &new)),
                (reduced, new) => reduced.or(new),
            })
        });
        changed.map(drop)
    })
}
