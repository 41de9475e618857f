//! How keys and values become bytes: narrow traits, resolved by type where bytes are made.
//!
//! Streams carry types, not serdes: a source, a repartition, a store or a sink asks for the type's [`DefaultSerde`] or is
//! handed another one. No lookup by name, and no schema lookup per record.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;

pub mod avro;
mod json;
mod primitives;

pub use json::JsonSerde;
pub use primitives::{BytesSerde, I64Serde, NullableSerde, StringSerde, UnitSerde};

/// What flows on an edge.
pub trait Data: Clone + Send + 'static {}
impl<T: Clone + Send + 'static> Data for T {}

/// Writes values of `T` as bytes.
pub trait Encode<T: ?Sized> {
    /// Appends `value` to `out`. On an error, what was appended is ignored by the caller.
    fn encode(&self, value: &T, out: &mut BytesMut) -> Result<(), SerdeError>;
}

/// Reads values of `T` from bytes.
pub trait Decode<T> {
    /// The value that all of `bytes` stands for.
    fn decode(&self, bytes: &[u8]) -> Result<T, SerdeError>;

    /// The value that a null stands for; an error where the type has none.
    fn decode_null(&self) -> Result<T, SerdeError> {
        Err(SerdeError::new("empty_value", "the record's value is null, and its type allows none"))
    }
}

/// Both directions.
pub trait Serde<T>: Encode<T> + Decode<T> + Send + Sync + 'static {
    /// Whether `value` is written as Kafka's null (a tombstone) rather than as bytes.
    fn is_null(&self, value: &T) -> bool {
        let _ = value;
        false
    }
}

/// A shared serde of `T`.
pub type SharedSerde<T> = Arc<dyn Serde<T>>;

/// The serde that a type has where none is given.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default serde",
    note = "implement `DefaultSerde` for it, or pass a serde with `Consumed::with`, `Produced::with`, `Materialized::with` or `Grouped::with`"
)]
pub trait DefaultSerde: Data {
    /// Its serde.
    fn default_serde() -> SharedSerde<Self>;
}

/// Bytes that are not a value of the type, or a value that has no bytes.
///
/// A record whose key or value fails ends in the dead-letter topic with `reason`, unless the error is [retriable](Self::is_retriable).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerdeError {
    /// One of the application's closed set of reasons.
    pub reason: &'static str,
    /// What is wrong, for a person.
    pub message: String,
    is_retriable: bool,
}

impl SerdeError {
    /// An error with a reason and a sentence.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), is_retriable: false }
    }

    /// What the serde depends on does not answer, such as a schema registry asked for an unknown schema id.
    ///
    /// It says nothing about the record, which must wait, and must not be dead-lettered. The reason is `internal`.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { reason: "internal", message: message.into(), is_retriable: true }
    }

    /// Whether the same bytes may be read later.
    pub const fn is_retriable(&self) -> bool {
        self.is_retriable
    }
}

impl fmt::Display for SerdeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SerdeError {}
