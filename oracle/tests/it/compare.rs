//! The comparison finds a planted difference of each kind, and nothing in a right outcome.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shoppulse_oracle::{Actual, DifferenceKind, Expected, OutputRow, Traffic, TrafficSettings, compare, expect, partition_of};

const PARTITIONS: i32 = 4;

/// A record of an output topic as `tail` shows it.
#[derive(Clone)]
struct Output {
    row: OutputRow,
    partition: i32,
    headers: Vec<(String, String)>,
}

/// What a right stream writes: each row once, after an older version that was deleted and buried.
fn outputs(expected: &Expected) -> Vec<Output> {
    let mut outputs = vec![];
    for (topic, rows) in &expected.tables {
        for (key, row) in rows {
            let key: Value = serde_json::from_str(key).unwrap();
            table_row(&mut outputs, topic, &key, row);
        }
    }
    for event in &expected.clean_events {
        let mut value = event.value();
        value["processed_at"] = json!(1);
        push(&mut outputs, "clean.events", event.partition, json!(event.key), Some(value), &[]);
    }
    for late in &expected.late_events {
        let headers = [
            ("reason", late.reason.clone()),
            ("late_by_ms", late.late_by_ms.to_string()),
            ("stream_time", late.stream_time_ms.to_string()),
            ("bucket", late.bucket_ms.to_string()),
            ("topology", late.topology.clone()),
        ];
        push(&mut outputs, "late.events", 0, json!(late.key), Some(json!("bytes")), &headers);
    }
    for (topic, partition, offset, topology, reason) in &expected.dead_letters {
        let headers = [
            ("dlq.topic", topic.clone()),
            ("dlq.partition", partition.to_string()),
            ("dlq.offset", offset.to_string()),
            ("dlq.timestamp", "0".to_owned()),
            ("dlq.reason", reason.clone()),
            ("dlq.error", "a sentence".to_owned()),
            ("dlq.topology", topology.clone()),
            ("dlq.version", "1".to_owned()),
        ];
        push(&mut outputs, "dlq.shoppulse", 0, json!(null), Some(json!("bytes")), &headers);
    }
    for ((minute, topology, topic, partition, outcome, reason), count) in &expected.quality {
        let key = json!({
            "minute": minute, "topology": topology, "topic": topic, "partition": partition, "outcome": outcome, "reason": reason,
        });
        let mut row = key.clone();
        row["count"] = json!(count);
        table_row(&mut outputs, "ops.quality", &key, &row);
    }
    outputs
}

fn table_row(outputs: &mut Vec<Output>, topic: &str, key: &Value, row: &Value) {
    let columns: &[&str] = match topic {
        "curated.sessions" => &["shop_id", "session_id"],
        "curated.order_facts" => &["shop_id", "order_id"],
        "curated.customers" => &["shop_id", "customer_id"],
        "curated.customer_history" => &["shop_id", "customer_id", "valid_from"],
        _ => &["minute", "topology", "topic", "partition", "outcome", "reason"],
    };
    let text = columns.iter().map(|column| key[*column].as_str().map_or_else(|| key[*column].to_string(), str::to_owned));
    let partition = partition_of(text.collect::<Vec<_>>().join("|").as_bytes(), PARTITIONS);
    let mut deleted = key.clone();
    deleted["row_version"] = json!(1);
    deleted["is_deleted"] = json!(true);
    push(outputs, topic, partition, key.clone(), Some(deleted), &[]);
    push(outputs, topic, partition, key.clone(), None, &[]);
    let mut row = row.clone();
    row["row_version"] = json!(2);
    row["is_deleted"] = json!(false);
    row["an_added_column"] = json!("may be there");
    push(outputs, topic, partition, key.clone(), Some(row), &[]);
}

fn push(outputs: &mut Vec<Output>, topic: &str, partition: i32, key: Value, value: Option<Value>, headers: &[(&str, String)]) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    outputs.push(Output { row: OutputRow { topic: topic.to_owned(), key, value }, partition, headers });
}

fn differences(expected: &Expected, outputs: &[Output]) -> BTreeMap<(DifferenceKind, String), Vec<String>> {
    let mut actual = Actual::new().with_partitions(PARTITIONS);
    for output in outputs {
        actual.observe(output.partition, output.row.clone(), &output.headers);
    }
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for difference in compare(expected, &actual) {
        found.entry((difference.kind, difference.topic.clone())).or_default().push(difference.to_string());
    }
    found
}

fn traffic() -> Expected {
    expect(&Traffic::new(TrafficSettings::test(3_000, 5)).collect::<Vec<_>>())
}

#[test]
fn a_right_outcome_has_no_difference() {
    let expected = traffic();
    assert_eq!(differences(&expected, &outputs(&expected)), BTreeMap::new());
}

