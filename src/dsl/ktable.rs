//! `KTable`: a table of the last value of each key. One line a method; the operators are in `ops`.

use std::fmt;

use super::builder::StreamsBuilder;
use super::change::Change;
use super::grouped::Grouped;
use super::grouped_table::KGroupedTable;
use super::kstream::KStream;
use super::materialized::Materialized;
use super::ops;
use super::row::Row;
use crate::serde::{Data, DefaultSerde};

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
    /// The rows that `keep` accepts. One that no longer passes is deleted.
    pub fn filter(self, keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        ops::table_view::filter(self, keep)
    }

    /// Another value for each row.
    pub fn map_values<V2: Data>(self, f: impl Fn(&K, &V) -> V2 + Send + Sync + 'static) -> KTable<'b, K, V2> {
        ops::table_view::map_values(self, f)
    }

    /// A row for each key that both tables have.
    ///
    /// Rows are kept, in a store of their own, so that each change of either side comes out once and right.
    pub fn join<V2: Data, O: Data>(
        self,
        other: KTable<'b, K, V2>,
        store: impl Into<Materialized<K, O>>,
        f: impl Fn(&V, &V2) -> O + Send + Sync + 'static,
    ) -> KTable<'b, K, O> {
        ops::table_join::join(self, other, store.into(), move |left, right| Some(f(left?, right?)))
    }

    /// A row for each key that this table has, with the other's if there is one. See [`join`](Self::join).
    pub fn left_join<V2: Data, O: Data>(
        self,
        other: KTable<'b, K, V2>,
        store: impl Into<Materialized<K, O>>,
        f: impl Fn(&V, Option<&V2>) -> O + Send + Sync + 'static,
    ) -> KTable<'b, K, O> {
        ops::table_join::join(self, other, store.into(), move |left, right| Some(f(left?, right)))
    }

    /// A row for each key that one of the tables has. See [`join`](Self::join).
    pub fn outer_join<V2: Data, O: Data>(
        self,
        other: KTable<'b, K, V2>,
        store: impl Into<Materialized<K, O>>,
        f: impl Fn(Option<&V>, Option<&V2>) -> O + Send + Sync + 'static,
    ) -> KTable<'b, K, O> {
        ops::table_join::join(self, other, store.into(), move |left, right| {
            (left.is_some() || right.is_some()).then(|| f(left, right))
        })
    }

    /// Groups its rows by another key, through a topic: a row that changes leaves its old group and enters its new one.
    pub fn group_by<K2: DefaultSerde, V2: DefaultSerde>(
        self,
        f: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KGroupedTable<'b, K2, V2> {
        self.group_by_with(Grouped::with(K2::default_serde(), V2::default_serde()), f)
    }

    /// As [`group_by`](Self::group_by), with serdes or a name for the topic.
    pub fn group_by_with<K2: Data, V2: Data>(
        self,
        options: Grouped<K2, V2>,
        f: impl Fn(&K, &V) -> (K2, V2) + Send + Sync + 'static,
    ) -> KGroupedTable<'b, K2, V2> {
        KGroupedTable::new(ops::regroup::regroup(self, options.key.clone(), f), options)
    }

    /// Its changes as records; a deletion is a record without a value.
    pub fn to_stream(self) -> KStream<'b, K, Option<V>> {
        ops::to_stream::to_stream(self)
    }

    /// Its changes as rows of an output topic: each is numbered, and a deletion is the last row, marked, and then a tombstone.
    pub fn to_rows<R: Row>(self, row: impl Fn(&K, &V) -> R + Send + Sync + 'static) -> KStream<'b, R::Key, Option<R>> {
        ops::rows::to_rows(self, row)
    }
}
