//! Where a change stands among the changes of its row, and what the row is after it.
//!
//! It is a pure state machine for tables of which only the newest state counts (orders, items). Customers, whose late changes are placed in
//! history, keep all changes (`customers::history`) and order them by the same rules.
//!
//! How the clauses of the contract are read here:
//!
//! * **Eras.** A row's changes fall into eras. The first has no snapshot row; each later one begins with one. A streamed change belongs to the
//!   last era whose snapshot it follows; if it follows none, to the first era. Within an era the snapshot row comes first and streamed changes
//!   follow by LSN. So LSNs are compared only inside an era: another database's start anew.
//! * **Following.** A change follows a snapshot that is not newer than its commit, and one whose place in the log is not behind its LSN. The
//!   second is needed because a snapshot's time is taken after its content was read, by up to the connector's whole lag: what was committed in
//!   between comes behind the snapshot row and carries an older time. A place is left out where LSNs have restarted since the row's last
//!   change, as a first snapshot that stands before it shows. An incremental one of the same database stands there only after the connector
//!   went back in the log, and has seen all that the row has: then what is newer than the row's last change follows.
//! * **The last change** is the last one of the last era, a delete as well. Its commit time, not the largest one ever seen, is what a snapshot
//!   row must exceed to begin an era, and its era's time as well, which may be later. At the same time it only replaces a last change that is itself a snapshot row: a streamed change of the
//!   same millisecond may have been in flight, and wins.
//! * **A transaction in flight at the snapshot** committed after it, so it lands in the snapshot's era, behind the snapshot row. **A replayed
//!   old snapshot** is not newer than the last change and is stale. **A new snapshot after LSNs restarted** begins an era that small LSNs extend.
//! * **The same content again.** A snapshot row that repeats the row's present content is a duplicate, yet its era begins: what was committed
//!   before it no longer counts as the newest. A deleted row has no content to repeat.
//! * **Duplicates.** A streamed change is a duplicate if it stands, by era and LSN, where the newest streamed change stands: in the last era
//!   that has one, which may lie before the last snapshot. What stands before it is stale, even if it was processed when it first came.
//! * **A row never seen** is one of which no change at all is remembered. A delete of it is filtered under its own reason, and remembered: what
//!   is older is stale, and a further delete is a change like any other.
//! * **Unavailable values** that `before` didn't tell are taken from the row as it was; after a delete, from nothing: they become null.
//! * **A rejected change** (its shop is unavailable, and nobody ever said it) leaves everything as it was.

use serde::{Deserialize, Serialize};

use crate::cdc::envelope::{Change, LogPlace, Op};
use crate::cdc::rows::Row;
use crate::stored::Stored;
use crate::verdict::Verdict;

/// What is remembered of one row.
///
/// ```
/// use shoppulse::cdc::rows::Amount;
/// use shoppulse::cdc::{Cell, Change, ItemRow, Op, RowState};
/// use shoppulse::verdict::Verdict;
///
/// let row = ItemRow { order_id: 1, sku: Cell::Null, title: Cell::Null, quantity: 2, unit_price: Amount::parse("9.5").expect("a decimal") };
/// let mut state = RowState::default();
/// let create = Change { id: 7, ts_ms: 1_000, op: Op::Upsert { lsn: 50, row: row.clone() } };
/// let (verdict, step) = state.apply(create.clone());
/// assert_eq!((verdict, step.and_then(|step| step.after)), (Verdict::Processed, Some(row)));
/// assert_eq!(state.apply(create).0, Verdict::DUPLICATE_LSN);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowState<R> {
    /// The row after its last change; `None` if that was a delete, or nothing came yet.
    row: Option<R>,
    /// Commit time of the last change; `None` before the first.
    last_ts_ms: Option<i64>,
    /// Snapshot time of the last era; `None` in the first era.
    era_ts_ms: Option<i64>,
    /// The log's place from which on changes follow the last era's snapshot; `None` where only times tell.
    era_lsn: Option<i64>,
    /// The newest streamed change.
    streamed: Option<Streamed>,
}

/// Where the newest streamed change stands: its era's bounds, and its place within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Streamed {
    lsn: i64,
    ts_ms: i64,
    from_ts_ms: Option<i64>,
    /// Snapshot time of the era after it; `None` while its era is the last.
    until_ts_ms: Option<i64>,
}

/// The row before and after a change that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<R> {
    /// The row as it was.
    pub before: Option<R>,
    /// The row as it is.
    pub after: Option<R>,
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It becomes the last change; a snapshot row begins an era, or replaces the last one's.
    Last,
    /// It stands where the newest streamed change stands.
    Same,
    /// Something stands behind it.
    Overtaken,
}

impl<R> Default for RowState<R> {
    fn default() -> Self {
        Self { row: None, last_ts_ms: None, era_ts_ms: None, era_lsn: None, streamed: None }
    }
}

impl<R: Row + Serialize + serde::de::DeserializeOwned> Stored for RowState<R> {
    const FORMAT: u8 = 2;
}

