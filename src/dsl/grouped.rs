//! `KGroupedStream`: a stream whose equal keys meet, ready to be aggregated. One line a method; the operators are in `ops`.

use std::fmt;
use std::sync::Arc;

use super::kstream::KStream;
use super::options::Repartitioned;
use super::windowed::Windowing;
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
        let mut options = Repartitioned::with(name, self.key.clone(), self.value.clone());
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

    /// Cuts time into windows, each aggregated on its own: [`TimeWindows`](super::TimeWindows) or
    /// [`SessionWindows`](super::SessionWindows).
    pub fn windowed_by<W: Windowing>(self, windows: W) -> W::Grouped<'b, K, V> {
        windows.window(self)
    }
}
