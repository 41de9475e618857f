//! What can go wrong with a task's state, told apart by what the caller has to do about it.
//! It is not the engine's error: that one wraps these.

/// Why a task's state could not be opened.
///
/// `Stale`, `Format`, `Corrupt` and `StoresChanged` have one cure: [`TaskState::destroy`](crate::TaskState::destroy) and a
/// restore from the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The state was last known to follow its log too long ago: deletes that it never saw may be gone from the log by now.
    #[error("the state is {age_ms} ms old, which is beyond what its log remembers of deletes")]
    Stale {
        /// How long ago the state was last stamped; negative if the stamp lies in the future.
        age_ms: i64,
    },
    /// The state was written in a layout that this version does not read.
    #[error("the state has format {found}, this version reads format {expected}")]
    Format {
        /// The version that was found.
        found: u32,
        /// The version that this crate reads and writes.
        expected: u32,
    },
    /// Files are missing, cut or damaged.
    #[error("the state is corrupt: {0}")]
    Corrupt(String),
    /// A store of this name exists with another kind, or changed between logged and unlogged.
    #[error("store `{store}` was {found}, now it is {expected}")]
    StoresChanged {
        /// The store's name.
        store: String,
        /// What it is on disk.
        found: String,
        /// What the caller wants it to be.
        expected: String,
    },
    /// Somebody else, in this process or another one, has the state open.
    #[error("the state is open elsewhere")]
    Locked,
    /// The specifications themselves are wrong, such as a name that is used twice.
    #[error("the stores are specified wrongly: {0}")]
    BadSpecs(String),
    /// The file system refused; a retry may help.
    #[error("the state can't be opened: {0}")]
    Io(String),
}

impl OpenError {
    /// Whether destroying the state and restoring it from the log cures this error.
    ///
    /// ```
    /// use highwater_state::OpenError;
    /// assert!(OpenError::Stale { age_ms: 90_000_000 }.is_cured_by_rebuild());
    /// assert!(!OpenError::Locked.is_cured_by_rebuild());
    /// ```
    pub fn is_cured_by_rebuild(&self) -> bool {
        matches!(self, Self::Stale { .. } | Self::Format { .. } | Self::Corrupt(_) | Self::StoresChanged { .. })
    }
}

impl From<StateError> for OpenError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Corrupt(what) => Self::Corrupt(what),
            StateError::Locked => Self::Locked,
            other => Self::Io(other.to_string()),
        }
    }
}

/// Why an operation on an open state failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// What was read is damaged: destroy the state and restore it from the log.
    #[error("the state is corrupt: {0}")]
    Corrupt(String),
    /// A record of the log is not of the layout that its store writes; the state is unchanged.
    #[error("a record of the log of store `{store}` can't be read: {reason}")]
    BadLogRecord {
        /// The store whose log it is.
        store: String,
        /// What is wrong with the record.
        reason: String,
    },
    /// The store is of another kind than the operation.
    #[error("store `{store}` is not a {wanted} store")]
    WrongKind {
        /// The store's name.
        store: String,
        /// The kind that the operation needs.
        wanted: &'static str,
    },
    /// An argument is beyond what the layout can hold.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// Somebody else has the state open.
    #[error("the state is open elsewhere")]
    Locked,
    /// The file system or RocksDB refused.
    #[error("the state can't be read or written: {0}")]
    Io(String),
}
