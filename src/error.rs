//! The engine's error: one type, one word wide, whose kind says what is to be done.
//!
//! A record that cannot be processed is not an error of the engine: see [`ProcessError`](crate::processor::ProcessError).

use std::fmt;

use crate::kafka::{KafkaError, KafkaErrorKind};
use crate::record::TaskId;

/// What went wrong, and by its kind what to do about it.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What is to be done about an error. A kind exists only where somebody acts differently on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The program's graph is wrong: its author mends the code. Never at run time.
    Topology,
    /// A setting, a topic or a permission is wrong: the operator mends it. Stops the start (exit code 78).
    Config,
    /// A broker, the registry or a disk is away: wait and try again, within a bound (exit code 69).
    Unavailable,
    /// The outcome of a transaction is unknown or it must be aborted: replace the producer, go back to what is committed.
    Transaction,
    /// Others own our tasks now: close them without a commit and join again.
    Migrated,
    /// A task's local state does not match its changelog: wipe it and restore.
    Corrupted(Vec<TaskId>),
    /// Somebody asked for the end.
    Closed,
    /// A broken assumption of the engine: stop, and report the bug (exit code 1).
    Internal,
}

impl ErrorKind {
    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Topology => "topology",
            Self::Config => "config",
            Self::Unavailable => "unavailable",
            Self::Transaction => "transaction",
            Self::Migrated => "migrated",
            Self::Corrupted(_) => "corrupted",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// A wrong graph.
    #[cold]
    pub fn topology(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Topology, message)
    }

    /// A wrong setting or topic.
    #[cold]
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A broken assumption.
    #[cold]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// What to do.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The same error, told with what was being done.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.message = format!("{doing}: {}", self.0.message);
        self
    }

    /// The same error with another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// The same error; if it says that local state is corrupt and not whose, it is this task's.
    #[must_use]
    pub(crate) fn of_task(mut self, task: &TaskId) -> Self {
        if let ErrorKind::Corrupted(tasks) = &mut self.0.kind
            && tasks.is_empty()
        {
            tasks.push(task.clone());
        }
        self
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<KafkaError> for Error {
    #[cold]
    fn from(error: KafkaError) -> Self {
        let kind = match error.kind {
            KafkaErrorKind::Retriable | KafkaErrorKind::Timeout => ErrorKind::Unavailable,
            KafkaErrorKind::Abortable | KafkaErrorKind::Fatal | KafkaErrorKind::RecordRefused => ErrorKind::Transaction,
            KafkaErrorKind::Fenced => ErrorKind::Migrated,
            KafkaErrorKind::UnknownTopic | KafkaErrorKind::Denied | KafkaErrorKind::Config | KafkaErrorKind::OffsetOutOfRange => {
                ErrorKind::Config
            }
        };
        Self::new(kind, error.message.clone()).caused_by(error)
    }
}

impl From<highwater_state::StateError> for Error {
    #[cold]
    fn from(error: highwater_state::StateError) -> Self {
        use highwater_state::StateError;
        let kind = match error {
            StateError::Corrupt(_) => ErrorKind::Corrupted(Vec::new()),
            StateError::Io(_) => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, format!("local state: {error}")).caused_by(error)
    }
}
