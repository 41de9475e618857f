//! What became of an input record: the outcomes that the books balance.

use std::fmt;

/// What became of an input record. For every input, `in` equals the sum of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was read.
    In,
    /// It did what it was meant to do.
    Processed,
    /// It was left out on purpose.
    Filtered,
    /// It was seen before.
    Duplicate,
    /// It came too late; it is in the late topic if there is one.
    Late,
    /// It could not be processed; it is in the dead-letter topic if there is one.
    DeadLettered,
}

impl Outcome {
    /// Its name in topics and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Processed => "processed",
            Self::Filtered => "filtered",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An outcome and why; the reason is empty where the outcome says all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// What became of the record.
    pub outcome: Outcome,
    /// Why: one of a closed set, or empty.
    pub reason: &'static str,
}

/// How a record's verdict forms while it travels.
///
/// An operator that rules on the whole record (a duplicate, a late record, a stale change) sets it for good. A `filter`
/// only lets one branch end: if another branch stores or sends something, the record was processed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ruling {
    ruled: Option<Verdict>,
    ended: Option<&'static str>,
    took_effect: bool,
}

impl Ruling {
    /// Rules on the whole record; the first ruling stands.
    pub(crate) fn rule(&mut self, outcome: Outcome, reason: &'static str) {
        self.ruled.get_or_insert(Verdict { outcome, reason });
    }

    /// A branch ended without an effect.
    pub(crate) fn end_branch(&mut self, reason: &'static str) {
        self.ended.get_or_insert(reason);
    }

    /// Something was stored or sent.
    pub(crate) fn take_effect(&mut self) {
        self.took_effect = true;
    }

    /// What became of the record, now that its traversal is over.
    pub(crate) fn verdict(self) -> Verdict {
        match (self.ruled, self.ended) {
            (Some(verdict), _) => verdict,
            (None, Some(reason)) if !self.took_effect => Verdict { outcome: Outcome::Filtered, reason },
            _ => Verdict { outcome: Outcome::Processed, reason: "" },
        }
    }
}
