//! Short forms by which the other tests write input records and ask for what is expected of them.

use serde_json::{Value, json};
use shoppulse_oracle::{Expected, InputRecord, expect};

/// A record of partition 0.
pub(crate) fn record(topic: &str, key: &str, value: Option<&str>, timestamp_ms: i64) -> InputRecord {
    InputRecord {
        topic: topic.to_owned(),
        partition: 0,
        key: Some(key.as_bytes().to_vec()),
        value: value.map(|text| text.as_bytes().to_vec()),
        headers: vec![],
        timestamp_ms,
    }
}

/// A message of `shop|v` with these members over a valid one that was received at noon on 2026-01-05.
pub(crate) fn event(members: Value) -> InputRecord {
    let mut message = json!({
        "type": "page", "messageId": "m", "shopId": "shop", "writeKey": "w", "anonymousId": "v",
        "receivedAt": "2026-01-05T12:00:00.000Z",
    });
    for (name, value) in members.as_object().unwrap() {
        message[name] = value.clone();
    }
    record("raw.events", "shop|v", Some(&message.to_string()), NOON_MS)
}

/// Noon on 2026-01-05 in epoch milliseconds.
pub(crate) const NOON_MS: i64 = 1_767_614_400_000;

/// A change of a row as Debezium tells it.
pub(crate) fn change(table: &str, id: i64, op: &str, lsn: Option<i64>, ts_ms: i64, after: Value) -> InputRecord {
    let after = if after.is_null() {
        after
    } else {
        let mut after = after;
        after["id"] = json!(id);
        after
    };
    let value = json!({"before": null, "after": after, "op": op, "source": {"lsn": lsn, "ts_ms": ts_ms}});
    record(&format!("cdc.shop.public.{table}"), &json!({"id": id}).to_string(), Some(&value.to_string()), ts_ms)
}

/// The books by topology, outcome and reason, all minutes and partitions together.
pub(crate) fn books(expected: &Expected) -> Vec<String> {
    let mut lines = std::collections::BTreeMap::new();
    for ((_, topology, topic, _, outcome, reason), count) in &expected.quality {
        *lines.entry(format!("{topology} {topic} {outcome} {reason}").trim().to_owned()).or_insert(0) += count;
    }
    lines.into_iter().map(|(line, count)| format!("{line}: {count}")).collect()
}

/// Outcome and reason of the last record, by the difference that it makes to the books of its topology.
pub(crate) fn verdict(records: &[InputRecord]) -> String {
    let (last, before) = records.split_last().unwrap();
    let (with, without) = (expect(records).quality, expect(before).quality);
    let outcomes = with
        .iter()
        .filter(|((_, topology, topic, _, outcome, _), _)| outcome != "in" && *topic == last.topic && topology != "sessions");
    let mut changed = outcomes.filter(|(line, count)| without.get(*line) != Some(*count));
    let ((.., outcome, reason), _) = changed.next().expect("every record is booked");
    assert_eq!(changed.next(), None, "one record has one outcome");
    if reason.is_empty() { outcome.clone() } else { format!("{outcome} {reason}") }
}

/// The outcome of each record in its turn.
pub(crate) fn verdicts(records: &[InputRecord]) -> Vec<String> {
    (1..=records.len()).map(|count| verdict(&records[..count])).collect()
}

/// The rows of a table, cut to some columns, in the order of their keys.
pub(crate) fn rows(expected: &Expected, topic: &str, columns: &[&str]) -> Vec<Value> {
    let cut = |row: &Value| columns.iter().map(|column| row[*column].clone()).collect::<Value>();
    expected.tables[topic].values().map(cut).collect()
}
