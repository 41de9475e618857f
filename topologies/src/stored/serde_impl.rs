//! The serde of [`Stored`] values, for stores and internal topics.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::BytesMut;
use highwater::serde::{Data, Decode, Encode, Serde, SerdeError, SharedSerde};

use super::Stored;

/// Reads and writes a [`Stored`] value.
#[derive(Debug)]
pub struct StoredSerde<T>(PhantomData<fn() -> T>);

impl<T: Stored + Data> StoredSerde<T> {
    /// As stores and internal topics take it.
    pub fn shared() -> SharedSerde<T> {
        Arc::new(Self(PhantomData))
    }
}

impl<T: Stored> Encode<T> for StoredSerde<T> {
    fn encode(&self, value: &T, out: &mut BytesMut) -> Result<(), SerdeError> {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        out.extend_from_slice(&bytes);
        Ok(())
    }
}

impl<T: Stored> Decode<T> for StoredSerde<T> {
    fn decode(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        T::decode(bytes).map_err(|error| SerdeError::new("internal", error.to_string()))
    }
}

impl<T: Stored + 'static> Serde<T> for StoredSerde<T> {}
