//! What a topology is built with: serdes of its topics, bound to the registry, and the few settings that rows depend on.
//! Not the schemas themselves, which are in the crate `shoppulse-avro`.

use std::sync::Arc;
use std::time::Duration;

use highwater::serde::SharedSerde;
use highwater::serde::avro::{AvroSerde, MemoryRegistry, RegistryError, RegistrySettings, SchemaRegistry, SharedRegistry};
use highwater::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shoppulse_avro::TopicRecord;

use crate::config::Config;

/// Binds serdes, and knows the settings of rows.
///
/// ```
/// use shoppulse::schemas::Schemas;
/// use shoppulse_avro::SessionKey;
///
/// let schemas = Schemas::in_memory();
/// let keys = schemas.serde::<SessionKey>()?;
/// # Ok::<(), highwater::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schemas {
    registry: SharedRegistry,
    emit_every: Duration,
}

impl Schemas {
    /// Binds to this registry; curated rows are written at most once per `emit_every`.
    pub fn new(registry: SharedRegistry, emit_every: Duration) -> Self {
        Self { registry, emit_every }
    }

    /// Binds to a registry of its own, for tests and descriptions; rows are written every 30 s.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(MemoryRegistry::new()), Duration::from_secs(30))
    }

    /// The serde of a topic's keys or values. Registers the schema, so: while a topology is built, not later.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the registry does not answer and no earlier start has learnt the schema's id.
    pub fn serde<T: TopicRecord + Serialize + DeserializeOwned>(&self) -> Result<Arc<AvroSerde<T>>, Error> {
        shoppulse_avro::serde(&self.registry).map_err(registry_error)
    }

    /// The same, as sources, stores and sinks take it.
    pub fn shared<T>(&self) -> Result<SharedSerde<T>, Error>
    where
        T: TopicRecord + Serialize + DeserializeOwned + highwater::serde::Data,
    {
        Ok(self.serde::<T>()?)
    }

    /// How often a curated row is written at most.
    pub fn emit_every(&self) -> Duration {
        self.emit_every
    }

    /// The registry.
    pub fn registry(&self) -> &SharedRegistry {
        &self.registry
    }
}

/// The registry that the configuration names. With `keep`, ids are kept in the state directory.
pub fn open_registry(config: &Config, keep: bool) -> Result<SharedRegistry, RegistryError> {
    let mut settings =
        RegistrySettings::new(&*config.registry.url).auth(config.registry.auth.clone()).timeout(config.registry.timeout);
    if keep {
        settings = settings.state_dir(&config.state_dir);
    }
    Ok(Arc::new(SchemaRegistry::open(&settings)?))
}

fn registry_error(error: RegistryError) -> Error {
    let kind = if error.is_retriable() { ErrorKind::Unavailable } else { ErrorKind::Config };
    Error::new(kind, error.to_string()).caused_by(error)
}
