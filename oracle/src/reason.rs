//! The verdicts on an input record, and the closed set of reasons for a dead letter in the order in which they are tested.

/// The reasons for dead letters, in the order in which they are tested (rule 15). `internal`, a caught panic, is not among
/// them: no input may cause it.
pub const REASONS: [&str; 16] = [
    "bad_key",
    "empty_value",
    "too_large",
    "not_utf8",
    "not_json",
    "not_object",
    "wrong_type",
    "missing_field",
    "unknown_type",
    "unknown_op",
    "unsupported_op",
    "bad_value",
    "unknown_currency",
    "bad_timestamp",
    "key_mismatch",
    "future_timestamp",
];

/// Why a record is dead-lettered. The order of the variants is the order of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    BadKey,
    EmptyValue,
    TooLarge,
    NotUtf8,
    NotJson,
    NotObject,
    WrongType,
    MissingField,
    UnknownType,
    UnknownOp,
    UnsupportedOp,
    BadValue,
    UnknownCurrency,
    BadTimestamp,
    KeyMismatch,
    FutureTimestamp,
}

impl Reason {
    /// The reason as the headers spell it.
    pub(crate) fn text(self) -> &'static str {
        REASONS[self as usize]
    }
}

/// Everything that is wrong with a record; the first in the order of the tests counts.
#[derive(Debug, Default)]
pub(crate) struct Problems(Option<Reason>);

impl Problems {
    /// Notes one problem. The order of the calls does not matter.
    pub(crate) fn note(&mut self, reason: Reason) {
        self.0 = Some(self.0.map_or(reason, |first| first.min(reason)));
    }

    /// Notes a problem if `wrong` holds.
    pub(crate) fn note_if(&mut self, wrong: bool, reason: Reason) {
        if wrong {
            self.note(reason);
        }
    }

    /// The first problem, if there is any.
    pub(crate) fn first(&self) -> Result<(), Reason> {
        self.0.map_or(Ok(()), Err)
    }
}

/// What became of an input record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Processed(&'static str),
    Filtered(&'static str),
    Duplicate(&'static str),
    Late(&'static str),
    DeadLettered(Reason),
}

impl Verdict {
    /// The columns `outcome` and `reason` of the books.
    pub(crate) fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Processed(reason) => ("processed", reason),
            Self::Filtered(reason) => ("filtered", reason),
            Self::Duplicate(reason) => ("duplicate", reason),
            Self::Late(reason) => ("late", reason),
            Self::DeadLettered(reason) => ("dead_lettered", reason.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_problem_in_the_order_of_the_tests_counts() {
        let mut problems = Problems::default();
        assert_eq!(problems.first(), Ok(()));
        for (noted, first) in [
            (Reason::KeyMismatch, Reason::KeyMismatch),
            (Reason::FutureTimestamp, Reason::KeyMismatch),
            (Reason::WrongType, Reason::WrongType),
            (Reason::MissingField, Reason::WrongType),
        ] {
            problems.note(noted);
            assert_eq!(problems.first(), Err(first));
        }
    }

    #[test]
    fn the_variants_and_the_texts_stand_in_the_same_order() {
        assert_eq!(Reason::BadKey.text(), "bad_key");
        assert_eq!(Reason::MissingField.text(), "missing_field");
        assert_eq!(Reason::UnknownCurrency.text(), "unknown_currency");
        assert_eq!(Reason::FutureTimestamp.text(), "future_timestamp");
    }
}
