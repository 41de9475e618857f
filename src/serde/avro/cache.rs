//! The file that remembers ids and schemas, so that only a first start needs the registry. Asks nobody.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::registry::SchemaId;

/// The file's name in the state directory.
pub const CACHE_FILE: &str = "schema-ids.json";

/// What is remembered of one registry.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The address of the registry whose ids these are: those of another one mean other schemas.
    registry: String,
    /// Subject → fingerprint of a schema → its id.
    subjects: BTreeMap<String, BTreeMap<String, u32>>,
    /// Id → text.
    schemas: BTreeMap<u32, Arc<str>>,
}

impl Memory {
    /// Nothing, of the registry at `url`.
    pub(super) fn empty(url: &str) -> Self {
        Self { registry: url.to_owned(), ..Self::default() }
    }

    /// What `path` holds of the registry at `url`; nothing if it is not there, or of another registry.
    pub(super) fn load(path: &Path, url: &str) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::empty(url)),
            Err(error) => return Err(error),
        };
        let known: Self = serde_json::from_slice(&bytes)?;
        Ok(if known.registry == url { known } else { Self::empty(url) })
    }

    /// Writes all of it to `path`, whole or not at all.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        let temporary = PathBuf::from(format!("{}.tmp", path.display()));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        // IMPORTANT: the bytes must be on disk before the name is, or a crash leaves an empty file.
        file.sync_all()?;
        fs::rename(&temporary, path)
    }

    pub(super) fn id(&self, subject: &str, schema: &str) -> Option<SchemaId> {
        self.subjects.get(subject)?.get(&fingerprint(schema)).copied().map(SchemaId)
    }

    pub(super) fn schema(&self, id: SchemaId) -> Option<Arc<str>> {
        self.schemas.get(&id.0).cloned()
    }

    /// Remembers that `schema` has `id` under `subject`; whether that is news.
    pub(super) fn learn_id(&mut self, subject: &str, schema: &str, id: SchemaId) -> bool {
        let before = self.subjects.entry(subject.to_owned()).or_default().insert(fingerprint(schema), id.0);
        self.learn_schema(id, schema) || before != Some(id.0)
    }

    /// Remembers the text of `id`; whether that is news.
    pub(super) fn learn_schema(&mut self, id: SchemaId, schema: &str) -> bool {
        if self.schemas.get(&id.0).is_some_and(|known| **known == *schema) {
            return false;
        }
        self.schemas.insert(id.0, schema.into());
        true
    }
}

fn fingerprint(schema: &str) -> String {
    format!("{:032x}", xxh3_128(schema.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_unless_the_registry_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(CACHE_FILE);
        let mut memory = Memory::load(&path, "http://one").unwrap();
        assert!(memory.learn_id("x-value", "\"long\"", SchemaId(7)));
        assert!(!memory.learn_id("x-value", "\"long\"", SchemaId(7)));
        assert!(memory.learn_schema(SchemaId(8), "\"string\""));
        memory.store(&path).unwrap();

        let same = Memory::load(&path, "http://one").unwrap();
        assert_eq!(same.id("x-value", "\"long\""), Some(SchemaId(7)));
        assert_eq!(same.id("x-value", "\"int\""), None);
        assert_eq!(same.id("y-value", "\"long\""), None);
        assert_eq!(same.schema(SchemaId(8)).as_deref(), Some("\"string\""));
        let other = Memory::load(&path, "http://two").unwrap();
        assert_eq!(other.id("x-value", "\"long\""), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(CACHE_FILE);
        fs::write(&path, b"{\"registry\":").unwrap();
        assert!(Memory::load(&path, "http://one").is_err());
    }
}
