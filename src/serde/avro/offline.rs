//! A registry in memory: for tests and for the embedded demo. It forgets everything with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;

use super::registry::{Registry, RegistryError, SchemaId, compact};

/// Gives ids from 1 on, the same one to the same schema, and refuses schemas that can't read what the subject's earlier ones wrote.
///
/// ```
/// use highwater::serde::avro::{MemoryRegistry, Registry};
///
/// let registry = MemoryRegistry::new();
/// let id = registry.register("numbers-value", r#"{"type":"record","name":"N","fields":[{"name":"n","type":"long"}]}"#)?;
/// assert_eq!(id.0, 1);
/// assert!(registry.schema(id)?.contains("long"));
/// # Ok::<(), highwater::serde::avro::RegistryError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Schema `n` has the id `n + 1`.
    schemas: Vec<Arc<str>>,
    versions: BTreeMap<String, Vec<SchemaId>>,
}

impl MemoryRegistry {
    /// One that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

impl Registry for MemoryRegistry {
    fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let schema = compact(schema);
        let parsed = parse(subject, &schema)?;
        let mut state = self.state();
        for version in state.versions.get(subject).into_iter().flatten() {
            let earlier = parse(subject, &state.get(*version)?)?;
            SchemaCompatibility::can_read(&earlier, &parsed)
                .map_err(|error| RegistryError::Incompatible { subject: subject.to_owned(), reason: error.to_string() })?;
        }
        let id = state.id_of(&schema);
        let versions = state.versions.entry(subject.to_owned()).or_default();
        if !versions.contains(&id) {
            versions.push(id);
        }
        Ok(id)
    }

    fn schema(&self, id: SchemaId) -> Result<Arc<str>, RegistryError> {
        self.state().get(id)
    }
}

impl State {
    fn get(&self, id: SchemaId) -> Result<Arc<str>, RegistryError> {
        let index = (id.0 as usize).checked_sub(1);
        index.and_then(|index| self.schemas.get(index)).cloned().ok_or(RegistryError::UnknownId { id })
    }

    fn id_of(&mut self, schema: &str) -> SchemaId {
        let index = self.schemas.iter().position(|known| **known == *schema).unwrap_or_else(|| {
            self.schemas.push(schema.into());
            self.schemas.len() - 1
        });
        SchemaId(index as u32 + 1)
    }
}

fn parse(subject: &str, schema: &str) -> Result<Schema, RegistryError> {
    Schema::parse_str(schema)
        .map_err(|error| RegistryError::Invalid { what: format!("the schema of {subject}"), cause: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}"#;
    const TWO: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","string"],"default":null}]}"#;
    const BREAKING: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"c","type":"string"}]}"#;

    #[test]
    fn ids_belong_to_schemas_and_versions_to_subjects() {
        let registry = MemoryRegistry::new();
        let table = [
            ("x-value", ONE, 1),
            ("x-value", ONE, 1),
            ("x-value", TWO, 2),
            ("y-value", TWO, 2),
            ("x-value", &ONE.replace(',', " , "), 1),
        ];
        for (subject, schema, id) in table {
            assert_eq!(registry.register(subject, schema), Ok(SchemaId(id)));
        }
        assert_eq!(&*registry.schema(SchemaId(1)).unwrap(), ONE);
        assert_eq!(registry.schema(SchemaId(3)), Err(RegistryError::UnknownId { id: SchemaId(3) }));
        assert_eq!(registry.schema(SchemaId(0)), Err(RegistryError::UnknownId { id: SchemaId(0) }));
    }

    #[test]
    fn a_schema_that_cannot_read_an_earlier_one_is_refused() {
        let registry = MemoryRegistry::new();
        registry.register("x-value", ONE).unwrap();
        let error = registry.register("x-value", BREAKING).unwrap_err();
        assert!(matches!(error, RegistryError::Incompatible { .. }), "{error}");
        registry.register("y-value", BREAKING).unwrap();
    }
}
