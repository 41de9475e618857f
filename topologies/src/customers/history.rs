//! What is remembered of one customer, and what a change does to it.
//!
//! All changes are kept, in the order of eras and LSNs that `cdc::era` describes, because a late one is placed among them and may move
//! every version behind it. Rows are computed from them afresh (`versions`), so the rows are a function of the changes and not of their
//! order of arrival. `packed` writes a change as its difference from the one before, some twenty bytes for an update of one column; a
//! customer's history has no other bound, since each of its versions is a row that the shop can still ask for.
//!
//! How the clauses of the contract are read here, beyond those of `cdc::era`:
//!
//! * **Late changes.** A streamed change that isn't the last is placed by era and LSN and counts as processed. If its place is taken already
//!   the first one stays: it is a repetition. Only a repetition of the newest streamed change counts as a duplicate.
//! * **Late snapshot rows** are stale, as everywhere.
//! * **Deletes** part the changes into lives. A delete takes the personal text of every change before it, in the state too, and of every one
//!   that later lands before it. A delete of a customer never seen is filtered but remembered, so that what arrives late for the time
//!   before it is bare.
//! * **The current row** is the last version, unless the last change is a delete.

use std::cmp::Ordering;

use crate::cdc::era::usable_place;
use crate::cdc::{Change, CustomerRow, LogPlace, Op, Row};
use crate::customers::columns::{CustomerColumns, CustomerVersionColumns};
use crate::customers::versions::{self, Rows};
use crate::verdict::Verdict;

/// A customer's changes, the oldest first.
///
/// ```
/// use shoppulse::cdc::{Change, Op};
/// use shoppulse::customers::CustomerState;
/// use shoppulse::verdict::Verdict;
///
/// let mut state = CustomerState::default();
/// let (verdict, rows) = state.apply(Change { id: 1, ts_ms: 5, op: Op::Delete { lsn: 9 } });
/// assert_eq!((verdict, rows), (Verdict::UNKNOWN_ROW, vec![]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerState {
    /// In the order of rule 32: eras, and in each the snapshot row, then by LSN.
    pub(super) entries: Vec<Entry>,
}

/// One change that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Place in the log; `None` for a snapshot row, which opens an era.
    pub(super) lsn: Option<i64>,
    /// Of a snapshot row: the log's place from which on changes follow it, if that is known.
    pub(super) from_lsn: Option<i64>,
    /// Commit time, or the snapshot's.
    pub(super) ts_ms: i64,
    /// The row after it, as the change says it; `None` for a delete.
    pub(super) row: Option<CustomerRow>,
}

/// A row that a change wrote or took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// For `curated.customers`.
    Current(CustomerColumns),
    /// For `curated.customer_history`.
    Version(CustomerVersionColumns),
}

/// Where an arriving change belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Insert(usize),
    Replace(usize),
    Known,
    Newest,
    Overtaken,
}

impl CustomerState {
    /// Takes a change in and tells which output rows differ because of it, the deleted ones first.
    pub fn apply(&mut self, change: Change<CustomerRow>) -> (Verdict, Vec<RowChange>) {
        let (id, at) = (change.id, change.event_time());
        let (place, entry) = self.place(change);
        match place {
            Place::Newest => return (Verdict::DUPLICATE_LSN, Vec::new()),
            Place::Overtaken => return (Verdict::STALE, Vec::new()),
            Place::Known => return (Verdict::Processed, Vec::new()),
            Place::Insert(_) | Place::Replace(_) => {}
        }
        let before = versions::rows(id, &self.entries);
        let verdict = match self.admit(place, entry) {
            Ok(verdict) => verdict,
            Err(verdict) => return (verdict, Vec::new()),
        };
        (verdict, differences(before, versions::rows(id, &self.entries), at))
    }

    /// The rows as they are: the current one, if there is one, and all versions.
    pub fn rows(&self, id: i64) -> (Option<CustomerColumns>, Vec<CustomerVersionColumns>) {
        let rows = versions::rows(id, &self.entries);
        (rows.current, rows.versions.into_values().collect())
    }

    fn place(&self, change: Change<CustomerRow>) -> (Place, Entry) {
        let ts_ms = change.ts_ms;
        match change.op {
            Op::Snapshot { row, place } => {
                let from_lsn = place.and_then(|place: LogPlace| usable_place(place, self.newest_lsn()));
                (self.place_of_snapshot(ts_ms), Entry { lsn: None, from_lsn, ts_ms, row: Some(row) })
            }
            Op::Upsert { lsn, row } => {
                (self.place_of_streamed(lsn, ts_ms), Entry { lsn: Some(lsn), from_lsn: None, ts_ms, row: Some(row) })
            }
            Op::Delete { lsn } => {
                (self.place_of_streamed(lsn, ts_ms), Entry { lsn: Some(lsn), from_lsn: None, ts_ms, row: None })
            }
        }
    }

