//! Why a record of an input is refused: the closed set of reasons that dead letters carry.
//!
//! It is vocabulary only. Which reason holds is decided by the module that reads the input; what becomes of the record, by the topology.

use std::fmt;

/// Why a record is dead-lettered. The variants stand in the order in which they are tested: of two that hold, the earlier is reported.
///
/// ```
/// use shoppulse::rejection::Reason;
///
/// assert_eq!(Reason::NotJson.as_str(), "not_json");
/// assert!(Reason::WrongType < Reason::MissingField);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The key is null, empty, not UTF-8, or for change records no JSON object with a whole-number `id`.
    BadKey,
    /// The value is null or has no bytes.
    EmptyValue,
    /// The value is longer than inputs may be.
    TooLarge,
    /// The value is not UTF-8.
    NotUtf8,
    /// The value is not JSON by RFC 8259, or nested too deeply.
    NotJson,
    /// The value is JSON, but no object.
    NotObject,
    /// A field holds another JSON type than it may.
    WrongType,
    /// A required field is absent.
    MissingField,
    /// An event's `type` is none of the six.
    UnknownType,
    /// A change's `op` is none of Debezium's.
    UnknownOp,
    /// A change's `op` is known and can't be followed (truncate).
    UnsupportedOp,
    /// A field has the right type and an impossible value.
    BadValue,
    /// A currency is no active ISO 4217 code with minor units.
    UnknownCurrency,
    /// A time is malformed or before 1970.
    BadTimestamp,
    /// The key names something else than the value.
    KeyMismatch,
    /// An event lies too far in the future of its own receipt.
    FutureTimestamp,
    /// The code that handled the record panicked.
    Internal,
}

impl Reason {
    /// All reasons, in the order in which they are tested.
    pub const ALL: [Self; 17] = [
        Self::BadKey,
        Self::EmptyValue,
        Self::TooLarge,
        Self::NotUtf8,
        Self::NotJson,
        Self::NotObject,
        Self::WrongType,
        Self::MissingField,
        Self::UnknownType,
        Self::UnknownOp,
        Self::UnsupportedOp,
        Self::BadValue,
        Self::UnknownCurrency,
        Self::BadTimestamp,
        Self::KeyMismatch,
        Self::FutureTimestamp,
        Self::Internal,
    ];

    /// The name that `dlq.reason` and the books carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadKey => "bad_key",
            Self::EmptyValue => "empty_value",
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotObject => "not_object",
            Self::WrongType => "wrong_type",
            Self::MissingField => "missing_field",
            Self::UnknownType => "unknown_type",
            Self::UnknownOp => "unknown_op",
            Self::UnsupportedOp => "unsupported_op",
            Self::BadValue => "bad_value",
            Self::UnknownCurrency => "unknown_currency",
            Self::BadTimestamp => "bad_timestamp",
            Self::KeyMismatch => "key_mismatch",
            Self::FutureTimestamp => "future_timestamp",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused record: the reason for machines, the sentence for people.
///
/// The sentence names fields and positions and never quotes values: it travels in headers, where nobody looks for personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {error}")]
pub struct Rejection {
    /// Which of the closed set.
    pub reason: Reason,
    /// One sentence on what was found where.
    pub error: String,
}

impl Rejection {
    /// A rejection with its sentence.
    pub fn new(reason: Reason, error: impl Into<String>) -> Self {
        Self { reason, error: error.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reason, Rejection};

    #[test]
    fn rule_15_reasons_are_listed_in_the_order_of_their_tests() {
        let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(
            names.join(", "),
            "bad_key, empty_value, too_large, not_utf8, not_json, not_object, wrong_type, missing_field, unknown_type, unknown_op, unsupported_op, \
             bad_value, unknown_currency, bad_timestamp, key_mismatch, future_timestamp, internal"
        );
        assert!(Reason::ALL.is_sorted());
    }

    #[test]
    fn rule_15_a_rejection_reads_as_reason_and_sentence() {
        let rejection = Rejection::new(Reason::MissingField, "messageId is absent");
        assert_eq!(rejection.to_string(), "missing_field: messageId is absent");
    }
}
