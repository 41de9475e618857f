//! What the oracle is fed: input records as they lie in their topics. No meaning is read here.

use std::collections::BTreeMap;

/// One record of an input topic. Its offset is its place among the records of its topic and partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// The topic's name, such as `raw.events`.
    pub topic: String,
    /// The partition in which it lies.
    pub partition: i32,
    /// The key's bytes, if there is a key.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// The headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The Kafka timestamp in epoch milliseconds.
    pub timestamp_ms: i64,
}

/// A record with its coordinates in Kafka, as the rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) topic: &'static str,
    pub(crate) offset: i64,
    pub(crate) record: &'a InputRecord,
}

/// The records of one topic by partition, each with its offset.
pub(crate) fn partitions_of<'a>(records: &'a [InputRecord], topic: &'static str) -> BTreeMap<i32, Vec<Placed<'a>>> {
    let mut partitions: BTreeMap<i32, Vec<Placed<'a>>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.topic == topic) {
        let partition = partitions.entry(record.partition).or_default();
        partition.push(Placed { topic, offset: partition.len() as i64, record });
    }
    partitions
}
