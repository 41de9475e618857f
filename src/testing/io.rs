//! The driver's ends: what a test sends and what it reads.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::TopologyTestDriver;
use crate::kafka::StoredRecord;
use crate::record::{Headers, Record, Timestamp, TopicPartition};
use crate::serde::{DefaultSerde, SharedSerde};

/// Sends records to an input topic.
#[derive(Debug)]
pub struct TestInput<'d> {
    pub(super) driver: &'d mut TopologyTestDriver,
    pub(super) topic: Arc<str>,
    pub(super) partition: Option<i32>,
}

impl TestInput<'_> {
    /// Sends to this partition instead of the key's.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sends a record by its types' default serdes, with a Kafka timestamp in milliseconds.
    #[expect(clippy::needless_pass_by_value, reason = "a test reads better without borrowed literals")]
    pub fn send<K: DefaultSerde, V: DefaultSerde>(&mut self, key: K, value: V, timestamp_ms: i64) {
        let (key, value) = (bytes_of(&K::default_serde(), &key), bytes_of(&V::default_serde(), &value));
        self.send_record(timestamp_ms, StoredRecord { key, value, headers: Headers::new() });
    }

    /// Sends bytes.
    pub fn send_bytes(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, timestamp_ms: i64) {
        let (key, value) = (key.map(Bytes::copy_from_slice), value.map(Bytes::copy_from_slice));
        self.send_record(timestamp_ms, StoredRecord { key, value, headers: Headers::new() });
    }

    /// Sends a record as it is.
    pub fn send_record(&mut self, timestamp_ms: i64, record: StoredRecord) {
        let partition = self.partition.unwrap_or_else(|| self.driver.partition_of(record.key.as_deref()));
        let to = TopicPartition::new(Arc::clone(&self.topic), partition);
        self.driver.arrive(to, Timestamp::from_millis(timestamp_ms), record);
    }
}

fn bytes_of<T: DefaultSerde>(serde: &SharedSerde<T>, value: &T) -> Option<Bytes> {
    if serde.is_null(value) {
        return None;
    }
    let mut bytes = BytesMut::new();
    serde.encode(value, &mut bytes).unwrap_or_else(|error| panic!("the value can be encoded: {error}"));
    Some(bytes.freeze())
}

/// A record that the topology wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    /// Its partition.
    pub partition: i32,
    /// Its time.
    pub timestamp: Timestamp,
    /// Its bytes.
    pub record: StoredRecord,
}

/// Reads what was written to a topic.
#[derive(Debug)]
pub struct TestOutput<'d> {
    pub(super) driver: &'d mut TopologyTestDriver,
    pub(super) topic: String,
}

impl TestOutput<'_> {
    /// All records since the last read, as bytes.
    pub fn read_raw(&mut self) -> Vec<OutputRecord> {
        self.driver.outputs.remove(&self.topic).map_or_else(Vec::new, Into::into)
    }

    /// All records since the last read, by their types' default serdes.
    pub fn read_records<K: DefaultSerde, V: DefaultSerde>(&mut self) -> Vec<Record<K, V>> {
        self.read_records_with(&K::default_serde(), &V::default_serde())
    }

    /// All records since the last read, by these serdes.
    pub fn read_records_with<K, V>(&mut self, key: &SharedSerde<K>, value: &SharedSerde<V>) -> Vec<Record<K, V>> {
        let decode = |output: OutputRecord| Record {
            key: value_of(key, output.record.key.as_deref()),
            value: value_of(value, output.record.value.as_deref()),
            timestamp: output.timestamp,
            headers: output.record.headers,
        };
        self.read_raw().into_iter().map(decode).collect()
    }

    /// Keys and values of all records since the last read.
    pub fn read_all<K: DefaultSerde, V: DefaultSerde>(&mut self) -> Vec<(K, V)> {
        self.read_records().into_iter().map(|record| (record.key, record.value)).collect()
    }
}

fn value_of<T>(serde: &SharedSerde<T>, bytes: Option<&[u8]>) -> T {
    let decoded = bytes.map_or_else(|| serde.decode_null(), |bytes| serde.decode(bytes));
    decoded.unwrap_or_else(|error| panic!("the output can be decoded: {error}"))
}

/// A dead letter, its headers read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The input's topic, partition and offset outside the application.
    pub origin: (String, i32, i64),
    /// One of a closed set.
    pub reason: String,
    /// The sentence.
    pub error: String,
    /// The input's key.
    pub key: Option<Bytes>,
    /// The input's value.
    pub value: Option<Bytes>,
}

impl DeadLetter {
    pub(super) fn of(output: &OutputRecord) -> Self {
        let text = |name: &str| {
            let value = output.record.headers.last(name).and_then(|header| header.value.as_deref());
            String::from_utf8_lossy(value.unwrap_or_else(|| panic!("a dead letter has the header {name}"))).into_owned()
        };
        let number = |name: &str| text(name).parse().unwrap_or_else(|_| panic!("header {name} is a number"));
        Self {
            origin: (text("dlq.topic"), number("dlq.partition") as i32, number("dlq.offset")),
            reason: text("dlq.reason"),
            error: text("dlq.error"),
            key: output.record.key.clone(),
            value: output.record.value.clone(),
        }
    }
}
