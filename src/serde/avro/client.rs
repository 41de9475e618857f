//! The registry that serdes use in production: REST calls behind a memory that outlives the process.
//!
//! It blocks, so it is not to be used (nor dropped) on a thread of an async runtime.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::cache::{CACHE_FILE, Memory};
use super::http::{Calls, RegistryAuth};
use super::registry::{Registry, RegistryError, SchemaId, compact};

/// How long a call may take, connecting included.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the registry is, and where its answers are kept.
///
/// ```
/// use highwater::serde::avro::RegistrySettings;
///
/// let settings = RegistrySettings::new("http://localhost:8081/apis/ccompat/v7").state_dir("/var/lib/app");
/// ```
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    url: String,
    auth: RegistryAuth,
    timeout: Duration,
    cache: Option<PathBuf>,
}

impl RegistrySettings {
    /// The registry at `url`, with the API's path if it has one. Nothing is kept on disk.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), auth: RegistryAuth::None, timeout: DEFAULT_TIMEOUT, cache: None }
    }

    /// Proves who one is.
    #[must_use]
    pub fn auth(mut self, auth: RegistryAuth) -> Self {
        self.auth = auth;
        self
    }

    /// How long a call may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps ids and schemas in `schema-ids.json` in this directory, so that only a first start needs the registry.
    #[must_use]
    pub fn state_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.cache = Some(directory.as_ref().join(CACHE_FILE));
        self
    }
}

/// A schema registry with the REST interface that Confluent's and Apicurio's share.
///
/// The ids it has learnt serve while it is away; what it has not learnt is [`RegistryError::Unreachable`] then.
///
/// Its calls block: open, use and drop it on plain threads, not on those of an async runtime.
pub struct SchemaRegistry {
    calls: Calls,
    cache: Option<PathBuf>,
    memory: Mutex<Memory>,
    /// Set by the first call at start that fails, so that the others do not wait for their timeouts too.
    is_away: AtomicBool,
}

impl fmt::Debug for SchemaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchemaRegistry").field("url", &self.calls.url()).field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl SchemaRegistry {
    /// Prepares the client and loads what earlier starts have learnt; asks the registry nothing yet.
    pub fn open(settings: &RegistrySettings) -> Result<Self, RegistryError> {
        let calls = Calls::new(&settings.url, settings.auth.clone(), settings.timeout)?;
        let memory = match &settings.cache {
            Some(path) => load(path, calls.url())?,
            None => Memory::empty(calls.url()),
        };
        Ok(Self { calls, cache: settings.cache.clone(), memory: Mutex::new(memory), is_away: AtomicBool::new(false) })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no holder of the lock panics")
    }

    /// The id that the registry gives `schema`, which it is given if it lacks it.
    fn ask(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        if let Some(id) = self.calls.lookup(subject, schema)? {
            return Ok(id);
        }
        // IMPORTANT: before, as it is to judge this very version; after, where a registry sets nothing for a subject without one.
        let is_required = self.require_compatibility(subject);
        let id = self.calls.register(subject, schema)?;
        if !is_required {
            self.require_compatibility(subject);
        }
        Ok(id)
    }

    /// Whether versions of the subject must be compatible now. Failing to set it harms no record, so it stops nobody.
    fn require_compatibility(&self, subject: &str) -> bool {
        self.calls.require_compatibility(subject).unwrap_or_else(|error| {
            tracing::warn!(subject, %error, "could not set the subject's compatibility to BACKWARD_TRANSITIVE: set it by hand");
            true
        })
    }

    fn keep(&self, memory: &Memory) -> Result<(), RegistryError> {
        let Some(path) = &self.cache else { return Ok(()) };
        memory.store(path).map_err(|error| RegistryError::Invalid {
            what: format!("the file of schema ids {}", path.display()),
            cause: format!("{error}; the state directory must exist and be writable"),
        })
    }

    /// Refuses another id for a key: the same key would become other bytes.
    fn check_moved(&self, subject: &str, assigned: SchemaId, known: Option<SchemaId>) -> Result<(), RegistryError> {
        let Some(known) = known.filter(|known| *known != assigned) else { return Ok(()) };
        if subject.ends_with("-key") {
            let cache = self.cache.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            return Err(RegistryError::Moved { subject: subject.to_owned(), assigned, known, cache });
        }
        tracing::warn!(subject, %assigned, %known, "the registry gives the schema another id than before: was it replaced?");
        Ok(())
    }
}

impl Registry for SchemaRegistry {
    fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let schema = compact(schema);
        let known = self.memory().id(subject, &schema);
        if let Some(known) = known
            && self.is_away.load(Ordering::Relaxed)
        {
            return Ok(known);
        }
        let assigned = match (self.ask(subject, &schema), known) {
            (Ok(assigned), _) => assigned,
            (Err(error), Some(known)) if error.is_retriable() => {
                self.is_away.store(true, Ordering::Relaxed);
                tracing::warn!(subject, %known, %error, "going on with the schema ids of an earlier start");
                return Ok(known);
            }
            (Err(error), _) => return Err(error),
        };
        self.check_moved(subject, assigned, known)?;
        let mut memory = self.memory();
        if memory.learn_id(subject, &schema, assigned) {
            self.keep(&memory)?;
        }
        Ok(assigned)
    }

    fn schema(&self, id: SchemaId) -> Result<Arc<str>, RegistryError> {
        if let Some(schema) = self.memory().schema(id) {
            return Ok(schema);
        }
        let schema: Arc<str> = self.calls.schema(id)?.into();
        let mut memory = self.memory();
        if memory.learn_schema(id, &schema)
            && let Err(error) = self.keep(&memory)
        {
            // The schema is known, the record can be read: only the next start is worse off.
            tracing::warn!(%id, %error, "could not keep a schema");
        }
        Ok(schema)
    }
}

/// A damaged file costs no more than a question to the registry.
fn load(path: &Path, url: &str) -> Result<Memory, RegistryError> {
    match Memory::load(path, url) {
        Ok(memory) => Ok(memory),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(RegistryError::Invalid { what: format!("the file of schema ids {}", path.display()), cause: error.to_string() })
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the file of schema ids is damaged: asking the registry again");
            Ok(Memory::empty(url))
        }
    }
}
