//! How state values and internal messages become bytes: a format version, then the fields, packed.
//!
//! Not the format of any output topic: those are Avro.

use serde::Serialize;
use serde::de::DeserializeOwned;

mod serde_impl;

pub use serde_impl::StoredSerde;

/// Why bytes of a store or an internal topic can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// There are no bytes, not even the version.
    #[error("the value is empty: a format version was expected")]
    Empty,
    /// Another build wrote them.
    #[error("format version {found} can't be read, only {expected}: run the build that wrote it, or reset the application")]
    Version {
        /// The version that the bytes open with.
        found: u8,
        /// The version that this build reads and writes.
        expected: u8,
    },
    /// They are damaged.
    #[error("the value is damaged: {0}")]
    Damaged(String),
}

/// A value that lies in a store or crosses an internal topic.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use shoppulse::stored::Stored;
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Count(u64);
/// impl Stored for Count {
///     const FORMAT: u8 = 1;
/// }
///
/// let mut bytes = Vec::new();
/// Count(7).encode(&mut bytes);
/// assert_eq!(bytes, [1, 7]);
/// assert_eq!(Count::decode(&bytes), Ok(Count(7)));
/// ```
pub trait Stored: Serialize + DeserializeOwned {
    /// The version that the bytes open with; raised when the fields change.
    const FORMAT: u8;

    /// Appends the version and the packed fields.
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(Self::FORMAT);
        postcard::to_io(self, out).expect("plain structs always have a packed form, and memory takes every write");
    }

    /// Reads back what [`encode`](Self::encode) wrote, all of it.
    fn decode(bytes: &[u8]) -> Result<Self, StoredError> {
        let (&found, fields) = bytes.split_first().ok_or(StoredError::Empty)?;
        if found != Self::FORMAT {
            return Err(StoredError::Version { found, expected: Self::FORMAT });
        }
        match postcard::take_from_bytes(fields) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(StoredError::Damaged(format!("{} bytes too many", rest.len()))),
            Err(error) => Err(StoredError::Damaged(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Stored for (u8, String) {
        const FORMAT: u8 = 3;
    }

    #[test]
    fn bytes_that_another_version_wrote_or_that_are_damaged_are_refused() {
        type Value = (u8, String);
        let mut bytes = Vec::new();
        (5_u8, "ab".to_owned()).encode(&mut bytes);
        assert_eq!(bytes, [3, 5, 2, b'a', b'b']);
        assert_eq!(Value::decode(&bytes), Ok((5, "ab".to_owned())));
        assert_eq!(Value::decode(&[]), Err(StoredError::Empty));
        assert_eq!(Value::decode(&[2, 5]), Err(StoredError::Version { found: 2, expected: 3 }));
        assert!(matches!(Value::decode(&bytes[..4]), Err(StoredError::Damaged(_))));
        bytes.push(0);
        assert!(matches!(Value::decode(&bytes), Err(StoredError::Damaged(_))));
    }
}
