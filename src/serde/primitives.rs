//! Serdes of the plain types: bytes, strings, integers, nothing, and `Option` for values that may be tombstones.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::{Data, Decode, DefaultSerde, Encode, Serde, SerdeError, SharedSerde};

/// Bytes as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerde;

impl Encode<Bytes> for BytesSerde {
    fn encode(&self, value: &Bytes, out: &mut BytesMut) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }
}

impl Decode<Bytes> for BytesSerde {
    fn decode(&self, bytes: &[u8]) -> Result<Bytes, SerdeError> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}

impl Serde<Bytes> for BytesSerde {}

impl DefaultSerde for Bytes {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(BytesSerde)
    }
}

/// UTF-8 text.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringSerde;

impl Encode<String> for StringSerde {
    fn encode(&self, value: &String, out: &mut BytesMut) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }
}

impl Decode<String> for StringSerde {
    fn decode(&self, bytes: &[u8]) -> Result<String, SerdeError> {
        let text = std::str::from_utf8(bytes).map_err(|error| SerdeError::new("not_utf8", error.to_string()))?;
        Ok(text.to_owned())
    }
}

impl Serde<String> for StringSerde {}

impl DefaultSerde for String {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(StringSerde)
    }
}

/// 64-bit integers in the byte order of Kafka's own serializers (big-endian).
#[derive(Clone, Copy, Debug, Default)]
pub struct I64Serde;

macro_rules! integer_serde {
    ($($integer:ty),*) => {$(
        impl Encode<$integer> for I64Serde {
            fn encode(&self, value: &$integer, out: &mut BytesMut) -> Result<(), SerdeError> {
                out.put_slice(&value.to_be_bytes());
                Ok(())
            }
        }

        impl Decode<$integer> for I64Serde {
            fn decode(&self, bytes: &[u8]) -> Result<$integer, SerdeError> {
                let bytes = bytes.try_into().map_err(|_| SerdeError::new("bad_value", format!("an integer of 8 bytes has {}", bytes.len())))?;
                Ok(<$integer>::from_be_bytes(bytes))
            }
        }

        impl Serde<$integer> for I64Serde {}

        impl DefaultSerde for $integer {
            fn default_serde() -> SharedSerde<Self> {
                Arc::new(I64Serde)
            }
        }
    )*};
}

integer_serde!(i64, u64);

/// Nothing, as no bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnitSerde;

impl Encode<()> for UnitSerde {
    fn encode(&self, (): &(), _: &mut BytesMut) -> Result<(), SerdeError> {
        Ok(())
    }
}

impl Decode<()> for UnitSerde {
    fn decode(&self, _: &[u8]) -> Result<(), SerdeError> {
        Ok(())
    }
}

impl Serde<()> for UnitSerde {}

impl DefaultSerde for () {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(UnitSerde)
    }
}

/// `Option<T>` as `T` or Kafka's null: for values that may be tombstones.
pub struct NullableSerde<T>(pub SharedSerde<T>);

impl<T> std::fmt::Debug for NullableSerde<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NullableSerde")
    }
}

impl<T: Data> Encode<Option<T>> for NullableSerde<T> {
    fn encode(&self, value: &Option<T>, out: &mut BytesMut) -> Result<(), SerdeError> {
        value.as_ref().map_or(Ok(()), |value| self.0.encode(value, out))
    }
}

impl<T: Data> Decode<Option<T>> for NullableSerde<T> {
    fn decode(&self, bytes: &[u8]) -> Result<Option<T>, SerdeError> {
        self.0.decode(bytes).map(Some)
    }

    fn decode_null(&self) -> Result<Option<T>, SerdeError> {
        Ok(None)
    }
}

impl<T: Data> Serde<Option<T>> for NullableSerde<T> {
    fn is_null(&self, value: &Option<T>) -> bool {
        value.is_none()
    }
}

impl<T: DefaultSerde> DefaultSerde for Option<T> {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(NullableSerde(T::default_serde()))
    }
}
