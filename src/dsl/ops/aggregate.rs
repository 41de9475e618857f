//! Aggregates of a grouped stream by key: aggregate, reduce, and from them count.

use super::aggregator::{Aggregator, RecordPosition};
use super::keep::{Keep, NULL_VALUE, Step, keep, later};
use crate::dsl::grouped::KGroupedStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::record::Record;
use crate::serde::{Data, SharedSerde};

/// Adds each record to the aggregate of its key. A record without a value adds nothing.
pub(crate) fn step<K: Data, V: Data, A: Data>(value: SharedSerde<V>, aggregator: Aggregator<K, V, A>) -> impl Step<K, V, A> {
    move |record: Record<K, V>, table: &mut _, core: &mut _| {
        if value.is_null(&record.value) {
            core.ruling.end_branch(NULL_VALUE);
            return Ok(());
        }
        let position = RecordPosition::of_input(core);
        let changed = table.change(&record.key, (), core, later(record.timestamp), |current| {
            let mut aggregate = current.value()?.unwrap_or_else(|| (aggregator.init)());
            (aggregator.add)(&record, position, &mut aggregate);
            Ok(Some(aggregate))
        });
        changed.map(drop)
    }
}

pub(crate) fn aggregate<'b, K: Data, V: Data, A: Data>(
    grouped: &KGroupedStream<'b, K, V>,
    options: Materialized<K, A>,
    aggregator: Aggregator<K, V, A>,
) -> KTable<'b, K, A> {
    let stream = grouped.meeting(&options.name);
    keep(stream, Keep::new("aggregate", options), step(grouped.grouped.value.clone(), aggregator))
}

pub(crate) fn reduce<'b, K: Data, V: Data>(
    grouped: &KGroupedStream<'b, K, V>,
    options: Materialized<K, V>,
    f: impl Fn(V, V) -> V + Send + Sync + 'static,
) -> KTable<'b, K, V> {
    let stream = grouped.meeting(&options.name);
    let serde = grouped.grouped.value.clone();
    keep(stream, Keep::new("reduce", options), move |record: Record<K, V>, table, core| {
        let Record { key, value, timestamp, .. } = record;
        if serde.is_null(&value) {
            core.ruling.end_branch(NULL_VALUE);
            return Ok(());
        }
        let changed = table.change(&key, (), core, later(timestamp), |current| {
            Ok(Some(match current.value()? {
                Some(reduced) => f(reduced, value),
                None => value,
            }))
        });
        changed.map(drop)
    })
}
