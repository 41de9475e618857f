//! Typed views of a task's stores, opened by handle when a processor is made.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};

use highwater_state::StoreId;

use super::{Context, ProcessError};
use crate::serde::{Data, SharedSerde};
use crate::task::TaskCore;
use crate::topology::StoreRef;

/// A key-value store as the topology knows it.
pub struct KvHandle<K, V> {
    pub(crate) store: StoreRef,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
}

impl<K, V> KvHandle<K, V> {
    /// For [`ProcessorSupplier::stores`](super::ProcessorSupplier::stores).
    pub fn store(&self) -> StoreRef {
        self.store
    }
}

impl<K, V> Clone for KvHandle<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store, key: self.key.clone(), value: self.value.clone() }
    }
}

impl<K, V> fmt::Debug for KvHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KvHandle").field(&self.store).finish()
    }
}

/// A key-value store as a task has opened it.
///
/// Its writes are part of the input record that is being processed, and of its transaction.
pub struct KvStore<K, V> {
    id: StoreId,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> fmt::Debug for KvStore<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KvStore").field(&self.id).finish()
    }
}

impl<K: Data, V: Data> KvStore<K, V> {
    pub(crate) fn new(id: StoreId, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self { id, key, value, types: PhantomData }
    }

    /// The value of a key.
    pub fn get<A, B>(&self, cx: &mut Context<'_, A, B>, key: &K) -> Result<Option<V>, ProcessError> {
        self.read(cx.core, key)
    }

    /// Sets the value of a key.
    pub fn put<A, B>(&self, cx: &mut Context<'_, A, B>, key: &K, value: &V) -> Result<(), ProcessError> {
        self.write(cx.core, key, value)
    }

    /// Forgets a key.
    pub fn delete<A, B>(&self, cx: &mut Context<'_, A, B>, key: &K) -> Result<(), ProcessError> {
        self.remove(cx.core, key)
    }

    /// All entries, in the order of the keys' bytes.
    pub fn all<A, B>(&self, cx: &mut Context<'_, A, B>) -> Result<Vec<(K, V)>, ProcessError> {
        self.read_all(cx.core)
    }

    pub(crate) fn read(&self, core: &mut TaskCore, key: &K) -> Result<Option<V>, ProcessError> {
        let TaskCore { state, scratch, .. } = core;
        scratch.key.clear();
        self.key.encode(key, &mut scratch.key)?;
        match state.get(self.id, &scratch.key)? {
            Some(bytes) => Ok(Some(self.value.decode(&bytes)?)),
            None => Ok(None),
        }
    }

    pub(crate) fn write(&self, core: &mut TaskCore, key: &K, value: &V) -> Result<(), ProcessError> {
        let TaskCore { state, scratch, ruling, .. } = core;
        scratch.key.clear();
        scratch.value.clear();
        self.key.encode(key, &mut scratch.key)?;
        self.value.encode(value, &mut scratch.value)?;
        state.put(self.id, &scratch.key, &scratch.value)?;
        ruling.take_effect();
        Ok(())
    }

    pub(crate) fn remove(&self, core: &mut TaskCore, key: &K) -> Result<(), ProcessError> {
        let TaskCore { state, scratch, ruling, .. } = core;
        scratch.key.clear();
        self.key.encode(key, &mut scratch.key)?;
        state.delete(self.id, &scratch.key)?;
        ruling.take_effect();
        Ok(())
    }

    pub(crate) fn read_all(&self, core: &TaskCore) -> Result<Vec<(K, V)>, ProcessError> {
        let mut entries = Vec::new();
        let mut failed = None;
        core.state.scan(self.id, (Bound::Unbounded, Bound::Unbounded), &mut |key, value| {
            let entry = self.key.decode(key).and_then(|key| Ok((key, self.value.decode(value)?)));
            match entry {
                Ok(entry) => {
                    entries.push(entry);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(entries), |error| Err(error.into()))
    }
}
