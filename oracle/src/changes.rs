//! Debezium envelopes: from a record of a `cdc` topic to a change of one row, or to the verdict that it is none
//! (rules 19, 31, 34, 35).

use crate::input::Placed;
use crate::json::{self, Object};
use crate::reason::{Problems, Reason, Verdict};
use crate::tables::{Row, Table};

/// One change of a row.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The row's primary key.
    pub(crate) id: i64,
    pub(crate) origin: Origin,
    /// Where in the log a snapshot row stands, and whether it was taken beside the stream; none for streamed changes.
    pub(crate) place: Option<(i64, bool)>,
    /// The commit time in the shop's database.
    pub(crate) ts_ms: i64,
    /// The row after the change; none is a delete. Cells that even `before` lacks are still unavailable.
    pub(crate) after: Option<Row>,
}

/// Where a change comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Snapshot,
    /// From the log, at this LSN.
    Stream(i64),
}

/// Reads a record of a table's topic.
pub(crate) fn read(table: &Table, placed: &Placed<'_>) -> Result<Change, Verdict> {
    let value = placed.record.value.as_deref();
    if value.is_none() {
        return Err(Verdict::Filtered("tombstone"));
    }
    let id = key_id(placed.record.key.as_deref());
    let envelope = Object::read(value);
    let op = envelope.as_ref().ok().and_then(|envelope| json::string(envelope.get("op")?));
    if id.is_none() && !matches!(op.as_deref(), Some("t" | "m")) {
        return Err(Verdict::DeadLettered(Reason::BadKey));
    }
    let envelope = envelope.map_err(Verdict::DeadLettered)?;
    match op.as_deref() {
        Some("m") => Err(Verdict::Filtered("not_a_row")),
        _ => read_row_change(table, id.unwrap_or_default(), &envelope, op.as_deref()).map_err(Verdict::DeadLettered),
    }
}

/// The whole number `id` of a key that is a JSON object.
fn key_id(key: Option<&[u8]>) -> Option<i64> {
    json::whole_number(Object::read(key).ok()?.get("id")?)?.parse().ok()
}

fn read_row_change(table: &Table, id: i64, envelope: &Object<'_>, op: Option<&str>) -> Result<Change, Reason> {
    let mut problems = Problems::default();
    let p = &mut problems;
    p.note_if(envelope.get("op").is_some_and(|raw| !json::is_string(raw)), Reason::WrongType);
    p.note_if(op.is_none_or(str::is_empty), Reason::MissingField);
    p.note_if(!matches!(op, Some("c" | "u" | "d" | "r" | "t")), Reason::UnknownOp);
    p.note_if(op == Some("t"), Reason::UnsupportedOp);
    let [source, before, after] = ["source", "before", "after"].map(|name| {
        p.note_if(envelope.get(name).is_some_and(|raw| !raw.starts_with('{')), Reason::WrongType);
        envelope.object(name)
    });
    let source = source.unwrap_or_default();
    let (ts_ms, lsn) = (integer(&source, "ts_ms", p), integer(&source, "lsn", p));
    let (is_change, is_delete, is_snapshot) = (matches!(op, Some("c" | "u" | "d" | "r")), op == Some("d"), op == Some("r"));
    p.note_if(is_change && ts_ms.is_none(), Reason::MissingField);
    p.note_if(is_change && !is_snapshot && lsn.is_none(), Reason::MissingField);
    p.note_if(is_change && !is_delete && after.is_none(), Reason::MissingField);
    let after = after.filter(|_| is_change && !is_delete).map(|object| read_after(table, id, &object, before.as_ref(), p));
    problems.first()?;
    let origin = if is_snapshot { Origin::Snapshot } else { Origin::Stream(lsn.unwrap_or_default()) };
    let place = if is_snapshot { place(&source, lsn) } else { None };
    Ok(Change { id, origin, place, ts_ms: ts_ms.unwrap_or_default(), after })
}

/// The first snapshot names its place itself; an incremental one names the event of the stream behind which it was let out.
fn place(source: &Object<'_>, lsn: Option<i64>) -> Option<(i64, bool)> {
    let of_stream = || {
        let sequence = json::string(source.get("sequence")?)?;
        let [_, event]: [Option<String>; 2] = serde_json::from_str(&sequence).ok()?;
        Some((event?.parse().ok()?, true))
    };
    lsn.map(|lsn| (lsn, false)).or_else(of_stream)
}

fn read_after(table: &Table, id: i64, after: &Object<'_>, before: Option<&Object<'_>>, problems: &mut Problems) -> Row {
    let row = Row::read(table, after, problems);
    problems.note_if(row.number("id") != Some(id), Reason::KeyMismatch);
    // `before` only helps out: what is wrong with it is not the change's fault.
    let before = before.map(|object| Row::read(table, object, &mut Problems::default()));
    row.filled_from(before.as_ref())
}

fn integer(object: &Object<'_>, name: &str, problems: &mut Problems) -> Option<i64> {
    let raw = object.get(name)?;
    let number = json::whole_number(raw).map(str::parse);
    problems.note_if(number.is_none(), Reason::WrongType);
    problems.note_if(matches!(number, Some(Err(_))), Reason::BadValue);
    // A number that is wrong is not missing; what stands for it is never used.
    Some(number.and_then(Result::ok).unwrap_or_default())
}
