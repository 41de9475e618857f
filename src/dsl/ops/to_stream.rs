//! A table's changes as a stream of records.

use super::transform::transform;
use crate::dsl::change::Change;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::record::Record;
use crate::serde::Data;

pub(crate) fn to_stream<K: Data, V: Data>(table: KTable<'_, K, V>) -> KStream<'_, K, Option<V>> {
    transform(table.changes, "to_stream", |record: Record<K, Change<V>>, outlet, core| {
        let Record { key, value, timestamp, headers } = record;
        if value.is_void {
            return Ok(());
        }
        outlet.forward(Record { key, value: value.new, timestamp, headers }, core)
    })
}
