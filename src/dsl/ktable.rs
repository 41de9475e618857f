//! `KTable`: a table of the last value of each key. One line a method; the operators are in `ops`.

use std::fmt;

use super::builder::StreamsBuilder;
use super::change::Change;
use super::kstream::KStream;
use super::ops;
use super::row::Row;
use crate::serde::Data;

/// A table: each record takes the place of the one before it of its key.
///
/// A handle is `Copy`; using it twice tells every change both ways.
#[must_use = "a table that nothing consumes does nothing"]
pub struct KTable<'b, K, V> {
    /// The stream of its changes.
    pub(crate) changes: KStream<'b, K, Change<V>>,
}

impl<K, V> Clone for KTable<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for KTable<'_, K, V> {}

impl<K, V> fmt::Debug for KTable<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KTable").field(&self.changes.builder.name_of(self.changes.node)).finish()
    }
}

impl<'b, K, V> KTable<'b, K, V> {
    pub(crate) fn of(changes: KStream<'b, K, Change<V>>) -> Self {
        Self { changes }
    }

    pub(crate) fn builder(self) -> &'b StreamsBuilder {
        self.changes.builder
    }
}

impl<'b, K: Data, V: Data> KTable<'b, K, V> {
    /// Its changes as records; a deletion is a record without a value.
    pub fn to_stream(self) -> KStream<'b, K, Option<V>> {
        ops::to_stream::to_stream(self)
    }

    /// Its changes as rows of an output topic: each is numbered, and a deletion is the last row, marked, and then a tombstone.
    pub fn to_rows<R: Row>(self, row: impl Fn(&K, &V) -> R + Send + Sync + 'static) -> KStream<'b, R::Key, Option<R>> {
        ops::rows::to_rows(self, row)
    }
}
