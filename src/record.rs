//! The words that every layer speaks: records, timestamps, headers, partitions, tasks.
//!
//! Plain types without logic. How records become bytes is `serde`; where they come from is `kafka`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// A point in time in milliseconds since 1970-01-01T00:00:00Z, as Kafka stamps records. May be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every real time: the stream time of an operator that has seen nothing.
    pub const MIN: Self = Self(i64::MIN);

    /// The time `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time moved by `by` to the future, saturating.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// This time moved by `by` to the past, saturating.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A duration in whole milliseconds, saturating at `i64::MAX`.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// One header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name; names may repeat.
    pub key: Box<str>,
    /// Its bytes; `None` is Kafka's null.
    pub value: Option<Bytes>,
}

/// Grows while a record is made, and is shared from then on.
type SharedHeaders = Arc<Vec<Header>>;

/// A record's headers, in order. Empty headers cost nothing, and clones share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<SharedHeaders>);

impl Headers {
    /// No headers.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|headers| headers.is_empty())
    }

    /// Adds one at the end.
    pub fn push(&mut self, key: impl Into<Box<str>>, value: Option<Bytes>) {
        let headers = self.0.get_or_insert_default();
        Arc::make_mut(headers).push(Header { key: key.into(), value });
    }

    /// Adds a text header at the end.
    pub fn push_text(&mut self, key: impl Into<Box<str>>, value: impl fmt::Display) {
        self.push(key, Some(Bytes::from(value.to_string())));
    }

    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.as_ref().map_or([].as_slice(), |headers| headers.as_slice()).iter()
    }

    /// The last one of that name.
    pub fn last(&self, key: &str) -> Option<&Header> {
        self.iter().rev().find(|header| &*header.key == key)
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let headers: Vec<Header> = headers.into_iter().collect();
        if headers.is_empty() { Self::new() } else { Self(Some(Arc::new(headers))) }
    }
}

/// A key, a value and the time they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<K, V> {
    /// What the record is about; decides its partition.
    pub key: K,
    /// What it says.
    pub value: V,
    /// Event time.
    pub timestamp: Timestamp,
    /// What travels with it.
    pub headers: Headers,
}

impl<K, V> Record<K, V> {
    /// A record without headers.
    pub fn new(key: K, value: V, timestamp: Timestamp) -> Self {
        Self { key, value, timestamp, headers: Headers::new() }
    }

    /// The same record with another key and value.
    pub fn with<K2, V2>(self, key: K2, value: V2) -> Record<K2, V2> {
        Record { key, value, timestamp: self.timestamp, headers: self.headers }
    }
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// One sub-topology at one partition number: the unit of parallelism, ownership, state and recovery.
///
/// Named by the author's names and the partition, as in `orders.by_order_3`, never by a position in the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The topology's name and the sub-topology's, joined by a dot.
    pub subtopology: Arc<str>,
    /// The partition number that all its inputs share.
    pub partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}