impl<R: Row> RowState<R> {
    /// The row as it is; `None` if it is deleted or unknown.
    pub fn row(&self) -> Option<&R> {
        self.row.as_ref()
    }

    /// Takes a change in. The step is there exactly if the verdict is [`Verdict::Processed`].
    pub fn apply(&mut self, change: Change<R>) -> (Verdict, Option<Step<R>>) {
        let ts_ms = change.ts_ms;
        match change.op {
            Op::Snapshot { row, place } => self.apply_snapshot(ts_ms, place, row),
            Op::Upsert { lsn, row } => self.apply_streamed(lsn, ts_ms, Some(row)),
            Op::Delete { lsn } => self.apply_streamed(lsn, ts_ms, None),
        }
    }

    fn apply_snapshot(&mut self, ts_ms: i64, place: Option<LogPlace>, mut row: R) -> (Verdict, Option<Step<R>>) {
        if self.place_of_snapshot(ts_ms) == Place::Overtaken {
            return (Verdict::STALE, None);
        }
        if let Err(rejection) = row.resolve(self.row.as_ref()) {
            return (Verdict::Rejected(rejection), None);
        }
        self.era_lsn = place.and_then(|place| usable_place(place, self.newest_lsn()));
        if let Some(streamed) = &mut self.streamed
            && self.era_ts_ms != Some(ts_ms)
        {
            streamed.until_ts_ms.get_or_insert(ts_ms);
        }
        self.era_ts_ms = Some(ts_ms);
        self.last_ts_ms = Some(ts_ms);
        if self.row.as_ref() == Some(&row) {
            return (Verdict::DUPLICATE_LSN, None);
        }
        (Verdict::Processed, Some(self.step_to(Some(row))))
    }

    fn apply_streamed(&mut self, lsn: i64, ts_ms: i64, mut row: Option<R>) -> (Verdict, Option<Step<R>>) {
        match self.place_of_streamed(lsn, ts_ms) {
            Place::Same => return (Verdict::DUPLICATE_LSN, None),
            Place::Overtaken => return (Verdict::STALE, None),
            Place::Last => {}
        }
        if let Some(row) = &mut row
            && let Err(rejection) = row.resolve(self.row.as_ref())
        {
            return (Verdict::Rejected(rejection), None);
        }
        let unknown = row.is_none() && self.last_ts_ms.is_none();
        self.streamed = Some(Streamed { lsn, ts_ms, from_ts_ms: self.era_ts_ms, until_ts_ms: None });
        self.last_ts_ms = Some(ts_ms);
        if unknown { (Verdict::UNKNOWN_ROW, None) } else { (Verdict::Processed, Some(self.step_to(row))) }
    }

    fn step_to(&mut self, after: Option<R>) -> Step<R> {
        let before = std::mem::replace(&mut self.row, after.clone());
        Step { before, after }
    }

    /// The newest place in the log that is known of the row.
    fn newest_lsn(&self) -> Option<i64> {
        match self.streamed {
            Some(streamed) if streamed.until_ts_ms.is_none() => Some(streamed.lsn),
            streamed => streamed.map(|streamed| streamed.lsn).max(self.era_lsn),
        }
    }

    fn place_of_snapshot(&self, ts_ms: i64) -> Place {
        let last_is_streamed = self.streamed.is_some_and(|streamed| streamed.until_ts_ms.is_none());
        match self.last_ts_ms.max(self.era_ts_ms) {
            Some(last) if ts_ms < last || (ts_ms == last && last_is_streamed) => Place::Overtaken,
            _ => Place::Last,
        }
    }

    fn place_of_streamed(&self, lsn: i64, ts_ms: i64) -> Place {
        let in_last_era = self.era_ts_ms.is_none_or(|era| era <= ts_ms) || self.era_lsn.is_some_and(|from| from <= lsn);
        match self.streamed {
            Some(newest) if newest.lsn == lsn && (newest.ts_ms == ts_ms || newest.covers(ts_ms)) => Place::Same,
            Some(newest) if in_last_era && newest.until_ts_ms.is_none() && newest.lsn > lsn => Place::Overtaken,
            _ if in_last_era => Place::Last,
            _ => Place::Overtaken,
        }
    }
}

/// The log's place from which on changes follow a snapshot row, told by the row and by the newest place that is known before it.
pub(crate) fn usable_place(place: LogPlace, newest: Option<i64>) -> Option<i64> {
    match newest {
        Some(newest) if newest > place.lsn => place.is_incremental.then(|| newest.saturating_add(1)),
        _ => Some(place.lsn),
    }
}

impl Streamed {
    /// Whether a change committed then belongs to this one's era.
    fn covers(&self, ts_ms: i64) -> bool {
        self.from_ts_ms.is_none_or(|from| from <= ts_ms) && self.until_ts_ms.is_none_or(|until| ts_ms < until)
    }
}

#[cfg(test)]
mod tests;
