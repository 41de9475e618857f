//! One text column of a row, which a change may leave unsaid.
//!
//! PostgreSQL moves large values out of the row and leaves them out of the log when a change doesn't touch them; Debezium then writes a
//! marker. A cell keeps that apart from null, and stays comparable after its text was erased.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// What Debezium writes in place of a value that the log doesn't hold.
pub const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// The value of a text column.
///
/// ```
/// use shoppulse::cdc::Cell;
///
/// let known = Cell::from_text("Ada".into());
/// assert_eq!(known.as_text(), Some("Ada"));
/// assert_eq!(Cell::from_text("__debezium_unavailable_value".into()), Cell::Unavailable);
/// assert!(known.erased().matches(&known));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Cell {
    /// There is no value.
    #[default]
    Null,
    /// The value, which may be empty.
    Text(String),
    /// The change doesn't say; the value is the one before.
    Unavailable,
    /// The text is gone, at its owner's wish. Sixteen bits are left of it: enough to tell whether a snapshot repeats the row, too few to find
    /// the text by trying.
    Erased(u16),
}

impl Cell {
    /// The cell for a column's text; Debezium's marker makes it unavailable.
    #[must_use]
    pub fn from_text(text: Cow<'_, str>) -> Self {
        if text == UNAVAILABLE { Self::Unavailable } else { Self::Text(text.into_owned()) }
    }

    /// The text, if it is known and not null.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Unavailable | Self::Erased(_) => None,
        }
    }

    /// This cell, or the one before where this one doesn't say; null where nothing does.
    #[must_use]
    pub fn or_before<'a>(&'a self, before: Option<&'a Self>) -> &'a Self {
        match self {
            Self::Unavailable => before.unwrap_or(&Self::Null),
            known => known,
        }
    }

    /// Fills the cell from the one before, where it doesn't say.
    pub fn fill(&mut self, before: Option<&Self>) {
        if *self == Self::Unavailable {
            *self = before.cloned().unwrap_or_default();
        }
    }

    /// The cell without its text.
    #[must_use]
    pub fn erased(&self) -> Self {
        match self {
            Self::Text(text) => Self::Erased(digest(text)),
            other => other.clone(),
        }
    }

    /// Whether both hold the same value, as far as an erased one still tells.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(text), Self::Erased(bits)) | (Self::Erased(bits), Self::Text(text)) => digest(text) == *bits,
            _ => self == other,
        }
    }
}

fn digest(text: &str) -> u16 {
    xxh3_64(text.as_bytes()) as u16
}
