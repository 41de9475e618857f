//! Reads the output topics from the cluster as a committed reader sees them. What they should hold is `check`'s matter.

use std::collections::BTreeMap;

use highwater::kafka::Isolation;
use highwater::kafka::memory::{LoggedRecord, MemoryCluster};
use highwater::serde::{Decode as _, SerdeError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shoppulse_avro::{
    CleanEvent, CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey, OrderFact, OrderFactKey, QualityKey, QualityRow,
    SessionKey, SessionRow, TopicRecord,
};
use shoppulse_oracle::{Actual, OutputRow};

use super::books::Books;
use super::{PARTITIONS, input};
use crate::exit::Failure;
use crate::schemas::Schemas;
use crate::topic_names as topics;

/// The topics of the output.
const OUTPUTS: [&str; 8] = [
    topics::CLEAN_EVENTS,
    topics::SESSIONS,
    topics::ORDER_FACTS,
    topics::CUSTOMERS,
    topics::CUSTOMER_HISTORY,
    topics::LATE_EVENTS,
    topics::DEAD_LETTERS,
    topics::QUALITY,
];

/// What was found.
pub(super) struct Found {
    pub(super) actual: Actual,
    pub(super) books: Books,
    /// Records by topic.
    pub(super) records: BTreeMap<&'static str, u64>,
    /// Rows of all curated topics and the books: each has a version.
    pub(super) rows: u64,
    /// Those among them that delete their key.
    pub(super) deletes: u64,
    pub(super) tombstones: u64,
}

/// Makes all topics of the outside world. None is compacted, so that the verdict sees every version of every row.
pub(super) fn create_topics(cluster: &MemoryCluster) -> Result<(), Failure> {
    let inputs = input::TOPICS.iter().map(|(topic, _)| *topic);
    inputs.chain(OUTPUTS).try_for_each(|name| cluster.create_topic(name, PARTITIONS)).map_err(Failure::from)
}

/// Records of the output that were written and that no committed reader sees: those of transactions that are open or were taken back.
pub(super) fn hidden_records(cluster: &MemoryCluster) -> u64 {
    let count = |topic, isolation| cluster.read(topic, isolation).len() as u64;
    let hidden = |topic| count(topic, Isolation::ReadUncommitted).saturating_sub(count(topic, Isolation::ReadCommitted));
    OUTPUTS.iter().map(|topic| hidden(topic)).sum()
}

/// Reads everything.
pub(super) fn read(cluster: &MemoryCluster, schemas: &Schemas) -> Result<Found, Failure> {
    let found = Found {
        actual: Actual::new().with_partitions(PARTITIONS),
        books: Books::default(),
        records: BTreeMap::new(),
        rows: 0,
        deletes: 0,
        tombstones: 0,
    };
    let mut reading = Reading { cluster, schemas, found };
    reading.clean_events()?;
    reading.rows::<SessionKey, SessionRow>(topics::SESSIONS, |_, _, _| ())?;
    reading.rows::<OrderFactKey, OrderFact>(topics::ORDER_FACTS, |_, _, _| ())?;
    reading.rows::<CustomerKey, CustomerRow>(topics::CUSTOMERS, |_, _, _| ())?;
    reading.rows::<CustomerVersionKey, CustomerVersion>(topics::CUSTOMER_HISTORY, |_, _, _| ())?;
    reading.rows::<QualityKey, QualityRow>(topics::QUALITY, Books::enter)?;
    reading.as_received(topics::LATE_EVENTS);
    reading.as_received(topics::DEAD_LETTERS);
    Ok(reading.found)
}

struct Reading<'a> {
    cluster: &'a MemoryCluster,
    schemas: &'a Schemas,
    found: Found,
}

impl Reading<'_> {
    /// A topic of rows and tombstones.
    fn rows<K, V>(&mut self, topic: &'static str, note: impl Fn(&mut Books, K, &V)) -> Result<(), Failure>
    where
        K: TopicRecord + Serialize + DeserializeOwned,
        V: TopicRecord + Serialize + DeserializeOwned,
    {
        let (keys, values) = (self.schemas.serde::<K>()?, self.schemas.serde::<V>()?);
        for logged in self.take(topic) {
            let bytes = logged.record.key.as_deref().unwrap_or_default();
            let key: K = keys.decode(bytes).map_err(|error| undecodable(topic, &logged, &error))?;
            let value = logged.record.value.as_deref().map(|bytes| values.decode(bytes)).transpose();
            let value: Option<V> = value.map_err(|error| undecodable(topic, &logged, &error))?;
            let (key_json, value_json) = (json(&key), value.as_ref().map(json));
            match &value_json {
                None => self.found.tombstones += 1,
                Some(row) => {
                    self.found.rows += 1;
                    self.found.deletes += u64::from(row["is_deleted"] == Value::Bool(true));
                }
            }
            if let Some(row) = &value {
                note(&mut self.found.books, key, row);
            }
            self.show(topic, &logged, key_json, value_json);
        }
        Ok(())
    }

    fn clean_events(&mut self) -> Result<(), Failure> {
        let topic = topics::CLEAN_EVENTS;
        let values = self.schemas.serde::<CleanEvent>()?;
        for logged in self.take(topic) {
            let bytes = logged.record.value.as_deref().unwrap_or_default();
            let value: CleanEvent = values.decode(bytes).map_err(|error| undecodable(topic, &logged, &error))?;
            self.show(topic, &logged, Value::String(logged.key_text().to_owned()), Some(json(&value)));
        }
        Ok(())
    }

    /// A topic whose records are the input's, and whose headers say why they are there.
    fn as_received(&mut self, topic: &'static str) {
        for logged in self.take(topic) {
            let key = logged.record.key.as_deref();
            let key = key.map_or(Value::Null, |key| Value::String(String::from_utf8_lossy(key).into_owned()));
            self.show(topic, &logged, key, Some(Value::Null));
        }
    }

    fn take(&mut self, topic: &'static str) -> Vec<LoggedRecord> {
        let records = self.cluster.read_committed(topic);
        self.found.records.insert(topic, records.len() as u64);
        records
    }

    fn show(&mut self, topic: &str, logged: &LoggedRecord, key: Value, value: Option<Value>) {
        let row = OutputRow { topic: topic.to_owned(), key, value };
        self.found.actual.observe(logged.partition, row, &highwater::testing::header_texts(&logged.record.headers));
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("rows have text keys and plain values")
}

fn undecodable(topic: &str, logged: &LoggedRecord, error: &SerdeError) -> Failure {
    Failure::failed(format!("{topic}, partition {}, offset {}: {error}", logged.partition, logged.offset))
}
