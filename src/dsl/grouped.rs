//! `KGroupedStream`: a stream whose equal keys meet, ready to be aggregated. One line a method; the operators are in `ops`.

use std::fmt;
use std::sync::Arc;

use super::cogroup::CogroupedKStream;
use super::kstream::KStream;
use super::ktable::KTable;
use super::materialized::Materialized;
use super::ops;
use super::ops::aggregator::{Aggregator, RecordPosition};
use super::options::Repartitioned;
use super::windowed::Windowing;
use crate::record::Record;
use crate::serde::{Data, DefaultSerde, SharedSerde};

/// How a stream is grouped: by which serdes, and through a topic of which name if its keys have changed.
pub struct Grouped<K, V> {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) partitions: Option<i32>,
    pub(crate) lead: bool,
}

impl<K, V> Clone for Grouped<K, V> {
    fn clone(&self) -> Self {
        let Self { name, key, value, partitions, lead } = self;
        Self { name: name.clone(), key: key.clone(), value: value.clone(), partitions: *partitions, lead: *lead }
    }
}

impl<K, V> fmt::Debug for Grouped<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouped").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Grouped<K, V> {
    /// With these serdes. A repartition topic is named after the store of the aggregation.
    pub fn with(key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self { name: None, key, value, partitions: None, lead: false }
    }

    /// With the types' default serdes, through `<application_id>-<topology>-<name>-repartition` if the keys have changed.
    pub fn named(name: &str) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(K::default_serde(), V::default_serde()).through(name)
    }

    /// Names the repartition topic, which all aggregations of the grouped stream then share.
    #[must_use]
    pub fn through(mut self, name: &str) -> Self {
        self.name = Some(Arc::from(name));
        self
    }

    /// How many partitions a repartition topic has. By default what the application's settings say.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// The partitions of a repartition topic stand for the tasks of the sub-topology behind it.
    #[must_use]
    pub fn lead(mut self) -> Self {
        self.lead = true;
        self
    }

    fn repartitioned(&self, name: &str) -> Repartitioned<K, V> {
        self.repartitioned_with(name, self.value.clone())
    }

    /// The topic's options, for values that another serde writes.
    pub(crate) fn repartitioned_with<V2: Data>(&self, name: &str, value: SharedSerde<V2>) -> Repartitioned<K, V2> {
        let mut options = Repartitioned::with(name, self.key.clone(), value);
        (options.partitions, options.lead) = (self.partitions, self.lead);
        options
    }
}

/// A stream whose records meet by their key.
#[must_use = "a grouped stream that nothing aggregates does nothing"]
pub struct KGroupedStream<'b, K, V> {
    stream: KStream<'b, K, V>,
    pub(crate) grouped: Grouped<K, V>,
}

impl<K, V> Clone for KGroupedStream<'_, K, V> {
    fn clone(&self) -> Self {
        Self { stream: self.stream, grouped: self.grouped.clone() }
    }
}

impl<K, V> fmt::Debug for KGroupedStream<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KGroupedStream").field(&self.stream).finish()
    }
}

impl<'b, K: Data, V: Data> KGroupedStream<'b, K, V> {
    pub(crate) fn new(stream: KStream<'b, K, V>, grouped: Grouped<K, V>) -> Self {
        let stream = match &grouped.name {
            Some(name) if stream.key_changed => stream.repartition(grouped.repartitioned(name)),
            _ => stream,
        };
        Self { stream, grouped }
    }

    /// The stream as the aggregation in this store reads it: repartitioned if keys have changed.
    pub(crate) fn meeting(&self, store: &str) -> KStream<'b, K, V> {
        if self.stream.key_changed { self.stream.repartition(self.grouped.repartitioned(store)) } else { self.stream }
    }

    /// Counts the records of each key.
    ///
    /// ```
    /// use highwater::{StreamsBuilder, TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new("words");
    /// builder.stream::<String, String>("lines").group_by(|_, word| word.clone()).count("counts").to_stream().to("counts");
    /// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
    /// for word in ["to", "be", "to"] {
    ///     driver.input("lines").send("line".to_owned(), word.to_owned(), 0);
    /// }
    /// let counts: Vec<(String, Option<u64>)> = driver.output("counts").read_all();
    /// assert_eq!(counts, [("to".into(), Some(1)), ("be".into(), Some(1)), ("to".into(), Some(2))]);
    /// ```
    pub fn count(&self, store: impl Into<Materialized<K, u64>>) -> KTable<'b, K, u64> {
        self.aggregate(store, || 0, |_, _, count| *count += 1)
    }

    /// Makes one value of all of a key: the first as it is, each further one by `f` of what there is and it.
    pub fn reduce(
        &self,
        store: impl Into<Materialized<K, V>>,
        f: impl Fn(V, V) -> V + Send + Sync + 'static,
    ) -> KTable<'b, K, V> {
        ops::aggregate::reduce(self, store.into(), f)
    }

    /// Aggregates the records of each key: `init` begins, `add` adds. An aggregate that its serde takes for null is deleted.
    pub fn aggregate<A: Data>(
        &self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
    ) -> KTable<'b, K, A> {
        ops::aggregate::aggregate(self, store.into(), Aggregator::of(init, add))
    }

    /// As [`aggregate`](Self::aggregate), for aggregates that need a record's time, or its place in the order of arrival.
    pub fn aggregate_records<A: Data>(
        &self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&Record<K, V>, RecordPosition, &mut A) + Send + Sync + 'static,
    ) -> KTable<'b, K, A> {
        ops::aggregate::aggregate(self, store.into(), Aggregator::of_records(init, add))
    }

    /// Begins an aggregate that several grouped streams share, each added in its own way.
    pub fn cogroup<A: Data>(self, add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static) -> CogroupedKStream<'b, K, A> {
        CogroupedKStream::new(self.stream.builder).cogroup(self, add)
    }

    /// Cuts time into windows, each aggregated on its own: [`TimeWindows`](super::TimeWindows) or
    /// [`SessionWindows`](super::SessionWindows).
    pub fn windowed_by<W: Windowing>(self, windows: W) -> W::Grouped<'b, K, V> {
        windows.window(self)
    }
}
