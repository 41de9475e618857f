//! What comes out of a log is what went in, from where it was asked for.

use std::sync::Arc;

use bytes::Bytes;
use highwater::kafka::{Batch, Isolation, Kafka, KafkaErrorKind, OFFSET_END, OffsetSpec, Outgoing, ReaderSettings};
use highwater::{Headers, TopicPartition};

use crate::harness::{
    CALL, MINUTE, Reading, a_minute_ago, admin, commit_values, create, eventually, producer, send, transactional,
};

pub(crate) fn records_come_back_in_order_with_keys_values_times_and_headers(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = producer(kafka, None);
    let mut headers = Headers::new();
    headers.push_text("reason", "late");
    headers.push("reason", Some(Bytes::from_static(b"twice")));
    headers.push("empty", None);
    let none = Headers::new();
    let time = a_minute_ago();
    let sent = [
        (Some(b"a".as_slice()), Some(b"1".as_slice()), &headers),
        (None, Some(b"2".as_slice()), &none),
        (Some(b"a".as_slice()), None, &none),
        (Some(b"".as_slice()), Some(b"".as_slice()), &none),
    ];
    for (key, value, headers) in sent {
        let record = Outgoing { topic: &topic, partition: 0, key, value, timestamp: time, headers, track: false };
        producer.send(&record, CALL).unwrap();
    }
    producer.flush(CALL).unwrap();
    let read = Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(4);
    for (index, (seen, (key, value, headers))) in read.records.iter().zip(sent).enumerate() {
        assert_eq!((seen.offset, seen.timestamp), (index as i64, time));
        assert_eq!((seen.key.as_deref(), seen.value.as_deref(), &seen.headers), (key, value, headers), "record {index}");
    }
    assert_eq!(read.records.len(), 4);
}

pub(crate) fn a_poll_brings_at_most_as_much_as_asked(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = producer(kafka, None);
    for value in 0..10 {
        send(&mut *producer, &topic, 0, &value.to_string()).unwrap();
    }
    producer.flush(CALL).unwrap();
    let mut reading = Reading::of(kafka, &topic, Isolation::ReadCommitted);
    let mut sizes = Vec::new();
    eventually("all ten", || {
        let mut batch = Batch::default();
        reading.reader.poll(&mut batch, 3, CALL / 10).unwrap();
        sizes.push(batch.records.len());
        (sizes.iter().sum::<usize>() == 10).then_some(())
    });
    assert!(sizes.iter().all(|size| *size <= 3), "{sizes:?}");
}

pub(crate) fn reading_from_the_end_brings_only_what_follows(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    commit_values(&mut *producer, &topic, &["before"]);
    let mut reading = Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(2);
    let assigned = reading.reader.assign(&[(reading.partition.clone(), OFFSET_END)]);
    assigned.unwrap();
    reading.records.clear();
    reading.ends.clear();
    let reading = reading.up_to(2);
    commit_values(&mut *producer, &topic, &["after"]);
    assert_eq!(reading.at_least(1).texts(), ["after"]);
}

pub(crate) fn an_oversized_record_is_refused_and_the_transaction_can_be_aborted(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[("max.message.bytes", "2000")]);
    let mut producer = transactional(kafka, unique);
    producer.begin().unwrap();
    // A broker measures what is left after compression.
    let noise = |number: u64| format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let incompressible: String = (0..500).map(noise).collect();
    let refused = send(&mut *producer, &topic, 0, &incompressible).and_then(|()| producer.flush(CALL)).unwrap_err();
    assert_eq!(refused.kind, KafkaErrorKind::RecordRefused, "{refused}");
    producer.abort(CALL).unwrap();
    commit_values(&mut *producer, &topic, &["small"]);
    assert_eq!(Reading::of(kafka, &topic, Isolation::ReadCommitted).at_least(1).texts(), ["small"]);
}

