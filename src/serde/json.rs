//! Values as JSON, for internal topics and stores of readable content. Not for raw input, which is parsed with borrowed fields where
//! it is validated.

use std::fmt;
use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Decode, Encode, Serde, SerdeError};

/// Reads and writes values of `T` as JSON.
///
/// ```
/// use bytes::BytesMut;
/// use highwater::serde::{Decode, Encode, JsonSerde};
///
/// let serde = JsonSerde::<Vec<u32>>::new();
/// let mut bytes = BytesMut::new();
/// serde.encode(&vec![1, 2], &mut bytes)?;
/// assert_eq!(&bytes[..], b"[1,2]");
/// assert_eq!(serde.decode(&bytes)?, [1, 2]);
/// assert_eq!(serde.decode(b"[1,").unwrap_err().reason, "not_json");
/// # Ok::<(), highwater::serde::SerdeError>(())
/// ```
pub struct JsonSerde<T> {
    value: PhantomData<fn() -> T>,
}

impl<T> JsonSerde<T> {
    /// The serde.
    pub const fn new() -> Self {
        Self { value: PhantomData }
    }
}

impl<T> Default for JsonSerde<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for JsonSerde<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for JsonSerde<T> {}

impl<T> fmt::Debug for JsonSerde<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonSerde")
    }
}

impl<T: Serialize> Encode<T> for JsonSerde<T> {
    fn encode(&self, value: &T, out: &mut BytesMut) -> Result<(), SerdeError> {
        serde_json::to_writer(out.writer(), value).map_err(|error| SerdeError::new("not_json", error.to_string()))
    }
}

impl<T: DeserializeOwned> Decode<T> for JsonSerde<T> {
    fn decode(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        serde_json::from_slice(bytes).map_err(|error| SerdeError::new("not_json", error.to_string()))
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for JsonSerde<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_types_json_is_not_json() {
        let serde = JsonSerde::<Vec<u32>>::new();
        for bad in ["", "{}", "[1] x", "[-1]", "\u{feff}[]", "[1.0]"] {
            assert_eq!(serde.decode(bad.as_bytes()).unwrap_err().reason, "not_json", "{bad}");
        }
        assert_eq!(serde.decode_null().unwrap_err().reason, "empty_value");
    }
}
