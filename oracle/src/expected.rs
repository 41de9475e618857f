//! What a correct stream must end with, and the batch computation of it from all input records.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::books::Books;
use crate::canonical::canonical;
use crate::input::{InputRecord, partitions_of};
use crate::{clean, customers, facts, sessions};

/// Minute in epoch microseconds, topology, topic, partition, outcome and reason.
pub type QualityKey = (i64, String, String, i32, String, String);

/// Topic, partition and offset of the input record, the topology that refused it, and the reason.
pub type DeadLetter = (String, i32, i64, String, String);

/// One kept event as it must stand in `clean.events`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CleanRow {
    /// The record's key: shop and visitor.
    pub key: String,
    /// The event's id, unique within a key and write key.
    pub message_id: String,
    /// The partition in which it lies, the same as in `raw.events`.
    pub partition: i32,
    /// The columns but `processed_at`, as JSON with sorted names: a million trees of values would not fit into memory.
    pub columns: String,
}

impl CleanRow {
    /// The columns as a JSON object.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.columns).expect("columns are written as JSON here")
    }
}

/// What the headers of one record of `late.events` must say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LateEvent {
    /// The record's key.
    pub key: String,
    /// Why it is late.
    pub reason: String,
    /// By how many milliseconds it missed the limit.
    pub late_by_ms: i64,
    /// The stream time that it met, in epoch milliseconds.
    pub stream_time_ms: i64,
    /// The start of the UTC hour in which it happened, in epoch milliseconds.
    pub bucket_ms: i64,
    /// The topology that found it late.
    pub topology: String,
}

/// All that a correct stream ends with.
#[derive(Debug, Default)]
pub struct Expected {
    /// By topic and by the canonical JSON of the key: the rows that are not deleted, without `row_version` and
    /// `processed_at`; `updated_at` is there only where the contract defines it, in sessions.
    pub tables: BTreeMap<String, BTreeMap<String, Value>>,
    /// The kept events. Their order has no meaning.
    pub clean_events: Vec<CleanRow>,
    /// The number of late events by reason.
    pub late: BTreeMap<String, i64>,
    /// The late events. Their order has no meaning.
    pub late_events: Vec<LateEvent>,
    /// The dead letters. Their order has no meaning.
    pub dead_letters: Vec<DeadLetter>,
    /// The books.
    pub quality: BTreeMap<QualityKey, i64>,
}

/// The curated topics, whose final rows are compared.
pub(crate) const TABLES: [&str; 4] = ["curated.sessions", "curated.order_facts", "curated.customers", "curated.customer_history"];

/// The names of a table's key columns, in the order in which their text is joined to find the partition.
pub(crate) fn key_columns(topic: &str) -> &'static [&'static str] {
    match topic {
        "curated.sessions" => &["shop_id", "session_id"],
        "curated.order_facts" => &["shop_id", "order_id"],
        "curated.customers" => &["shop_id", "customer_id"],
        "curated.customer_history" => &["shop_id", "customer_id", "valid_from"],
        "ops.quality" => &["minute", "topology", "topic", "partition", "outcome", "reason"],
        _ => &[],
    }
}

impl Expected {
    /// Adds a final row to a table under the key that its own columns name.
    pub(crate) fn add_row(&mut self, topic: &str, row: Value) {
        let key: Value = key_columns(topic).iter().map(|column| ((*column).to_owned(), row[*column].clone())).collect();
        let former = self.tables.entry(topic.to_owned()).or_default().insert(canonical(&key), row);
        debug_assert!(former.is_none(), "two final rows of {topic} have the key {key}");
    }
}

/// Computes what a correct stream makes of these records. The order within each partition matters; the order between
/// partitions does not.
///
/// ```
/// use shoppulse_oracle::{InputRecord, expect};
///
/// let broken = InputRecord {
///     topic: "raw.events".into(),
///     partition: 0,
///     key: Some(b"shop|visitor".to_vec()),
///     value: Some(b"{".to_vec()),
///     headers: vec![],
///     timestamp_ms: 0,
/// };
/// let expected = expect(&[broken]);
/// assert_eq!(expected.dead_letters[0].4, "not_json");
/// ```
pub fn expect(records: &[InputRecord]) -> Expected {
    let mut expected = Expected::default();
    let mut books = Books::default();
    for topic in TABLES {
        expected.tables.insert(topic.to_owned(), BTreeMap::new());
    }
    for (partition, events) in partitions_of(records, clean::TOPIC) {
        let cleaned = clean::run(&events, &mut books);
        sessions::run(partition, &cleaned.kept, &mut books, &mut expected);
        expected.clean_events.extend(cleaned.rows);
        expected.late_events.extend(cleaned.late);
    }
    for late in &expected.late_events {
        *expected.late.entry(late.reason.clone()).or_default() += 1;
    }
    customers::run(records, &mut books, &mut expected);
    facts::run(records, &mut books, &mut expected);
    (expected.quality, expected.dead_letters) = books.close();
    expected
}
