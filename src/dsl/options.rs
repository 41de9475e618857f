//! Options that accept plain values: a topic's name alone, or everything about how it is read or written.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::record::Timestamp;
use crate::serde::{Data, DefaultSerde, SharedSerde};
use crate::topology::OffsetReset;

/// Finds the event time of a record: of key, value and the Kafka timestamp.
pub type TimestampExtractor<K, V> = Arc<dyn Fn(&K, &V, Timestamp) -> Timestamp + Send + Sync>;

/// How a topic is read.
pub struct Consumed<K, V> {
    pub(crate) topic: Arc<str>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) reset: OffsetReset,
    pub(crate) lead: bool,
    pub(crate) subtopology: Option<Arc<str>>,
    pub(crate) extractor: Option<TimestampExtractor<K, V>>,
    pub(crate) max_future_skew: Option<Duration>,
}

impl<K, V> fmt::Debug for Consumed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumed").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Consumed<K, V> {
    /// A topic, read with the types' default serdes.
    pub fn topic(topic: &str) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(topic, K::default_serde(), V::default_serde())
    }

    /// A topic, read with these serdes.
    pub fn with(topic: &str, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self {
            topic: Arc::from(topic),
            key,
            value,
            reset: OffsetReset::Earliest,
            lead: false,
            subtopology: None,
            extractor: None,
            max_future_skew: None,
        }
    }

    /// Where to begin without a committed position.
    #[must_use]
    pub fn reset(mut self, reset: OffsetReset) -> Self {
        self.reset = reset;
        self
    }

    /// Its partitions stand for the tasks of its sub-topology.
    #[must_use]
    pub fn lead(mut self) -> Self {
        self.lead = true;
        self
    }

    /// Leads, and names the sub-topology: its tasks, their directories and their own changelog.
    #[must_use]
    pub fn subtopology(mut self, name: &str) -> Self {
        self.lead = true;
        self.subtopology = Some(Arc::from(name));
        self
    }

    /// Takes the event time from the record rather than from Kafka's timestamp.
    #[must_use]
    pub fn timestamp(mut self, extractor: impl Fn(&K, &V, Timestamp) -> Timestamp + Send + Sync + 'static) -> Self {
        self.extractor = Some(Arc::new(extractor));
        self
    }

    /// Refuses a record whose event time is more than this ahead of Kafka's timestamp, which is taken for its arrival: it becomes a
    /// dead letter (`future_timestamp`) and moves no stream time. Exactly as far ahead passes, and so does a record without a Kafka
    /// timestamp. The clock of whoever reads plays no part, so that a replay judges alike.
    ///
    /// For topics whose producer stamps records with the time at which it wrote them, together with [`Consumed::timestamp`]. Without
    /// this, no event time is too far ahead.
    #[must_use]
    pub fn max_future_skew(mut self, skew: Duration) -> Self {
        self.max_future_skew = Some(skew);
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> From<&str> for Consumed<K, V> {
    fn from(topic: &str) -> Self {
        Self::topic(topic)
    }
}

/// Decides a record's partition: of key, value, the key's bytes and the number of partitions.
pub(crate) type Partitioner<K, V> = Arc<dyn Fn(&K, &V, &[u8], i32) -> i32 + Send + Sync>;

/// How a topic is written.
pub struct Produced<K, V> {
    pub(crate) topic: Arc<str>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
}

impl<K, V> fmt::Debug for Produced<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Produced").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Produced<K, V> {
    /// A topic, written with the types' default serdes.
    pub fn topic(topic: &str) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(topic, K::default_serde(), V::default_serde())
    }

    /// A topic, written with these serdes.
    pub fn with(topic: &str, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self { topic: Arc::from(topic), key, value, partitioner: None }
    }

    /// Places records by Kafka's hash of this text instead of the key's bytes. Needed where key bytes hold a schema id.
    #[must_use]
    pub fn partitioned_by(mut self, text: impl Fn(&K) -> String + Send + Sync + 'static) -> Self {
        self.partitioner =
            Some(Arc::new(move |key, _, _, partitions| crate::kafka::partition_for_key(text(key).as_bytes(), partitions)));
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> From<&str> for Produced<K, V> {
    fn from(topic: &str) -> Self {
        Self::topic(topic)
    }
}

/// How a stream crosses a repartition topic.
pub struct Repartitioned<K, V> {
    pub(crate) name: Arc<str>,
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) partitions: Option<i32>,
    pub(crate) lead: bool,
}

impl<K, V> fmt::Debug for Repartitioned<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repartitioned").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K: Data, V: Data> Repartitioned<K, V> {
    /// Through `<application_id>-<topology>-<name>-repartition`, with the types' default serdes.
    pub fn named(name: &str) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        Self::with(name, K::default_serde(), V::default_serde())
    }

    /// The same, with these serdes.
    pub fn with(name: &str, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        Self { name: Arc::from(name), key, value, partitions: None, lead: false }
    }

    /// How many partitions. By default what the application's settings say.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Its partitions stand for the tasks of the sub-topology behind it.
    #[must_use]
    pub fn lead(mut self) -> Self {
        self.lead = true;
        self
    }
}

impl<K: DefaultSerde, V: DefaultSerde> From<&str> for Repartitioned<K, V> {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}
