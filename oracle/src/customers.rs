//! `cdc…customers` → `curated.customers` and `curated.customer_history` (rules 36–37).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::books::Books;
use crate::changes::{self, Origin};
use crate::expected::Expected;
use crate::input::{InputRecord, partitions_of};
use crate::row_log::{Keep, Resolved, RowLog};
use crate::tables::{CUSTOMERS, Row};

const TOPOLOGY: &str = "customers";
const MILLI_MICROS: i64 = crate::time::MILLI_MICROS;

/// Books all changes of customers and adds their rows.
pub(crate) fn run(records: &[InputRecord], books: &mut Books, expected: &mut Expected) {
    let mut logs: BTreeMap<i64, RowLog> = BTreeMap::new();
    for placed in partitions_of(records, CUSTOMERS.topic).into_values().flatten() {
        let verdict = match changes::read(&CUSTOMERS, &placed) {
            Ok(change) => logs.entry(change.id).or_default().arrive(change, Keep::History),
            Err(verdict) => verdict,
        };
        books.book(TOPOLOGY, &placed, verdict);
    }
    for (id, log) in logs {
        add_rows(&id.to_string(), &log.resolved(), expected);
    }
}

/// A stretch of a customer's history that begins at `start`; without a row the customer did not exist in it.
struct Version {
    start: i64,
    row: Option<Row>,
}

fn add_rows(id: &str, changes: &[Resolved], expected: &mut Expected) {
    let mut versions = versions(changes);
    if let Some(Version { start, row: Some(row) }) = versions.last() {
        let mut current = columns(id, row, *start, true);
        current["is_deleted"] = json!(false);
        expected.add_row("curated.customers", current);
    }
    // What comes before the last delete is kept without the person.
    let last_delete = versions.iter().rposition(|version| version.row.is_none()).unwrap_or(0);
    let ends: Vec<Option<i64>> = versions.iter().skip(1).map(|next| Some(next.start)).chain([None]).collect();
    for (index, (version, end)) in versions.drain(..).zip(ends).enumerate() {
        let Some(row) = version.row.filter(|_| end != Some(version.start)) else {
            continue;
        };
        let mut history = columns(id, &row, version.start, index >= last_delete);
        history["valid_to"] = json!(end);
        history["is_current"] = json!(end.is_none());
        history["is_deleted"] = json!(false);
        expected.add_row("curated.customer_history", history);
    }
}

/// Every change is a version, but for a snapshot row that says what its predecessor said.
fn versions(changes: &[Resolved]) -> Vec<Version> {
    let mut versions: Vec<Version> = vec![];
    for change in changes {
        let predecessor = versions.last();
        let known = predecessor.and_then(|version| version.row.as_ref());
        if change.origin == Origin::Snapshot && known.is_some() && known == change.after.as_ref() {
            continue;
        }
        let own_time = match (change.origin, &change.after) {
            (Origin::Snapshot, Some(row)) => row.time("updated_at").unwrap_or_default(),
            _ => change.ts_ms.saturating_mul(MILLI_MICROS),
        };
        let start = predecessor.map_or(own_time, |version| own_time.max(version.start));
        versions.push(Version { start, row: change.after.clone() });
    }
    versions
}

fn columns(id: &str, row: &Row, valid_from: i64, with_person: bool) -> Value {
    let personal = |name: &str| row.text(name).filter(|_| with_person);
    json!({
        "shop_id": row.text("shop_id"),
        "customer_id": id,
        "email": personal("email"),
        "name": personal("name"),
        "phone": personal("phone"),
        "country": row.text("country"),
        "marketing_opt_in": row.flag("marketing_opt_in"),
        "created_at": row.time("created_at"),
        "source_updated_at": row.time("updated_at"),
        "valid_from": valid_from,
    })
}