pub(crate) fn watermarks_tell_the_end_and_the_last_stable_offset(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    commit_values(&mut *producer, &topic, &["0"]);
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "2").unwrap();
    producer.flush(CALL).unwrap();
    let mut reading = Reading::of(kafka, &topic, Isolation::ReadCommitted);
    let partition = reading.partition.clone();
    let mut watermarks = |isolation| reading.reader.watermarks(&partition, isolation, CALL).unwrap();
    eventually("the first marker", || (watermarks(Isolation::ReadCommitted) == (0, 2)).then_some(()));
    assert_eq!(watermarks(Isolation::ReadUncommitted), (0, 3));
    producer.abort(CALL).unwrap();
    eventually("the second marker", || (watermarks(Isolation::ReadCommitted) == (0, 4)).then_some(()));
    assert_eq!(watermarks(Isolation::ReadUncommitted), (0, 4));
    let spec = [OffsetSpec::Earliest, OffsetSpec::Latest(Isolation::ReadCommitted)];
    let offsets = spec.map(|spec| admin(kafka).list_offsets(std::slice::from_ref(&partition), spec, CALL).unwrap()[0]);
    assert_eq!(offsets, [0, 4]);
}

pub(crate) fn deleted_records_are_out_of_range(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = producer(kafka, None);
    for value in ["0", "1", "2"] {
        send(&mut *producer, &topic, 0, value).unwrap();
    }
    producer.flush(CALL).unwrap();
    let partition = TopicPartition::new(Arc::clone(&topic), 0);
    admin(kafka).delete_records(&[(partition.clone(), 2)], CALL).unwrap();
    let read = Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(3);
    assert_eq!(read.texts(), ["2"]);
    let mut late = Reading::of(kafka, &topic, Isolation::ReadCommitted);
    late.reader.assign(&[(partition.clone(), 1)]).unwrap();
    let error = eventually("the error", || late.poll().err());
    assert_eq!(error.kind, KafkaErrorKind::OffsetOutOfRange, "{error}");
    assert_eq!(late.reader.watermarks(&partition, Isolation::ReadCommitted, CALL).unwrap(), (2, 3));
    let beyond = admin(kafka).delete_records(&[(partition, 100)], CALL).unwrap_err();
    assert_eq!(beyond.kind, KafkaErrorKind::OffsetOutOfRange, "{beyond}");
}

pub(crate) fn offsets_are_found_by_time(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = producer(kafka, None);
    let start = a_minute_ago();
    let none = Headers::new();
    for seconds in [0, 10, 20] {
        let timestamp = start.plus(MINUTE * seconds / 60);
        let record =
            Outgoing { topic: &topic, partition: 0, key: None, value: Some(b"v"), timestamp, headers: &none, track: false };
        producer.send(&record, CALL).unwrap();
    }
    producer.flush(CALL).unwrap();
    let partition = [TopicPartition::new(topic, 0)];
    for (seconds, offset) in [(0, 0), (5, 1), (10, 1), (20, 2), (21, 3)] {
        let spec = OffsetSpec::At(start.plus(MINUTE * seconds / 60));
        assert_eq!(admin(kafka).list_offsets(&partition, spec, CALL).unwrap(), [offset], "{seconds} s");
    }
}

pub(crate) fn an_unknown_topic_is_told_as_such(kafka: &dyn Kafka, unique: &str) {
    let settings = ReaderSettings { client_id: "reader".into(), queue_max_bytes: 1 << 20, isolation: Isolation::ReadCommitted };
    let mut reader = kafka.reader(&settings).unwrap();
    let nowhere = TopicPartition::new(unique, 0);
    let unknown = reader.watermarks(&nowhere, Isolation::ReadCommitted, CALL).unwrap_err();
    assert_eq!(unknown.kind, KafkaErrorKind::UnknownTopic, "{unknown}");
    let error = eventually("the error", || {
        reader.assign(&[(nowhere.clone(), 0)]).and_then(|()| reader.poll(&mut Batch::default(), 1, CALL / 10)).err()
    });
    assert_eq!(error.kind, KafkaErrorKind::UnknownTopic, "{error}");
    let config = admin(kafka).topic_config(unique, CALL).unwrap_err();
    assert_eq!(config.kind, KafkaErrorKind::UnknownTopic, "{config}");
    assert_eq!(admin(kafka).describe_topics(&[unique], CALL).unwrap(), [None]);
}