#[test]
fn a_planted_difference_of_each_kind_is_found() {
    type Plant = fn(&mut Vec<Output>, usize);
    let plants: [(&str, DifferenceKind, Plant); 20] = [
        ("curated.sessions", DifferenceKind::MissingRow, |outputs, at| drop(outputs.remove(at))),
        ("curated.sessions", DifferenceKind::ExtraRow, |outputs, at| {
            let mut more = outputs[at].clone();
            more.row.key["session_id"] = json!("0");
            set_column(&mut more, "session_id", json!("0"));
            outputs.push(more);
        }),
        ("curated.sessions", DifferenceKind::WrongColumn, |outputs, at| set_column(&mut outputs[at], "events", json!(0))),
        ("curated.sessions", DifferenceKind::WrongColumn, |outputs, at| set_column(&mut outputs[at - 2], "user_id", json!("u"))),
        ("curated.sessions", DifferenceKind::Version, |outputs, at| set_column(&mut outputs[at], "row_version", json!(1))),
        ("curated.sessions", DifferenceKind::Version, |outputs, at| set_column(&mut outputs[at], "row_version", json!(null))),
        ("curated.sessions", DifferenceKind::Placement, |outputs, at| outputs[at].partition = (outputs[at].partition + 1) % 4),
        ("curated.customers", DifferenceKind::Tombstone, |outputs, at| drop(outputs.remove(at - 1))),
        ("curated.customers", DifferenceKind::Tombstone, |outputs, at| drop(outputs.remove(at - 2))),
        ("curated.customers", DifferenceKind::Tombstone, |outputs, at| drop(outputs.drain(at - 1..=at))),
        ("curated.customer_history", DifferenceKind::WrongColumn, |outputs, at| {
            set_column(&mut outputs[at], "valid_from", json!(1));
        }),
        ("curated.order_facts", DifferenceKind::WrongColumn, |outputs, at| {
            outputs[at].row.value.as_mut().unwrap().as_object_mut().unwrap().remove("status");
        }),
        ("clean.events", DifferenceKind::MissingRow, |outputs, at| drop(outputs.remove(at))),
        ("clean.events", DifferenceKind::ExtraRow, |outputs, at| outputs.push(outputs[at].clone())),
        ("clean.events", DifferenceKind::WrongColumn, |outputs, at| set_column(&mut outputs[at], "properties", json!("{ }"))),
        ("late.events", DifferenceKind::MissingRow, |outputs, at| drop(outputs.remove(at))),
        ("late.events", DifferenceKind::Malformed, |outputs, at| outputs[at].headers.truncate(3)),
        ("dlq.shoppulse", DifferenceKind::ExtraRow, |outputs, at| outputs[at].headers[4].1 = "internal".to_owned()),
        ("ops.quality", DifferenceKind::WrongCount, |outputs, at| set_column(&mut outputs[at], "count", json!(99_999))),
        ("ops.quality", DifferenceKind::Unbalanced, |outputs, at| set_column(&mut outputs[at], "count", json!(99_999))),
    ];
    let expected = traffic();
    let right = outputs(&expected);
    for (topic, kind, plant) in plants {
        let mut wrong = right.clone();
        let at = wrong.iter().rposition(|output| output.row.topic == topic && output.row.value.is_some()).unwrap();
        plant(&mut wrong, at);
        let found = differences(&expected, &wrong);
        let sentences = found.get(&(kind, topic.to_owned())).unwrap_or_else(|| panic!("{topic} {kind:?}: {found:?}"));
        assert!(sentences.iter().all(|sentence| sentence.starts_with(topic)), "{sentences:?}");
    }
}

fn set_column(output: &mut Output, column: &str, value: Value) {
    output.row.value.as_mut().unwrap()[column] = value;
}

#[test]
fn differences_are_sentences() {
    let mut actual = Actual::new();
    let line = r#"{"topic":"curated.customers","partition":1,"offset":0,"timestamp":0,"headers":{},
        "key":{"shop_id":"s","customer_id":"7"},"value":{"shop_id":"s","customer_id":"7","row_version":5,"is_deleted":false}}"#;
    actual.observe_line(line).unwrap();
    let sentences: Vec<String> = compare(&expect(&[]), &actual).iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), 1);
    assert!(sentences[0].starts_with(r#"curated.customers: the row {"customer_id":"7","shop_id":"s"} must not be there; found"#));
}

#[test]
fn lines_of_tail_are_read_with_headers_of_every_form() {
    for headers in [
        r#"{"dlq.topic":"t","dlq.partition":"0","dlq.offset":"1","dlq.timestamp":"2","dlq.reason":"r","dlq.error":"e","dlq.topology":"o","dlq.version":"1"}"#,
        r#"[["dlq.topic","t"],["dlq.partition","0"],["dlq.offset","1"],["dlq.timestamp","2"],["dlq.reason","r"],["dlq.error","e"],["dlq.topology","o"],["dlq.version","1"]]"#,
        r#"[{"key":"dlq.topic","value":"t"},{"key":"dlq.partition","value":"0"},{"key":"dlq.offset","value":"1"},{"key":"dlq.timestamp","value":"2"},{"key":"dlq.reason","value":"r"},{"key":"dlq.error","value":"e"},{"key":"dlq.topology","value":"o"},{"key":"dlq.version","value":"1"}]"#,
    ] {
        let mut actual = Actual::new();
        actual
            .observe_line(&format!(r#"{{"topic":"dlq.shoppulse","partition":0,"key":null,"value":null,"headers":{headers}}}"#))
            .unwrap();
        let mut expected = expect(&[]);
        expected.dead_letters.push(("t".into(), 0, 1, "o".into(), "r".into()));
        assert!(compare(&expected, &actual).is_empty());
    }
}

#[test]
fn the_kafka_timestamp_is_the_rows_time() {
    for (timestamp, faults) in [(1_234, 0), (1_235, 1)] {
        let mut actual = Actual::new();
        let line = format!(
            r#"{{"topic":"curated.sessions","partition":0,"timestamp":{timestamp},"key":{{"shop_id":"s","session_id":"0"}},
            "value":{{"shop_id":"s","session_id":"0","row_version":1,"is_deleted":false,"updated_at":1234999}},"headers":{{}}}}"#
        );
        actual.observe_line(&line).unwrap();
        assert_eq!(actual.faults().len(), faults, "{:?}", actual.faults());
    }
}
