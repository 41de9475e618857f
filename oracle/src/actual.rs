//! What a stream did write, gathered record by record in partition order. The promises that hold within a topic are judged
//! here as the records pass: versions, tombstones, places. Comparing the result is `compare`'s work.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::canonical::canonical;
use crate::compare::{Difference, DifferenceKind};
use crate::expected::{CleanRow, DeadLetter, LateEvent, QualityKey, TABLES, key_columns};
use crate::murmur2::partition_of;
use crate::time::MILLI_MICROS;

/// One output record, decoded: timestamps are integers of epoch microseconds, money is integers, null is null.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputRow {
    /// The topic in which it lies.
    pub topic: String,
    /// The key: an object of the key's columns, or a string.
    pub key: Value,
    /// The value: an object of the columns; none is a tombstone.
    pub value: Option<Value>,
}

/// The outcome of a stream. Feed it every record of the output topics, each partition in its order.
///
/// ```
/// use shoppulse_oracle::{Actual, OutputRow};
///
/// let mut actual = Actual::new().with_partitions(6);
/// let key = serde_json::json!({"shop_id": "s", "order_id": "7"});
/// actual.observe(3, OutputRow { topic: "curated.order_facts".into(), key, value: None }, &[]);
/// assert_eq!(actual.faults().len(), 2); // The place is wrong, and no deleted row came before.
/// ```
#[derive(Debug, Default)]
pub struct Actual {
    partitions: Option<i32>,
    pub(crate) tables: BTreeMap<String, BTreeMap<String, Latest>>,
    pub(crate) clean_events: Vec<CleanRow>,
    pub(crate) late_events: Vec<LateEvent>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    faults: Vec<Difference>,
}

/// The last that was seen of a key.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    /// The row, unless it is deleted.
    pub(crate) row: Option<Value>,
    version: Option<i64>,
    awaits_tombstone: bool,
}

impl Actual {
    /// Nothing seen yet; places are not judged.
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges also in which of so many partitions each record lies (rules 26 and 44).
    #[must_use]
    pub fn with_partitions(mut self, count: i32) -> Self {
        self.partitions = Some(count);
        self
    }

    /// Takes in one line of `shoppulse tail`: a JSON object with topic, partition, key, value and headers.
    pub fn observe_line(&mut self, line: &str) -> Result<(), serde_json::Error> {
        let mut record: Value = serde_json::from_str(line)?;
        let headers = headers_of(&record["headers"]);
        let topic = record["topic"].as_str().unwrap_or_default().to_owned();
        let partition = record["partition"].as_i64().unwrap_or(-1) as i32;
        let value = record["value"].take();
        self.judge_timestamp(&topic, &value, &record);
        let row = OutputRow { topic, key: record["key"].take(), value: (!value.is_null()).then_some(value) };
        self.observe(partition, row, &headers);
        Ok(())
    }

    /// Takes in one record. Topics that the oracle does not know are passed over.
    pub fn observe(&mut self, partition: i32, row: OutputRow, headers: &[(String, String)]) {
        match row.topic.as_str() {
            "clean.events" => self.observe_clean(partition, row),
            "late.events" => self.observe_late(&row, headers),
            "dlq.shoppulse" => self.observe_dead_letter(&row, headers),
            topic if topic == "ops.quality" || TABLES.contains(&topic) => self.observe_table(partition, row),
            _ => {}
        }
    }

    /// What was wrong with the records themselves, so far.
    pub fn faults(&self) -> &[Difference] {
        &self.faults
    }

    /// How many rows of a table are there and not deleted.
    pub fn rows(&self, topic: &str) -> usize {
        self.tables.get(topic).map_or(0, |rows| rows.values().filter(|latest| latest.row.is_some()).count())
    }

