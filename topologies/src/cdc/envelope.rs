//! Reads one record of a change topic: Debezium's envelope, with or without the row's full image before.
//!
//! It judges the record alone; whether the change still counts is `era`'s business. Not read: `ts_ms` of the connector, `transaction`, and
//! `source.snapshot` (a string in some versions, a boolean in others): `op` says the same.
//!
//! A snapshot row tells where in the log it stands, in one of two ways, both seen from Debezium 3.6: the first snapshot in `source.lsn`,
//! where its transaction began to see; an incremental one, whose `source.lsn` is null, as the second number of `source.sequence`, the log's
//! event at which its rows were let out. Its `source.ts_ms` is a clock's at some later moment, so changes that it missed may be older.

use crate::cdc::columns::{Columns, Faults};
use crate::cdc::rows::Row;
use crate::object::{self, Kind, Object, Whole};
use crate::rejection::{Reason, Rejection};
use crate::verdict::Verdict;

/// What a record of a change topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<R> {
    /// A row came, changed or went.
    Change(Change<R>),
    /// A delete's second record, for compaction's sake.
    Tombstone,
    /// A message that some program wrote into the log (`op = m`).
    LogicalMessage,
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<R> {
    /// The row's primary key, from the record's key.
    pub id: i64,
    /// When the change was committed, or the snapshot taken, in milliseconds: `source.ts_ms`.
    pub ts_ms: i64,
    /// What happened.
    pub op: Op<R>,
}

/// What happened to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<R> {
    /// A snapshot found the row so (`op = r`).
    Snapshot {
        /// The row.
        row: R,
        /// Where in the log, if it tells.
        place: Option<LogPlace>,
    },
    /// It was inserted or updated (`op = c`, `u`).
    Upsert {
        /// Where in the log.
        lsn: i64,
        /// The row after it.
        row: R,
    },
    /// It was deleted (`op = d`).
    Delete {
        /// Where in the log.
        lsn: i64,
    },
}

/// Where in the log a snapshot row stands: changes from here on are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// The position.
    pub lsn: i64,
    /// Whether the snapshot was taken beside the stream of changes, hence of the same database.
    pub is_incremental: bool,
}

impl<R> Message<R> {
    /// The change, or the verdict on a record that holds none.
    ///
    /// ```
    /// use shoppulse::cdc::{ItemRow, Message};
    /// use shoppulse::verdict::Verdict;
    ///
    /// assert_eq!(Message::<ItemRow>::Tombstone.into_change(), Err(Verdict::TOMBSTONE));
    /// ```
    pub fn into_change(self) -> Result<Change<R>, Verdict> {
        match self {
            Self::Change(change) => Ok(change),
            Self::Tombstone => Err(Verdict::TOMBSTONE),
            Self::LogicalMessage => Err(Verdict::NOT_A_ROW),
        }
    }
}

const MICROS_A_MILLI: i64 = 1_000;

impl<R: Row> Change<R> {
    /// The change's own time in microseconds: its commit, or for a snapshot when the row was last written, since a snapshot's own time says
    /// nothing about the row. A table without such a column takes the snapshot's.
    pub fn event_time(&self) -> i64 {
        let snapshot = if let Op::Snapshot { row, .. } = &self.op { row.written_at() } else { None };
        snapshot.unwrap_or(self.ts_ms * MICROS_A_MILLI)
    }
}

