//! `KStream`: a stream of records. One line a method; the operators are in `ops`.

use std::fmt;
use std::marker::PhantomData;

use super::builder::StreamsBuilder;
use super::dedup::Dedup;
use super::emit::Emit;
use super::grouped::{Grouped, KGroupedStream};
use super::ktable::KTable;
use super::materialized::Materialized;
use super::ops;
use super::options::{Produced, Repartitioned};
use super::row::Row;
use super::scd2::{Scd2, Version, Versioned};
use crate::processor::{ProcessError, Processor, ProcessorSupplier};
use crate::record::Timestamp;
use crate::serde::{Data, DefaultSerde};
use crate::topology::NodeId;

/// A stream of records: each is a fact of its own.
///
/// A handle is `Copy`; using it twice sends every record both ways.
#[must_use = "a stream that nothing consumes does nothing"]
pub struct KStream<'b, K, V> {
    pub(crate) builder: &'b StreamsBuilder,
    pub(crate) node: NodeId,
    /// Whether the key may have changed since the last topic, so that equal keys may be in different partitions.
    pub(crate) key_changed: bool,
    pub(crate) types: PhantomData<fn() -> (K, V)>,
}

/// What the processors of a supplier make of a stream.
pub type Processed<'b, S, K, V> = KStream<
    'b,
    <<S as ProcessorSupplier<K, V>>::Processor as Processor<K, V>>::KeyOut,
    <<S as ProcessorSupplier<K, V>>::Processor as Processor<K, V>>::ValueOut,
>;

impl<K, V> Clone for KStream<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for KStream<'_, K, V> {}