    /// The keys whose deleted row is still without its tombstone.
    pub(crate) fn awaiting_tombstones(&self) -> impl Iterator<Item = (&String, &String)> {
        let keys = self.tables.iter().flat_map(|(topic, rows)| rows.iter().map(move |(key, latest)| (topic, key, latest)));
        keys.filter(|(_, _, latest)| latest.awaits_tombstone).map(|(topic, key, _)| (topic, key))
    }

    /// The counts of `ops.quality`.
    pub(crate) fn quality(&self) -> BTreeMap<QualityKey, i64> {
        let rows = self.tables.get("ops.quality").into_iter().flat_map(BTreeMap::values);
        rows.filter_map(|latest| quality_line(latest.row.as_ref()?)).collect()
    }

    fn fault(&mut self, kind: DifferenceKind, topic: &str, sentence: String) {
        self.faults.push(Difference::new(kind, topic, sentence));
    }

    fn judge_place(&mut self, topic: &str, key_text: &str, partition: i32) {
        let Some(count) = self.partitions else {
            return;
        };
        let right = partition_of(key_text.as_bytes(), count);
        if right != partition {
            let sentence = format!("{topic}: the key {key_text} lies in partition {partition}, but belongs into {right}");
            self.fault(DifferenceKind::Placement, topic, sentence);
        }
    }

    /// Rule 7: `clean.events` carry the event's time, curated rows the time of their update.
    fn judge_timestamp(&mut self, topic: &str, value: &Value, record: &Value) {
        let instant = match topic {
            "clean.events" => &value["occurred_at"],
            _ if TABLES.contains(&topic) => &value["updated_at"],
            _ => return,
        };
        let (Some(micros), Some(timestamp_ms)) = (instant.as_i64(), record["timestamp"].as_i64()) else {
            return;
        };
        if micros.div_euclid(MILLI_MICROS) != timestamp_ms {
            let key = canonical(&record["key"]);
            let sentence = format!("{topic}: {key}: the Kafka timestamp is {timestamp_ms}, but the row's time is {micros} µs");
            self.fault(DifferenceKind::Timestamp, topic, sentence);
        }
    }

    fn observe_clean(&mut self, partition: i32, row: OutputRow) {
        let key = row.key.as_str().unwrap_or_default().to_owned();
        self.judge_place(&row.topic, &key, partition);
        let Some(Value::Object(mut columns)) = row.value else {
            let sentence = format!("clean.events: the record of {key} has no columns");
            return self.fault(DifferenceKind::Malformed, &row.topic, sentence);
        };
        columns.remove("processed_at");
        let message_id = columns.get("message_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.clean_events.push(CleanRow { key, message_id, partition, columns: canonical(&Value::Object(columns)) });
    }

    fn observe_late(&mut self, row: &OutputRow, headers: &[(String, String)]) {
        let text = |name: &str| header(headers, name);
        let number = |name: &str| text(name)?.parse().ok();
        let late = (|| {
            Some(LateEvent {
                key: row.key.as_str().unwrap_or_default().to_owned(),
                reason: text("reason")?.to_owned(),
                late_by_ms: number("late_by_ms")?,
                stream_time_ms: number("stream_time")?,
                bucket_ms: number("bucket")?,
                topology: text("topology")?.to_owned(),
            })
        })();
        if let Some(late) = late {
            self.late_events.push(late);
        } else {
            let sentence = format!("late.events: the record of {} lacks a header: {headers:?}", row.key);
            self.fault(DifferenceKind::Malformed, &row.topic, sentence);
        }
    }

    fn observe_dead_letter(&mut self, row: &OutputRow, headers: &[(String, String)]) {
        let text = |name: &str| header(headers, name).map(str::to_owned);
        let complete = ["dlq.timestamp", "dlq.error", "dlq.version"].iter().all(|name| header(headers, name).is_some());
        let letter = (|| {
            let (partition, offset) = (text("dlq.partition")?.parse().ok()?, text("dlq.offset")?.parse().ok()?);
            Some((text("dlq.topic")?, partition, offset, text("dlq.topology")?, text("dlq.reason")?))
        })();
        if let Some(letter) = letter.filter(|_| complete) {
            self.dead_letters.push(letter);
        } else {
            let sentence = format!("dlq.shoppulse: the record of {} lacks a header: {headers:?}", row.key);
            self.fault(DifferenceKind::Malformed, &row.topic, sentence);
        }
    }

    fn observe_table(&mut self, partition: i32, row: OutputRow) {
        let OutputRow { topic, key, value } = row;
        let text: Vec<String> = key_columns(&topic).iter().map(|column| plain_text(&key[*column])).collect();
        self.judge_place(&topic, &text.join("|"), partition);
        let key_text = canonical(&key);
        let latest = self.tables.entry(topic.clone()).or_default().entry(key_text.clone()).or_default();
        let mut found = vec![];
        match value {
            None => latest.bury(&mut found),
            Some(row) => latest.replace(&topic, &key, row, &mut found),
        }
        for (kind, sentence) in found {
            self.fault(kind, &topic, format!("{topic}: {key_text}: {sentence}"));
        }
    }
}

type Found = Vec<(DifferenceKind, String)>;

impl Latest {
    fn bury(&mut self, found: &mut Found) {
        if !self.awaits_tombstone {
            found.push((DifferenceKind::Tombstone, "a tombstone came without a deleted row before it".to_owned()));
        }
        self.awaits_tombstone = false;
        self.row = None;
    }

