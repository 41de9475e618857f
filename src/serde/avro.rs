//! Avro records in the wire format of schema registries. Start reading at [`AvroSerde`]; what is not here: schemas and row types,
//! which are the application's.
//!
//! * `wire`: the five bytes before a datum.
//! * `shape`, `write`, `read`, `cursor`: the codec, compiled from a schema once, one pass per record.
//! * `resolve`: data of older and newer schemas.
//! * `registry`, `client`, `http`, `cache`, `offline`: schema ids, looked up at start and for unknown ids, never per record.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

use apache_avro::Schema;
use bytes::BytesMut;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned};

use super::{Data, Decode, Encode, Serde, SerdeError, SharedSerde};

mod cache;
mod client;
mod cursor;
mod fault;
mod foreign;
mod http;
mod offline;
mod read;
mod registry;
mod resolve;
mod shape;
mod wire;
mod write;

pub use cache::CACHE_FILE;
pub use client::{RegistrySettings, SchemaRegistry};
pub use http::RegistryAuth;
pub use offline::MemoryRegistry;
pub use registry::{Registry, RegistryError, SchemaId, SharedRegistry};

use foreign::{Foreign, Plan};
use shape::Shape;

/// Reads and writes values of `T` as Avro, with the schema bound at start.
///
/// `T`'s fields equal the schema's, in name, order and type. A record of another schema id is brought into this schema's layout first
/// (Avro's schema resolution), by a plan that is made once per id.
///
/// Errors have the reason `bad_value`; those of an unknown id while the registry does not answer are
/// [retriable](SerdeError::is_retriable) instead, since the record may be sound.
///
/// ```
/// use std::sync::Arc;
///
/// use bytes::BytesMut;
/// use highwater::serde::avro::{AvroSerde, MemoryRegistry, SharedRegistry};
/// use highwater::serde::{Decode, Encode};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Reading {
///     sensor: String,
///     celsius: Option<f64>,
/// }
///
/// const SCHEMA: &str = r#"{"type":"record","name":"Reading","fields":[
///     {"name":"sensor","type":"string"},
///     {"name":"celsius","type":["null","double"],"default":null}]}"#;
///
/// let registry: SharedRegistry = Arc::new(MemoryRegistry::new());
/// let serde = AvroSerde::<Reading>::bind(&registry, "readings-value", SCHEMA)?;
/// let reading = Reading { sensor: "roof".into(), celsius: Some(21.5) };
/// let mut bytes = BytesMut::new();
/// serde.encode(&reading, &mut bytes)?;
/// assert_eq!(bytes[..5], [0, 0, 0, 0, 1]);
/// assert_eq!(serde.decode(&bytes)?, reading);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AvroSerde<T> {
    subject: String,
    id: SchemaId,
    prefix: [u8; wire::PREFIX_BYTES],
    shape: Shape,
    foreign: RwLock<Foreign>,
    registry: SharedRegistry,
    value: PhantomData<fn() -> T>,
}

impl<T> AvroSerde<T> {
    /// Registers `schema` under `subject` (topic and `-key` or `-value`) and prepares the codec. Asks the registry: not per record.
    pub fn bind(registry: &SharedRegistry, subject: &str, schema: &str) -> Result<Self, RegistryError> {
        let invalid = |cause: String| RegistryError::Invalid { what: format!("the schema of {subject}"), cause };
        let parsed = Schema::parse_str(schema).map_err(|error| invalid(error.to_string()))?;
        let shape = Shape::of(&parsed).map_err(|fault| invalid(fault.to_string()))?;
        let id = registry.register(subject, schema)?;
        Ok(Self {
            subject: subject.to_owned(),
            id,
            prefix: wire::prefix(id),
            shape,
            foreign: RwLock::new(Foreign::default()),
            registry: Arc::clone(registry),
            value: PhantomData,
        })
    }

    /// The id that records are written with.
    pub const fn schema_id(&self) -> SchemaId {
        self.id
    }

    /// Appends a value of another type that equals the schema, such as `T`'s borrowing form.
    pub fn encode_as<U: Serialize + ?Sized>(&self, value: &U, out: &mut BytesMut) -> Result<(), SerdeError> {
        out.extend_from_slice(&self.prefix);
        Ok(write::write(value, &self.shape, out)?)
    }

    /// Reads a value of another type, which may borrow its text and may name only some of the fields: the others are skipped.
    ///
    /// `scratch` holds the datum where its schema is another one; a buffer to be used again and again.
    pub fn decode_as<'de, U: Deserialize<'de>>(&self, bytes: &'de [u8], scratch: &'de mut BytesMut) -> Result<U, SerdeError> {
        let (id, datum) = wire::split(bytes)?;
        if id == self.id {
            return Ok(read::read(datum, &self.shape)?);
        }
        match self.plan(id)?.as_ref() {
            Ok(plan) if plan.is_copy() => Ok(read::read(datum, &self.shape)?),
            Ok(plan) => {
                scratch.clear();
                plan.resolve(datum, scratch)?;
                Ok(read::read(scratch, &self.shape)?)
            }
            Err(message) => Err(SerdeError::new("bad_value", format!("{}: {message}", self.subject))),
        }
    }

    /// How to bring data of another schema into the layout of this one.
    #[cold]
    fn plan(&self, id: SchemaId) -> Result<Arc<Plan>, SerdeError> {
        if let Some(plan) = self.foreign.read().expect("no holder of the lock panics").get(id) {
            return Ok(plan);
        }
        // The question is asked outside the lock, so that records of known ids do not wait for it.
        let plan = foreign::plan(self.registry.as_ref(), id, &self.shape).map_err(|undecided| undecided.of(&self.subject))?;
        Ok(self.foreign.write().expect("no holder of the lock panics").learn(id, plan))
    }
}

impl<T> fmt::Debug for AvroSerde<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AvroSerde").field("subject", &self.subject).field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T: Serialize> Encode<T> for AvroSerde<T> {
    fn encode(&self, value: &T, out: &mut BytesMut) -> Result<(), SerdeError> {
        self.encode_as(value, out)
    }
}

impl<T: DeserializeOwned> Decode<T> for AvroSerde<T> {
    fn decode(&self, bytes: &[u8]) -> Result<T, SerdeError> {
        // It allocates only where a record has another schema.
        self.decode_as(bytes, &mut BytesMut::new())
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for AvroSerde<T> {}

impl<T: Data + Serialize + DeserializeOwned> AvroSerde<T> {
    /// As a shared serde, to hand to a source, a store or a sink.
    pub fn shared(self) -> SharedSerde<T> {
        Arc::new(self)
    }
}

#[cfg(test)]
mod tests;