/// Reads a record; the rejection is the one that the contract's order of tests finds first.
///
/// ```
/// use shoppulse::cdc::{self, ItemRow, Message, Op};
///
/// let value = br#"{"op":"d","before":{"id":7},"after":null,"source":{"lsn":90,"ts_ms":1700000000000}}"#;
/// let Ok(Message::Change(change)) = cdc::read::<ItemRow>(Some(br#"{"id":7}"#), Some(value)) else { panic!() };
/// assert_eq!((change.id, change.op), (7, Op::Delete { lsn: 90 }));
/// assert_eq!(cdc::read::<ItemRow>(Some(br#"{"id":7}"#), None), Ok(Message::Tombstone));
/// ```
pub fn read<R: Row>(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Message<R>, Rejection> {
    let Some(value) = value else {
        return Ok(Message::Tombstone);
    };
    match read_key(key) {
        Ok(id) => read_value(Some(id), value),
        // Truncates and logical messages have no key: whether this is one is told before the key is judged.
        Err(_) if is_keyless(value) => read_value(None, value),
        Err(rejection) => Err(rejection),
    }
}

fn read_key(key: Option<&[u8]>) -> Result<i64, Rejection> {
    let bad = |what: &str| Rejection::new(Reason::BadKey, what);
    let key = key.filter(|key| !key.is_empty()).ok_or_else(|| bad("the key is empty"))?;
    let object = Object::of_bytes(key).map_err(|rejection| bad(&rejection.error.replace("the value", "the key")))?;
    match object.get("id").map(object::whole) {
        Some(Whole::Value(id)) => Ok(id),
        Some(Whole::TooLarge) => Err(bad("the key's `id` is outside 64 bits")),
        Some(Whole::Other) => Err(bad("the key's `id` is not a whole number")),
        None => Err(bad("the key has no `id`")),
    }
}

fn is_keyless(value: &[u8]) -> bool {
    Object::of_bytes(value).ok().and_then(|object| object.text("op")).is_some_and(|op| op == "t" || op == "m")
}

fn read_value<R: Row>(id: Option<i64>, value: &[u8]) -> Result<Message<R>, Rejection> {
    let envelope = Object::of_record(value)?;
    match (envelope.text("op").as_deref(), id) {
        (Some("m"), _) => Ok(Message::LogicalMessage),
        (op, Some(id)) if op != Some("t") => read_change(id, &envelope).map(Message::Change),
        _ => Err(refuse_truncate(&envelope)),
    }
}

/// A truncate names no row, but what is of a wrong type in it is found first, as in every change.
fn refuse_truncate(envelope: &Object<'_>) -> Rejection {
    let mut faults = Faults::default();
    let [source, _, _] = ["source", "before", "after"].map(|name| object_member(envelope, name, &mut faults));
    let source = source.unwrap_or_default();
    for name in ["ts_ms", "lsn"] {
        if source.get(name).is_some() {
            let _ = source_field(&source, name, &mut faults);
        }
    }
    faults.note(Reason::UnsupportedOp, || "a truncate can't be followed row by row: take a new snapshot and reset".to_owned());
    faults.into_first()
}

fn read_change<R: Row>(id: i64, envelope: &Object<'_>) -> Result<Change<R>, Rejection> {
    let mut faults = Faults::default();
    let [source, before, after] = ["source", "before", "after"].map(|name| object_member(envelope, name, &mut faults));
    let op = Columns::of_message(envelope, &mut faults).required_text("op");
    let source = source.unwrap_or_default();
    // What a record must hold depends on its op, so an unknown one misses nothing.
    let is_known = matches!(op.as_deref(), Some("c" | "u" | "d" | "r"));
    let ts_ms = if is_known { commit_time(&source, &mut faults) } else { None };
    let op = match op.as_deref() {
        None => None,
        Some("r") => {
            let place = log_place(&source, &mut faults);
            read_row(id, after.as_ref(), before.as_ref(), &mut faults).map(|row| Op::Snapshot { row, place })
        }
        Some("c" | "u") => {
            let lsn = source_field(&source, "lsn", &mut faults);
            let row = read_row(id, after.as_ref(), before.as_ref(), &mut faults);
            lsn.zip(row).map(|(lsn, row)| Op::Upsert { lsn, row })
        }
        Some("d") => source_field(&source, "lsn", &mut faults).map(|lsn| Op::Delete { lsn }),
        Some(_) => {
            faults.note(Reason::UnknownOp, || "`op` is none of c, u, d, r, t, m".to_owned());
            None
        }
    };
    faults.settle(ts_ms.zip(op).map(|(ts_ms, op)| Change { id, ts_ms, op }))
}

/// A member that is an object; absent and wrong ones come out as `None`, the wrong noted.
fn object_member<'a>(envelope: &Object<'a>, name: &str, faults: &mut Faults) -> Option<Object<'a>> {
    let member = envelope.get(name)?;
    if object::kind(member) != Kind::Object {
        faults.note(Reason::WrongType, || format!("`{name}` is not an object"));
        return None;
    }
    Object::of_member(member)
}

/// The commit time, which must still be a time when it is counted in microseconds.
fn commit_time(source: &Object<'_>, faults: &mut Faults) -> Option<i64> {
    let ts_ms = source_field(source, "ts_ms", faults)?;
    if ts_ms.checked_mul(MICROS_A_MILLI).is_none() {
        faults.note(Reason::BadValue, || "`source.ts_ms` is outside the times that can be told".to_owned());
        return None;
    }
    Some(ts_ms)
}

/// Where a snapshot row stands. What can't be read of a `sequence` is as if it were not there: it is a hint, not a column.
fn log_place(source: &Object<'_>, faults: &mut Faults) -> Option<LogPlace> {
    if let Some(lsn) = Columns::of_row(source, None, faults).whole("lsn") {
        return Some(LogPlace { lsn, is_incremental: false });
    }
    let sequence = source.text("sequence")?;
    let [_, event]: [Option<String>; 2] = serde_json::from_str(&sequence).ok()?;
    Some(LogPlace { lsn: event?.parse().ok()?, is_incremental: true })
}

/// A number of `source`; absent where there is no `source`.
fn source_field(source: &Object<'_>, name: &str, faults: &mut Faults) -> Option<i64> {
    Columns::of_row(source, None, faults).required_whole(name)
}

fn read_row<'a, R: Row>(id: i64, after: Option<&Object<'a>>, before: Option<&Object<'a>>, faults: &mut Faults) -> Option<R> {
    let Some(after) = after else {
        faults.note(Reason::MissingField, || "`after` is missing".to_owned());
        return None;
    };
    let mut columns = Columns::of_row(after, before, faults);
    let row_id = columns.required_whole("id");
    if row_id.is_some_and(|row_id| row_id != id) {
        columns.faults().note(Reason::KeyMismatch, || "`after.id` is not the key's `id`".to_owned());
    }
    R::read(&mut columns)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod captured;