    fn replace(&mut self, topic: &str, key: &Value, row: Value, found: &mut Found) {
        if self.awaits_tombstone {
            found.push((DifferenceKind::Tombstone, "a row came between a deleted row and its tombstone".to_owned()));
        }
        for column in key_columns(topic).iter().filter(|column| row[**column] != key[**column]) {
            let sentence = format!("the value's {column} is {}, unlike the key's", row[*column]);
            found.push((DifferenceKind::WrongColumn, sentence));
        }
        let version = row["row_version"].as_i64();
        if version.is_none() || version <= self.version {
            let shown = |version: Option<i64>| version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let sentence = format!("the row_version does not increase: {} after {}", shown(version), shown(self.version));
            found.push((DifferenceKind::Version, sentence));
        }
        self.version = version.max(self.version);
        self.awaits_tombstone = row["is_deleted"] == Value::Bool(true);
        if self.awaits_tombstone {
            for column in personal_columns(topic).iter().filter(|column| !row[**column].is_null()) {
                found.push((DifferenceKind::WrongColumn, format!("the deleted row still has {column}")));
            }
        }
        self.row = (!self.awaits_tombstone).then_some(row);
    }
}

/// The nullable personal columns, which a deleted row must not keep (rule 46).
fn personal_columns(topic: &str) -> &'static [&'static str] {
    match topic {
        "curated.sessions" => &["user_id"],
        "curated.customers" | "curated.customer_history" => &["email", "name", "phone"],
        _ => &[],
    }
}

fn quality_line(row: &Value) -> Option<(QualityKey, i64)> {
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    let partition = i32::try_from(row["partition"].as_i64()?).ok()?;
    let key = (row["minute"].as_i64()?, text("topology")?, text("topic")?, partition, text("outcome")?, text("reason")?);
    Some((key, row["count"].as_i64()?))
}

/// A key column as it enters the hash: strings without quotes.
fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The last header of a name: the input's own come first.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().rev().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

/// Headers as an object, as pairs, or as objects with `key` and `value`.
fn headers_of(headers: &Value) -> Vec<(String, String)> {
    let pair = |element: &Value| match element {
        Value::Array(pair) => Some((pair.first()?.as_str()?.to_owned(), plain_text(pair.get(1)?))),
        _ => Some((element.get("key")?.as_str()?.to_owned(), plain_text(element.get("value")?))),
    };
    match headers {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), plain_text(value))).collect(),
        Value::Array(elements) => elements.iter().filter_map(pair).collect(),
        _ => vec![],
    }
}
