//! Looking at a task's state without opening it: what an operator's command shows. It reads what was flushed and changes nothing.

use std::path::Path;

use super::TaskState;
use super::open::family_name;
use crate::backend::{Backend, Usage};
use crate::error::OpenError;
use crate::metadata::Metadata;
use crate::rocks::{DEFAULT_FAMILY, ResourceLimits, Rocks, SharedResources};
use crate::spec::{LogPosition, StoreKind};

/// What a task's state on disk says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The format's version; `None` if nothing was ever flushed.
    pub format: Option<u32>,
    /// When the state was last known to follow its log.
    pub stamp_ms: Option<i64>,
    /// The stores by name.
    pub stores: Vec<StoreInspection>,
    /// What all stores use.
    pub usage: Usage,
}

/// What a state on disk says about one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInspection {
    /// The store's name.
    pub name: String,
    /// How it is organised.
    pub kind: StoreKind,
    /// Whether it has a log.
    pub logged: bool,
    /// How far it has followed its log.
    pub position: Option<LogPosition>,
    /// Roughly how many entries it holds.
    pub estimated_keys: u64,
}

impl TaskState {
    /// Reads what the state in `dir` says about itself, also while it is open elsewhere: then it may be some minutes old.
    ///
    /// It does not judge age or format: it is for those who want to know why a state is refused.
    pub fn inspect(dir: &Path) -> Result<Inspection, OpenError> {
        let few = ResourceLimits { block_cache_bytes: 1 << 20, memtable_bytes: 1 << 20, background_threads: 1 };
        let rocks = Rocks::open_read_only(dir, &SharedResources::without_threads(&few))?;
        let family = rocks.family(DEFAULT_FAMILY).ok_or_else(|| OpenError::Corrupt("the metadata are missing".to_owned()))?;
        let metadata = Metadata::load(&rocks, family)?;
        let inspect_store = |(name, entry): (&String, &crate::metadata::CatalogueEntry)| StoreInspection {
            name: name.clone(),
            kind: entry.kind.clone(),
            logged: entry.logged,
            position: metadata.positions.get(&entry.number).cloned(),
            estimated_keys: rocks.family(&family_name(name)).map_or(0, |family| rocks.estimated_keys(family)),
        };
        Ok(Inspection {
            format: metadata.format,
            stamp_ms: metadata.stamp_ms,
            stores: metadata.catalogue.iter().map(inspect_store).collect(),
            usage: rocks.usage(),
        })
    }
}
