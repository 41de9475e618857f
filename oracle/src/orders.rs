//! `cdc…orders` and `cdc…order_items`: which rows live now.

use std::collections::BTreeMap;

use crate::books::Books;
use crate::changes;
use crate::input::{InputRecord, partitions_of};
use crate::row_log::{Keep, RowLog};
use crate::tables::{Row, Table};

/// Books all changes of a table for `topology`, and returns the rows that exist now, by id.
pub(crate) fn live_rows(records: &[InputRecord], table: &Table, topology: &'static str, books: &mut Books) -> BTreeMap<i64, Row> {
    let mut logs: BTreeMap<i64, RowLog> = BTreeMap::new();
    for placed in partitions_of(records, table.topic).into_values().flatten() {
        let verdict = match changes::read(table, &placed) {
            Ok(change) => logs.entry(change.id).or_default().arrive(change, Keep::State),
            Err(verdict) => verdict,
        };
        books.book(topology, &placed, verdict);
    }
    logs.into_iter().filter_map(|(id, log)| Some((id, log.state()?))).collect()
}
