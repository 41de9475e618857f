//! Streams kept as tables. Keys that may have changed meet first, in a topic named after the store.

use super::keep::{Keep, keep, upsert};
use super::repartition::meeting;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::dsl::options::Repartitioned;
use crate::record::Record;
use crate::serde::Data;

pub(crate) fn to_table<K: Data, V: Data>(stream: KStream<'_, K, V>, options: Materialized<K, V>) -> KTable<'_, K, V> {
    let stream = if stream.key_changed {
        stream.repartition(Repartitioned::with(&options.name, options.key.clone(), options.value.clone()))
    } else {
        stream
    };
    keep(stream, Keep::new("to_table", options), |record: Record<K, V>, table, core| {
        let Record { key, value, timestamp, .. } = record;
        table.change(&key, (), core, |_| timestamp, |_| Ok(Some(value))).map(drop)
    })
}

pub(crate) fn upsert_table<K: Data, V: Data>(stream: KStream<'_, K, Option<V>>, options: Materialized<K, V>) -> KTable<'_, K, V> {
    let stream = meeting(stream, &options.name, &options.key, &options.value);
    upsert(stream, Keep::new("upsert_table", options))
}
