//! `Materialized`: how a table is kept, under which name, and when its changes are emitted. A store's name alone will do.

use std::fmt;
use std::sync::Arc;

use super::emit::Emit;
use crate::serde::{Data, DefaultSerde, SharedSerde};

/// How a table is kept.
pub struct Materialized<K, V> {
    pub(crate) name: Arc<str>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) emit: Emit,
}

impl<K, V> fmt::Debug for Materialized<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Materialized").field("name", &self.name).field("emit", &self.emit).finish_non_exhaustive()
    }
}

impl<K, V> Clone for Materialized<K, V> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), key: self.key.clone(), value: self.value.clone(), emit: self.emit }
    }
}

impl<K: Data, V: Data> Materialized<K, V> {
    /// In a store of this name, with the types' default serdes.
    pub fn named(name: &str) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(name, K::default_serde(), V::default_serde())
    }

    /// In a store of this name, with these serdes.
    pub fn with(name: &str, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self { name: Arc::from(name), key, value, emit: Emit::default() }
    }

    /// When changes are emitted. By default [`Emit::Commit`].
    #[must_use]
    pub fn emit(mut self, emit: Emit) -> Self {
        self.emit = emit;
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> From<&str> for Materialized<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
