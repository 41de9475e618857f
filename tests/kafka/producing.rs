//! Producers: what readers see of them, and when they must stop.

use std::time::Duration;

use bytes::Bytes;
use highwater::kafka::{Batch, Isolation, KafkaErrorKind, Outgoing};
use highwater::{Headers, Timestamp, TopicPartition};

use crate::cluster::{PATIENCE, producer, read, reader, send, topic, unique};

/// Key, value, time and headers.
type Row<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, i64, &'a Headers);

#[test]
fn a_record_arrives_as_it_was_sent() {
    let topic = topic("faithful", 1);
    let mut headers = Headers::new();
    headers.push("a", Some(Bytes::from_static(b"1")));
    headers.push("null", None);
    headers.push("a", Some(Bytes::new()));
    let large = vec![7; 300_000];
    let none = Headers::new();
    let table: [Row<'_>; 5] = [
        (Some(b"key"), Some(b"value"), 1_700_000_000_000, &headers),
        (None, Some(b""), 1, &none),
        (Some(b""), None, 5, &headers),
        (Some(b"\0\xff"), Some(&large), 6, &none),
        (None, None, 7, &none),
    ];
    let mut producer = producer(None);
    for (key, value, millis, headers) in table {
        let timestamp = Timestamp::from_millis(millis);
        let record = Outgoing { topic: &topic, partition: 0, key, value, timestamp, headers, track: false };
        producer.send(&record, PATIENCE).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    let (mut reader, mut batch) = (reader(Isolation::ReadCommitted), Batch::default());
    reader.assign(&[(TopicPartition::new(topic.clone(), 0), 0)]).unwrap();
    for _ in 0..100 {
        reader.poll(&mut batch, 10, Duration::from_millis(100)).unwrap();
        if !batch.ends.is_empty() {
            break;
        }
    }
    assert_eq!(batch.records.len(), table.len());
    for (record, (key, value, millis, headers)) in batch.records.iter().zip(table) {
        assert_eq!((record.key(), record.value()), (key, value));
        assert_eq!((record.timestamp.as_millis(), &record.headers()), (millis, headers));
    }
    assert_eq!(batch.ends, [(reader.slot(&TopicPartition::new(topic, 0)), 5)]);
}

#[test]
fn an_open_transaction_is_in_the_log_and_not_committed() {
    let (topic, partition) = (topic("open", 1), 0);
    let place = TopicPartition::new(topic.clone(), partition);
    let mut producer = producer(Some(&unique("open")));
    let mut reader = reader(Isolation::ReadCommitted);
    producer.begin().unwrap();
    assert_eq!(producer.acknowledged(&topic, partition), None);
    send(&mut *producer, &topic, partition, "one");
    send(&mut *producer, &topic, partition, "two");
    producer.flush(PATIENCE).unwrap();
    assert_eq!(producer.acknowledged(&topic, partition), Some(2));
    assert_eq!(reader.watermarks(&place, Isolation::ReadUncommitted, PATIENCE).unwrap(), (0, 2));
    assert_eq!(reader.watermarks(&place, Isolation::ReadCommitted, PATIENCE).unwrap(), (0, 0));
    assert_eq!(read(&topic, partition, 0, Isolation::ReadCommitted).0, Vec::<String>::new());
    assert_eq!(read(&topic, partition, 0, Isolation::ReadUncommitted).0, ["one", "two"]);
    producer.commit(PATIENCE).unwrap();
    assert!(!producer.doubtful());
    // The marker is behind the records, and counts.
    assert_eq!(read(&topic, partition, 0, Isolation::ReadCommitted), (vec!["one".to_owned(), "two".to_owned()], 3));

    producer.begin().unwrap();
    send(&mut *producer, &topic, partition, "never");
    producer.flush(PATIENCE).unwrap();
    producer.abort(PATIENCE).unwrap();
    assert!(!producer.doubtful());
    assert_eq!(read(&topic, partition, 0, Isolation::ReadCommitted), (vec!["one".to_owned(), "two".to_owned()], 5));
}

#[test]
fn transactions_without_records_end_both_ways() {
    let topic = topic("empty", 1);
    let mut producer = producer(Some(&unique("empty")));
    for round in 0..5 {
        producer.begin().unwrap();
        producer.abort(PATIENCE).unwrap();
        producer.begin().unwrap();
        producer.commit(PATIENCE).unwrap();
        producer.begin().unwrap();
        send(&mut *producer, &topic, 0, &format!("unflushed-{round}"));
        producer.abort(PATIENCE).unwrap();
    }
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "kept");
    producer.commit(PATIENCE).unwrap();
    assert!(!producer.doubtful());
    assert_eq!(read(&topic, 0, 0, Isolation::ReadCommitted).0, ["kept"]);
}

#[test]
fn a_second_producer_of_the_same_id_fences_the_first() {
    let (topic, id) = (topic("fenced", 1), unique("fenced"));
    let mut first = producer(Some(&id));
    first.begin().unwrap();
    send(&mut *first, &topic, 0, "zombie");
    first.flush(PATIENCE).unwrap();
    let mut second = producer(Some(&id));
    let error = first.commit(PATIENCE).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Fenced, "{error}");
    second.begin().unwrap();
    send(&mut *second, &topic, 0, "heir");
    second.commit(PATIENCE).unwrap();
    assert_eq!(read(&topic, 0, 0, Isolation::ReadCommitted).0, ["heir"]);
}

#[test]
fn a_record_that_is_refused_harms_no_other() {
    let (topic, headers) = (topic("refused", 1), Headers::new());
    let mut producer = producer(Some(&unique("refused")));
    let large = vec![7; 3_000_000];
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "before");
    let base = Outgoing {
        topic: &topic,
        partition: 0,
        key: None,
        value: Some(&large),
        timestamp: Timestamp::from_millis(1),
        headers: &headers,
        track: false,
    };
    let refused = [base, Outgoing { value: None, timestamp: Timestamp::from_millis(-1), ..base }];
    for record in refused {
        assert_eq!(producer.send(&record, PATIENCE).unwrap_err().kind, KafkaErrorKind::RecordRefused);
    }
    send(&mut *producer, &topic, 0, "after");
    producer.commit(PATIENCE).unwrap();
    assert_eq!(read(&topic, 0, 0, Isolation::ReadCommitted).0, ["before", "after"]);
}

#[test]
fn a_partition_that_does_not_exist_is_told() {
    let topic = topic("narrow", 1);
    let mut producer = producer(None);
    send(&mut *producer, &topic, 0, "fits");
    producer.flush(PATIENCE).unwrap();
    let headers = Headers::new();
    let record = Outgoing {
        topic: &topic,
        partition: 9,
        key: None,
        value: None,
        timestamp: Timestamp::from_millis(1),
        headers: &headers,
        track: false,
    };
    let error = producer.send(&record, PATIENCE).and_then(|()| producer.flush(PATIENCE)).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::UnknownTopic, "{error}");
}
