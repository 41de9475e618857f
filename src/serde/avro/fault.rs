//! The error of the codec: one sentence. Not an error of the registry, and not yet a [`SerdeError`].

use std::borrow::Cow;
use std::fmt;

use crate::serde::SerdeError;

/// What is wrong with a datum, or with a value that is to become one.
///
/// It is one pointer wide, as every field of every record returns a `Result` of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault(Box<Cow<'static, str>>);

impl Fault {
    /// The datum ends before its schema does.
    #[cold]
    pub(super) fn truncated() -> Self {
        Self::fixed("the datum is truncated")
    }

    #[cold]
    pub(super) fn fixed(sentence: &'static str) -> Self {
        Self(Box::new(Cow::Borrowed(sentence)))
    }

    #[cold]
    pub(super) fn new(sentence: String) -> Self {
        Self(Box::new(Cow::Owned(sentence)))
    }

    /// The same, with the place where it happened.
    pub(super) fn at(self, byte: usize) -> Self {
        Self::new(format!("{} (at byte {byte})", self.0))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl From<Fault> for SerdeError {
    fn from(fault: Fault) -> Self {
        Self::new("bad_value", *fault.0)
    }
}
