//! What became of one input record, in the words of the books.
//!
//! Not the rows that it changed: those travel beside the verdict.

use crate::rejection::Rejection;

/// The outcome of one record that passed, or failed, a state machine.
///
/// ```
/// use shoppulse::verdict::Verdict;
///
/// assert_eq!(Verdict::DUPLICATE_LSN.booking(), ("duplicate", "lsn"));
/// assert_eq!(Verdict::Processed.booking(), ("processed", ""));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It counts. The plain case; booked without a reason.
    Processed,
    /// It counts and replaces an earlier version of itself.
    Corrected,
    /// It says nothing new; the text is the booking's reason.
    Duplicate(&'static str),
    /// It is sound but has no effect; the text is the booking's reason.
    Filtered(&'static str),
    /// It can't be used and goes to the dead letters.
    Rejected(Rejection),
}

impl Verdict {
    /// A change that was seen before, by its place in the log or by its content.
    pub const DUPLICATE_LSN: Self = Self::Duplicate("lsn");
    /// A payment line's version that was seen before.
    pub const DUPLICATE_LINE: Self = Self::Duplicate("line_id");
    /// A change that newer ones have overtaken.
    pub const STALE: Self = Self::Filtered("stale");
    /// A delete of a row that never was.
    pub const UNKNOWN_ROW: Self = Self::Filtered("unknown_row");
    /// A delete's second record, which carries nothing.
    pub const TOMBSTONE: Self = Self::Filtered("tombstone");
    /// A logical message: it stands in the log but in no table.
    pub const NOT_A_ROW: Self = Self::Filtered("not_a_row");
    /// A payment line that belongs to no order.
    pub const NO_ORDER: Self = Self::Filtered("no_order");

    /// The `outcome` and `reason` under which the books count this record.
    #[must_use]
    pub fn booking(&self) -> (&'static str, &'static str) {
        match self {
            Self::Processed => ("processed", ""),
            Self::Corrected => ("processed", "corrected"),
            Self::Duplicate(reason) => ("duplicate", reason),
            Self::Filtered(reason) => ("filtered", reason),
            Self::Rejected(rejection) => ("dead_lettered", rejection.reason.as_str()),
        }
    }
}
