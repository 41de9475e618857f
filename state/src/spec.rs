//! What a task's stores are called and how they behave: plain values, no logic beyond checking them.

use crate::error::OpenError;

/// How a store is organised.
///
/// A key-value store with timestamps is `KeyValue`: the caller puts the timestamp in the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Key to value, in key order.
    KeyValue,
    /// (Key, window start) to value.
    Window {
        /// How long after its start a window is kept; the caller expires, this is what it goes by.
        retention_ms: i64,
    },
    /// (Key, session start, session end) to value.
    Session {
        /// How long after its end a session is kept; the caller expires, this is what it goes by.
        retention_ms: i64,
    },
    /// 128-bit identities, each with the hour in which it was kept.
    Dedup {
        /// How many hours an identity is remembered; the caller expires, this is what it goes by.
        memory_hours: u32,
    },
}

impl StoreKind {
    /// The kind's name as messages and the catalogue on disk have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::KeyValue => "key-value",
            Self::Window { .. } => "window",
            Self::Session { .. } => "session",
            Self::Dedup { .. } => "dedup",
        }
    }
}

/// One store of a task.
///
/// ```
/// use highwater_state::{StoreKind, StoreSpec};
/// let spec = StoreSpec::new("sessions", StoreKind::Session { retention_ms: 86_400_000 });
/// assert!(spec.logged);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSpec {
    /// The author's name; it finds the store again after the order of the stores has changed.
    pub name: String,
    /// How the store is organised.
    pub kind: StoreKind,
    /// Whether the store's changes are logged, so that it can be restored.
    pub logged: bool,
}

impl StoreSpec {
    /// A logged store.
    pub fn new(name: impl Into<String>, kind: StoreKind) -> Self {
        Self { name: name.into(), kind, logged: true }
    }

    /// The same store without a log: it is lost with its disk.
    #[must_use]
    pub fn unlogged(mut self) -> Self {
        self.logged = false;
        self
    }
}

/// Checks that names are there, and there once.
pub(crate) fn check_specs(specs: &[StoreSpec]) -> Result<(), OpenError> {
    if specs.len() > usize::from(u16::MAX) - 2 {
        return Err(OpenError::BadSpecs(format!("a task has at most {} stores", u16::MAX - 2)));
    }
    for (index, spec) in specs.iter().enumerate() {
        if spec.name.is_empty() {
            return Err(OpenError::BadSpecs("a store needs a name".to_owned()));
        }
        if specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(OpenError::BadSpecs(format!("two stores are named `{}`", spec.name)));
        }
    }
    Ok(())
}

/// A store of one task: its index in the specifications that the task's state was opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub u16);

/// How far a store has followed its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The identity of the log, so that a log that was deleted and made anew is not mistaken for the old one.
    pub log_id: [u8; 16],
    /// The first position that is not yet applied.
    pub next: i64,
}
