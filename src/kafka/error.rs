//! What can go wrong at the ports, told by what to do about it. Not the engine's own errors: those are `crate::error`.

use std::fmt;

/// An error of a Kafka client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaError {
    /// What the caller should do.
    pub kind: KafkaErrorKind,
    /// What happened, for a person.
    pub message: String,
}

/// What the caller of a port should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaErrorKind {
    /// Nothing was done; the same call may succeed later.
    Retriable,
    /// It took longer than allowed; whether it was done is unknown.
    Timeout,
    /// The transaction must be aborted (or its producer replaced).
    Abortable,
    /// Another producer, member or generation has taken over.
    Fenced,
    /// This client is of no more use; make another.
    Fatal,
    /// A topic or partition does not exist.
    UnknownTopic,
    /// An offset is not in the log (any more).
    OffsetOutOfRange,
    /// One record is too large or otherwise refused; the others are not.
    RecordRefused,
    /// Credentials or permissions.
    Denied,
    /// A setting of the client or a topic is wrong.
    Config,
}

impl KafkaError {
    /// An error of this kind.
    pub fn new(kind: KafkaErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KafkaError {}
