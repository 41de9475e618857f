//! Looking into a table by key, for joins: a view over its store, through what filters and maps it on the way.
//!
//! The builder keeps one for each table that can be looked into; a join asks for it when it is recorded.

use std::sync::Arc;

use highwater_state::StoreId;

use super::materialized::Materialized;
use super::ops::stored::Header;
use crate::processor::ProcessError;
use crate::record::Timestamp;
use crate::serde::{Data, SharedSerde};
use crate::task::TaskCore;
use crate::topology::{StoreRef, TaskBuilder};

/// A view into a table of a task.
pub(crate) trait Lookup<K, V> {
    /// A key's value and its time, as they are now.
    fn get(&self, key: &K, core: &mut TaskCore) -> Result<Option<(V, Timestamp)>, ProcessError>;
}

/// Makes the view in a task.
pub(crate) type MakeLookup<K, V> = Arc<dyn Fn(&TaskBuilder<'_>) -> Box<dyn Lookup<K, V>> + Send + Sync>;

struct OfStore<K, V> {
    store: StoreId,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
}

impl<K: Data, V: Data> Lookup<K, V> for OfStore<K, V> {
    fn get(&self, key: &K, core: &mut TaskCore) -> Result<Option<(V, Timestamp)>, ProcessError> {
        if self.key.is_null(key) {
            return Ok(None);
        }
        let TaskCore { state, scratch, .. } = core;
        scratch.key.clear();
        self.key.encode(key, &mut scratch.key)?;
        let Some(entry) = state.get(self.store, &scratch.key)? else { return Ok(None) };
        let (header, payload) = Header::read(&entry)?;
        if header.deleted {
            return Ok(None);
        }
        Ok(Some((self.value.decode(payload)?, header.timestamp)))
    }
}

/// Looks into a kept table.
pub(crate) fn of_store<K: Data, V: Data>(store: StoreRef, options: &Materialized<K, V>) -> MakeLookup<K, V> {
    let (key, value) = (options.key.clone(), options.value.clone());
    Arc::new(move |task| Box::new(OfStore { store: task.store(store), key: key.clone(), value: value.clone() }))
}

struct Through<K, V, V2> {
    inner: Box<dyn Lookup<K, V>>,
    view: ViewOf<K, V, V2>,
}

/// What a table that keeps nothing shows of the row of the table before it.
pub(crate) type ViewOf<K, V, V2> = Arc<dyn Fn(&K, V) -> Option<V2> + Send + Sync>;

impl<K, V, V2> Lookup<K, V2> for Through<K, V, V2> {
    fn get(&self, key: &K, core: &mut TaskCore) -> Result<Option<(V2, Timestamp)>, ProcessError> {
        let found = self.inner.get(key, core)?;
        Ok(found.and_then(|(value, timestamp)| Some(((self.view)(key, value)?, timestamp))))
    }
}

/// Looks into a table through another.
pub(crate) fn through<K: Data, V: Data, V2: Data>(inner: MakeLookup<K, V>, view: ViewOf<K, V, V2>) -> MakeLookup<K, V2> {
    Arc::new(move |task| Box::new(Through { inner: inner(task), view: Arc::clone(&view) }))
}
