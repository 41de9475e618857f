//! The administrator's client.

use std::collections::BTreeMap;
use std::time::Duration;

use highwater::kafka::{CommittedOffset, Isolation, Kafka, KafkaErrorKind, NewTopic, OffsetSpec};
use highwater::{Timestamp, TopicPartition};

use crate::cluster::{PATIENCE, kafka, producer, read, send, topic, unique};

#[test]
fn a_topic_is_created_described_altered_and_deleted() {
    let mut admin = kafka().admin().unwrap();
    let name = unique("life");
    let config = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
    let new = NewTopic { name: name.clone(), partitions: 3, replication_factor: -1, config };
    admin.create_topics(std::slice::from_ref(&new), PATIENCE).unwrap();
    admin.create_topics(&[new], PATIENCE).unwrap();

    let described = admin.describe_topics(&["no-such-topic", &name], PATIENCE).unwrap();
    assert_eq!(described[0], None);
    let topic = described[1].clone().unwrap();
    assert_eq!((&*topic.name, topic.partitions, topic.replication_factor), (name.as_str(), 3, 1));
    assert_ne!(topic.id, [0; 16]);

    let wanted = BTreeMap::from([("retention.ms".to_owned(), "12345".to_owned())]);
    admin.alter_topic_config(&name, &wanted, PATIENCE).unwrap();
    let config = admin.topic_config(&name, PATIENCE).unwrap();
    assert_eq!((config["retention.ms"].as_str(), config["cleanup.policy"].as_str()), ("12345", "compact"));
    assert_eq!(admin.topic_config("no-such-topic", PATIENCE).unwrap_err().kind, KafkaErrorKind::UnknownTopic);
    let wrong = BTreeMap::from([("retention.ms".to_owned(), "soon".to_owned())]);
    assert_eq!(admin.alter_topic_config(&name, &wrong, PATIENCE).unwrap_err().kind, KafkaErrorKind::Config);

    admin.delete_topics(&[&name], PATIENCE).unwrap();
    admin.delete_topics(&[&name], PATIENCE).unwrap();
    assert_eq!(admin.describe_topics(&[&name], PATIENCE).unwrap(), [None]);
    assert_eq!(admin.brokers(PATIENCE).unwrap(), 1);
}

#[test]
fn offsets_are_found_by_place_and_by_time_and_logs_are_trimmed() {
    let (mut admin, topic) = (kafka().admin().unwrap(), topic("offsets", 2));
    let partitions = [TopicPartition::new(topic.clone(), 1), TopicPartition::new(topic.clone(), 0)];
    let mut producer = producer(None);
    for value in ["a", "b", "c"] {
        send(&mut *producer, &topic, 1, value);
    }
    producer.flush(PATIENCE).unwrap();
    let mut look_up = |spec| admin.list_offsets(&partitions, spec, PATIENCE).unwrap();
    assert_eq!(look_up(OffsetSpec::Earliest), [0, 0]);
    assert_eq!(look_up(OffsetSpec::Latest(Isolation::ReadCommitted)), [3, 0]);
    assert_eq!(look_up(OffsetSpec::At(Timestamp::from_millis(999))), [0, 0]);
    assert_eq!(look_up(OffsetSpec::At(Timestamp::from_millis(1_001))), [3, 0]);

    admin.delete_records(&[(partitions[0].clone(), 2)], PATIENCE).unwrap();
    assert_eq!(admin.list_offsets(&partitions, OffsetSpec::Earliest, PATIENCE).unwrap(), [2, 0]);
    assert_eq!(read(&topic, 1, 2, Isolation::ReadCommitted), (vec!["c".to_owned()], 3));
    let nowhere = [TopicPartition::new(topic, 7)];
    let error = admin.list_offsets(&nowhere, OffsetSpec::Earliest, Duration::from_secs(3)).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::UnknownTopic, "{error}");
}

#[test]
fn a_groups_offsets_are_set_and_read_with_their_metadata() {
    let (mut admin, topic, group) = (kafka().admin().unwrap(), topic("positions", 2), unique("group"));
    let partitions = [TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1)];
    assert_eq!(admin.group_offsets(&group, &partitions, PATIENCE).unwrap(), [None, None]);
    let committed = CommittedOffset { offset: 42, metadata: "v1:état".to_owned() };
    admin.alter_group_offsets(&group, &[(partitions[1].clone(), committed.clone())], PATIENCE).unwrap();
    assert_eq!(admin.group_offsets(&group, &partitions, PATIENCE).unwrap(), [None, Some(committed)]);
}
