//! Turns a customer's changes into output rows.
//!
//! It reads what `history` keeps, in its order, and decides nothing about arrival.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::cdc::{Cell, CustomerRow, Row};
use crate::customers::columns::{CustomerColumns, CustomerVersionColumns};
use crate::customers::history::Entry;

/// A customer's output rows; versions by shop and start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rows {
    pub(super) current: Option<CustomerColumns>,
    pub(super) versions: BTreeMap<(String, i64), CustomerVersionColumns>,
}

/// A version while the walk goes on.
struct Version<'a> {
    row: Cow<'a, CustomerRow>,
    start: i64,
    end: Option<i64>,
    /// When a delete took its personal columns.
    bare_since: Option<i64>,
}

/// The rows that these changes make.
///
/// A change's start is its own time, but not before its predecessor's start; it ends the version before it. Versions that end where they start
/// are left out, and so are snapshot rows that repeat their predecessor.
pub(super) fn rows(id: i64, entries: &[Entry]) -> Rows {
    let versions = versions(entries);
    let customer_id = id.to_string();
    let current = versions.last().filter(|version| version.end.is_none()).map(|version| current_row(&customer_id, version));
    let lasting = versions.iter().filter(|version| version.end != Some(version.start));
    let versions =
        lasting.map(|version| ((version.row.shop_id.clone(), version.start), version_row(&customer_id, version))).collect();
    Rows { current, versions }
}

/// The customer's row just before the change at that place, with what it left unsaid filled in; `None` after a delete and before the first.
pub(super) fn state_before(entries: &[Entry], at: usize) -> Option<CustomerRow> {
    let life = entries[..at].iter().rposition(|entry| entry.row.is_none()).map_or(0, |delete| delete + 1);
    entries[life..at].iter().fold(None, |state, entry| resolved(entry, state.as_deref())).map(Cow::into_owned)
}

/// Whether two rows say the same, as far as erased text still tells.
pub(super) fn same_content(left: &CustomerRow, right: &CustomerRow) -> bool {
    let plain = |row: &CustomerRow| (row.marketing_opt_in, row.created_at, row.updated_at);
    let personal = [(&left.email, &right.email), (&left.name, &right.name), (&left.phone, &right.phone)];
    left.shop_id == right.shop_id
        && left.country == right.country
        && plain(left) == plain(right)
        && personal.into_iter().all(|(left, right)| left.matches(right))
}

fn versions(entries: &[Entry]) -> Vec<Version<'_>> {
    let mut versions: Vec<Version<'_>> = Vec::with_capacity(entries.len());
    let mut state: Option<Cow<'_, CustomerRow>> = None;
    let mut last_start = i64::MIN;
    let mut life = 0;
    for entry in entries {
        let next = resolved(entry, state.as_deref());
        let repeats =
            entry.lsn.is_none() && next.as_deref().zip(state.as_deref()).is_some_and(|(next, state)| same_content(next, state));
        if repeats {
            continue;
        }
        let start = own_time(entry).max(last_start);
        if let Some(open) = versions.last_mut().filter(|version| version.end.is_none()) {
            open.end = Some(start);
        }
        if let Some(row) = &next {
            versions.push(Version { row: row.clone(), start, end: None, bare_since: None });
        } else {
            versions[life..].iter_mut().for_each(|version| version.bare_since = Some(start));
            life = versions.len();
        }
        state = next;
        last_start = start;
    }
    versions
}

fn resolved<'a>(entry: &'a Entry, state: Option<&CustomerRow>) -> Option<Cow<'a, CustomerRow>> {
    let mut row = Cow::Borrowed(entry.row.as_ref()?);
    if [&row.email, &row.name, &row.phone, &row.country].contains(&&Cell::Unavailable) {
        row.to_mut().resolve(state).expect("a row's shop is settled before it is kept");
    }
    Some(row)
}

fn own_time(entry: &Entry) -> i64 {
    match (&entry.row, entry.lsn) {
        (Some(row), None) => row.updated_at,
        _ => entry.ts_ms * 1_000,
    }
}

fn text(cell: &Cell) -> Option<String> {
    cell.as_text().map(str::to_owned)
}

fn current_row(customer_id: &str, version: &Version<'_>) -> CustomerColumns {
    let row = &version.row;
    CustomerColumns {
        shop_id: row.shop_id.clone(),
        customer_id: customer_id.to_owned(),
        email: text(&row.email),
        name: text(&row.name),
        phone: text(&row.phone),
        country: text(&row.country),
        marketing_opt_in: row.marketing_opt_in,
        created_at: row.created_at,
        source_updated_at: row.updated_at,
        valid_from: version.start,
        is_deleted: false,
        updated_at: version.start,
    }
}

fn version_row(customer_id: &str, version: &Version<'_>) -> CustomerVersionColumns {
    let row = &version.row;
    CustomerVersionColumns {
        shop_id: row.shop_id.clone(),
        customer_id: customer_id.to_owned(),
        valid_from: version.start,
        email: text(&row.email),
        name: text(&row.name),
        phone: text(&row.phone),
        country: text(&row.country),
        marketing_opt_in: row.marketing_opt_in,
        created_at: row.created_at,
        source_updated_at: row.updated_at,
        valid_to: version.end,
        is_current: version.end.is_none(),
        is_deleted: false,
        updated_at: version.bare_since.or(version.end).unwrap_or(version.start),
    }
}