    fn place_of_snapshot(&self, ts_ms: i64) -> Place {
        let Some(last) = self.entries.last() else { return Place::Insert(0) };
        let era_ts_ms = self.entries.iter().rfind(|entry| entry.lsn.is_none()).map_or(last.ts_ms, |entry| entry.ts_ms);
        match ts_ms.cmp(&last.ts_ms.max(era_ts_ms)) {
            Ordering::Less => Place::Overtaken,
            Ordering::Equal if last.lsn.is_some() => Place::Overtaken,
            Ordering::Equal => Place::Replace(self.entries.len() - 1),
            Ordering::Greater => Place::Insert(self.entries.len()),
        }
    }

    /// The newest place in the log that is known: that of the last era's last streamed change, or else the larger one of those before.
    fn newest_lsn(&self) -> Option<i64> {
        match self.entries.last() {
            Some(Entry { lsn: Some(lsn), .. }) => Some(*lsn),
            Some(era) => era.from_lsn.max(self.entries.iter().rev().find_map(|entry| entry.lsn)),
            None => None,
        }
    }

    fn place_of_streamed(&self, lsn: i64, ts_ms: i64) -> Place {
        let opens_era = |entry: &Entry| entry.lsn.is_none();
        let follows = |entry: &Entry| entry.ts_ms <= ts_ms || entry.from_lsn.is_some_and(|from| from <= lsn);
        let era_start = self.entries.iter().rposition(|entry| opens_era(entry) && follows(entry)).map_or(0, |at| at + 1);
        let era_length = self.entries[era_start..].iter().take_while(|entry| !opens_era(entry)).count();
        let era = &self.entries[era_start..era_start + era_length];
        match era.binary_search_by_key(&Some(lsn), |entry| entry.lsn) {
            Ok(at) if self.entries.iter().rposition(|entry| !opens_era(entry)) == Some(era_start + at) => Place::Newest,
            Ok(_) => Place::Known,
            Err(at) => Place::Insert(era_start + at),
        }
    }

    /// Puts the entry where it belongs, bare if a delete stands behind it, and strips what stands before it if it is a delete itself.
    fn admit(&mut self, place: Place, mut entry: Entry) -> Result<Verdict, Verdict> {
        let (Place::Insert(at) | Place::Replace(at)) = place else { return Err(Verdict::STALE) };
        let before = versions::state_before(&self.entries, at);
        if let Some(row) = &mut entry.row {
            resolve_shop(row, before.as_ref()).map_err(Verdict::Rejected)?;
        }
        let verdict = match (&entry.row, entry.lsn) {
            (None, _) if self.entries.is_empty() => Verdict::UNKNOWN_ROW,
            (Some(row), None) if self.repeats(row) => Verdict::DUPLICATE_LSN,
            _ => Verdict::Processed,
        };
        match &mut entry.row {
            None => self.entries[..at].iter_mut().for_each(Entry::erase),
            Some(_) if self.entries[at..].iter().any(|later| later.row.is_none()) => entry.erase(),
            Some(_) => {}
        }
        match place {
            Place::Replace(at) => self.entries[at] = entry,
            _ => self.entries.insert(at, entry),
        }
        Ok(verdict)
    }

    /// Whether a snapshot's row has the content that the customer has already.
    fn repeats(&self, row: &CustomerRow) -> bool {
        let Some(present) = versions::state_before(&self.entries, self.entries.len()) else { return false };
        let mut resolved = row.clone();
        resolved.resolve(Some(&present)).is_ok() && versions::same_content(&present, &resolved)
    }
}

impl Entry {
    fn erase(&mut self) {
        if let Some(row) = &mut self.row {
            for cell in [&mut row.email, &mut row.name, &mut row.phone] {
                *cell = cell.erased();
            }
        }
    }
}

/// The shop is settled on arrival, as it is a key; the other columns when rows are made, since a late change may still say them.
fn resolve_shop(row: &mut CustomerRow, before: Option<&CustomerRow>) -> Result<(), crate::rejection::Rejection> {
    let mut resolved = row.clone();
    resolved.resolve(before)?;
    row.shop_id = resolved.shop_id;
    Ok(())
}

/// What must be written so that the rows before become the rows after: what goes, then what comes, each in key order.
fn differences(mut before: Rows, after: Rows, at: i64) -> Vec<RowChange> {
    let mut changes = Vec::new();
    if let Some(old) = before.current.take_if(|old| after.current.as_ref().is_none_or(|new| new.shop_id != old.shop_id)) {
        changes.push(RowChange::Current(old.deleted(at)));
    }
    let gone = before.versions.iter().filter(|(key, _)| !after.versions.contains_key(*key));
    changes.extend(gone.map(|(_, old)| RowChange::Version(old.clone().deleted(at))));
    if after.current != before.current {
        changes.extend(after.current.map(RowChange::Current));
    }
    let fresh = after.versions.into_iter().filter(|(key, new)| before.versions.get(key) != Some(new));
    changes.extend(fresh.map(|(_, new)| RowChange::Version(new)));
    changes
}

#[cfg(test)]
mod tests;