impl<K, V> fmt::Debug for KStream<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KStream").field(&self.builder.name_of(self.node)).finish()
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, V> {
    /// Names this node in descriptions and metrics.
    pub fn named(self, name: &str) -> Self {
        self.builder.rename(self.node, name);
        self
    }

    /// Keeps the records that `keep` accepts.
    pub fn filter(self, keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        ops::stateless::filter(self, keep)
    }

    /// Keeps the records that `drop` does not accept.
    pub fn filter_not(self, drop: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        ops::stateless::filter(self, move |key, value| !drop(key, value))
    }

    /// Another key and value for each record.
    pub fn map<K2: Data, V2: Data>(self, f: impl Fn(K, V) -> (K2, V2) + Send + Sync + 'static) -> KStream<'b, K2, V2> {
        ops::stateless::map(self, move |key, value| Ok(f(key, value)))
    }

    /// As [`map`](Self::map); a record that fails is dead-lettered.
    pub fn try_map<K2: Data, V2: Data>(
        self,
        f: impl Fn(K, V) -> Result<(K2, V2), ProcessError> + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        ops::stateless::map(self, f)
    }

    /// Another value for each record, under the same key.
    pub fn map_values<V2: Data>(self, f: impl Fn(&K, V) -> V2 + Send + Sync + 'static) -> KStream<'b, K, V2> {
        ops::stateless::map_values(self, move |key, value| Ok(f(key, value)))
    }

    /// As [`map_values`](Self::map_values); a record that fails is dead-lettered.
    pub fn try_map_values<V2: Data>(
        self,
        f: impl Fn(&K, V) -> Result<V2, ProcessError> + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        ops::stateless::map_values(self, f)
    }

    /// Any number of records for each.
    pub fn flat_map<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)>>(
        self,
        f: impl Fn(K, V) -> I + Send + Sync + 'static,
    ) -> KStream<'b, K2, V2> {
        ops::stateless::flat_map(self, f)
    }

    /// Any number of values for each record, under the same key.
    pub fn flat_map_values<V2: Data, I: IntoIterator<Item = V2>>(
        self,
        f: impl Fn(&K, V) -> I + Send + Sync + 'static,
    ) -> KStream<'b, K, V2> {
        ops::stateless::flat_map_values(self, f)
    }

    /// Another key for each record.
    pub fn select_key<K2: Data>(self, f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KStream<'b, K2, V> {
        ops::stateless::select_key(self, f)
    }

    /// Looks at each record and lets it pass.
    pub fn peek(self, look: impl Fn(&K, &V) + Send + Sync + 'static) -> Self {
        ops::stateless::peek(self, look)
    }

    /// Takes each record's event time from its key and value, for all operators behind.
    pub fn with_timestamp(self, f: impl Fn(&K, &V) -> Timestamp + Send + Sync + 'static) -> Self {
        ops::stateless::with_timestamp(self, move |key, value| Ok(f(key, value)))
    }

    /// As [`with_timestamp`](Self::with_timestamp); a record that fails is dead-lettered.
    pub fn try_with_timestamp(self, f: impl Fn(&K, &V) -> Result<Timestamp, ProcessError> + Send + Sync + 'static) -> Self {
        ops::stateless::with_timestamp(self, f)
    }

    /// Lets the first record of each identity pass. See [`Dedup`].
    pub fn dedup(self, options: Dedup<K, V>) -> Self {
        ops::dedup::dedup(self, options)
    }

    /// Sends each record to the first arm that accepts it; one that none accepts is filtered (`no_branch`).
    pub fn split<const N: usize>(self, arms: [fn(&K, &V) -> bool; N]) -> [Self; N] {
        ops::split::split(self, arms)
    }

    /// Records of both streams. Each stream keeps its order; between them there is none.
    pub fn merge(self, other: Self) -> Self {
        ops::stateless::merge(self, other)
    }

    /// Sends every record through a topic, so that equal keys meet in one partition.
    pub fn repartition(self, options: impl Into<Repartitioned<K, V>>) -> Self {
        ops::repartition::repartition(self.builder, [self], options.into())
    }

    /// An operator written by hand, under a name of the author's.
    pub fn process<S: ProcessorSupplier<K, V>>(self, name: &str, supplier: S) -> Processed<'b, S, K, V> {
        ops::process::process(self, name, supplier)
    }

    /// Lets equal keys meet, through a topic if they have changed, to be aggregated.
    pub fn group_by_key(self) -> KGroupedStream<'b, K, V>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.group_with(Grouped::with(K::default_serde(), V::default_serde()))
    }

    /// As [`group_by_key`](Self::group_by_key), with serdes or a name for the topic.
    pub fn group_with(self, options: Grouped<K, V>) -> KGroupedStream<'b, K, V> {
        KGroupedStream::new(self, options)
    }

    /// Groups by another key.
    pub fn group_by<K2: DefaultSerde>(self, f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static) -> KGroupedStream<'b, K2, V>
    where
        V: DefaultSerde,
    {
        self.select_key(f).group_by_key()
    }

    /// Keeps the last record of each key, in the order of arrival. A value that its serde takes for null deletes.
    pub fn to_table(self, store: impl Into<Materialized<K, V>>) -> KTable<'b, K, V> {
        ops::to_table::to_table(self, store.into())
    }

    /// Pairs each record with the row of its key that the table has when the record comes; without a row it is filtered.
    pub fn join_table<V2: Data, O: Data>(
        self,
        table: KTable<'b, K, V2>,
        f: impl Fn(&K, V, &V2) -> O + Send + Sync + 'static,
    ) -> KStream<'b, K, O> {
        ops::stream_table_join::join(self, table, move |key, value, row| Some(f(key, value, row?)))
    }

    /// Pairs each record with the row of its key that the table has when the record comes, if there is one.
    pub fn left_join_table<V2: Data, O: Data>(
        self,
        table: KTable<'b, K, V2>,
        f: impl Fn(&K, V, Option<&V2>) -> O + Send + Sync + 'static,
    ) -> KStream<'b, K, O> {
        ops::stream_table_join::join(self, table, move |key, value, row| Some(f(key, value, row)))
    }

    /// Looks at each record, and ends there.
    pub fn foreach(self, look: impl Fn(&K, &V) + Send + Sync + 'static) {
        let _: Self = ops::stateless::peek(self, look);
    }

    /// Writes every record to a topic.
    pub fn to(self, sink: impl Into<Produced<K, V>>) {
        ops::sink::to(self, sink.into());
    }
}

impl<'b, K: Data, V: Data> KStream<'b, K, Option<V>> {
    /// The records that have a value. One without is filtered (`null_value`).
    pub fn present(self) -> KStream<'b, K, V> {
        ops::stateless::present(self)
    }

    /// Keeps the last value of each key, in the order of arrival. A record without a value deletes.
    pub fn upsert_table(self, store: impl Into<Materialized<K, V>>) -> KTable<'b, K, V> {
        ops::to_table::upsert_table(self, store.into())
    }

    /// Keeps the history of each key by event time, and tells its versions: each when it begins, and again when it ends or changes. One that is
    /// no more, because a late record took its place, is told without a value. See [`Scd2`].
    pub fn scd2(self, history: impl Into<Scd2<K, V>>) -> KStream<'b, Versioned<K>, Option<Version<V>>> {
        ops::scd2::scd2(self, history.into())
    }
}

impl<R: Row> KStream<'_, R::Key, Option<R>> {
    /// Keeps rows that were made by hand and tells them by a policy: an equal row is not told again, a row that was never
    /// told and is deleted is not told at all, and a deletion is the last row, marked, and then a tombstone.
    pub fn upsert_rows(self, store: impl Into<Materialized<R::Key, R>>, emit: Emit) -> Self {
        ops::rows::upsert_rows(self, store.into().emit(emit))
    }
}
