//! Rows: a table's changes as stamped rows, and a deletion as the last row and a tombstone.

use super::keep::{Keep, upsert};
use super::table::Skips;
use super::transform::transform;
use crate::dsl::change::Change;
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::dsl::row::{Row, RowStamp};
use crate::processor::ProcessError;
use crate::record::{Headers, Record, Timestamp};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::Outlet;
use crate::topology::OldValues;

/// A table's changes as rows.
pub(crate) fn to_rows<K: Data, V: Data, R: Row>(
    table: KTable<'_, K, V>,
    row: impl Fn(&K, &V) -> R + Send + Sync + 'static,
) -> KStream<'_, R::Key, Option<R>> {
    table.builder().want_old(table.changes.node, OldValues::OfDeletions);
    let rows = transform(table.changes, "to_rows", move |record: Record<K, Change<V>>, outlet, core| {
        let Record { key, value: Change { old, new, .. }, timestamp, .. } = record;
        let old = old.map(|old| row(&key, &old));
        match (old, new) {
            (Some(old), None) => delete(old, timestamp, outlet, core),
            (_, Some(new)) => put(row(&key, &new), timestamp, outlet, core),
            (None, None) => Ok(()),
        }
    });
    KStream { key_changed: true, ..rows }
}

fn put<R: Row>(
    mut row: R,
    timestamp: Timestamp,
    outlet: &Outlet<R::Key, Option<R>>,
    core: &mut TaskCore,
) -> Result<(), ProcessError> {
    let key = row.key();
    row.stamp(stamp(false, timestamp, core));
    outlet.forward(Record { key, value: Some(row), timestamp, headers: Headers::new() }, core)
}

/// The row and the tombstone go one behind the other: readers of the topic see the last row, compaction the end of it.
fn delete<R: Row>(
    mut row: R,
    timestamp: Timestamp,
    outlet: &Outlet<R::Key, Option<R>>,
    core: &mut TaskCore,
) -> Result<(), ProcessError> {
    let key = row.key();
    row.stamp(stamp(true, timestamp, core));
    outlet.forward(Record { key: key.clone(), value: Some(row), timestamp, headers: Headers::new() }, core)?;
    outlet.forward(Record { key, value: None, timestamp, headers: Headers::new() }, core)
}

fn stamp(is_deleted: bool, timestamp: Timestamp, core: &mut TaskCore) -> RowStamp {
    RowStamp { row_version: core.versions.next(), is_deleted, timestamp, processed_at: core.now }
}

/// A stream of rows, made by hand, as a table that tells each row once.
pub(crate) fn upsert_rows<R: Row>(
    stream: KStream<'_, R::Key, Option<R>>,
    options: Materialized<R::Key, R>,
) -> KStream<'_, R::Key, Option<R>> {
    let mut table = Keep::new("upsert_rows", options);
    table.skips = Skips::EqualRows;
    to_rows(upsert(stream, table), |_, row: &R| row.clone())
}
