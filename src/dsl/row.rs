//! `Row`: what an output topic holds of a table's entry, one row for a key, numbered and stamped when it is emitted.

use crate::record::Timestamp;
use crate::serde::Data;

/// A row of a compacted output topic.
///
/// Leave the stamped columns at their defaults when you make one: equal rows must be equal before they are stamped.
pub trait Row: Data {
    /// The columns that identify it.
    type Key: Data;

    /// Its key.
    fn key(&self) -> Self::Key;

    /// Fills in what only its emission knows.
    ///
    /// For a row that is deleted it also clears what must not outlive it, such as personal columns.
    fn stamp(&mut self, stamp: RowStamp);
}

/// What a row's emission knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowStamp {
    /// Greater than that of any row of this key before.
    pub row_version: i64,
    /// Whether the row is gone. A tombstone follows it.
    pub is_deleted: bool,
    /// The event time of the change that it tells, and the time that the record is stamped with.
    pub timestamp: Timestamp,
    /// The wall clock.
    pub processed_at: Timestamp,
}
