//! Topics and groups as an administrator sees and sets them.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::TopicPartition;
use highwater::kafka::{CommittedOffset, Kafka, KafkaErrorKind};

use crate::harness::{CALL, Member, admin, at, create, eventually, new_topic, position, producer, send};

pub(crate) fn a_topic_is_created_once_and_described(kafka: &dyn Kafka, unique: &str) {
    create(kafka, unique, 3, &[("cleanup.policy", "compact")]);
    let mut admin = admin(kafka);
    let described = |admin: &mut dyn highwater::kafka::Admin| admin.describe_topics(&[unique], CALL).unwrap().remove(0).unwrap();
    let before = described(&mut *admin);
    assert_eq!((&*before.name, before.partitions, before.replication_factor), (unique, 3, 1));
    admin.create_topics(&[new_topic(unique, 5, &[])], CALL).unwrap();
    assert_eq!(described(&mut *admin), before, "one that exists stays as it is");
    admin.delete_topics(&[unique], CALL).unwrap();
    eventually("it is gone", || admin.describe_topics(&[unique], CALL).unwrap()[0].is_none().then_some(()));
    admin.delete_topics(&[unique], CALL).unwrap();
    create(kafka, unique, 1, &[]);
    let again = eventually("it is there again", || admin.describe_topics(&[unique], CALL).unwrap().remove(0));
    assert_ne!(again.id, before.id, "another topic under the same name");
}

pub(crate) fn settings_of_a_topic_are_read_and_changed(kafka: &dyn Kafka, unique: &str) {
    create(kafka, unique, 1, &[("cleanup.policy", "compact"), ("retention.ms", "-1")]);
    let mut admin = admin(kafka);
    let config = admin.topic_config(unique, CALL).unwrap();
    let setting = |config: &BTreeMap<String, String>, name: &str| config.get(name).cloned().unwrap();
    assert_eq!((setting(&config, "cleanup.policy"), setting(&config, "retention.ms")), ("compact".into(), "-1".into()));
    assert_eq!(setting(&config, "message.timestamp.type"), "CreateTime", "defaults are told too");
    admin.alter_topic_config(unique, &BTreeMap::from([("retention.ms".into(), "12345678".into())]), CALL).unwrap();
    eventually("the change", || {
        let config = admin.topic_config(unique, CALL).unwrap();
        (setting(&config, "retention.ms") == "12345678" && setting(&config, "cleanup.policy") == "compact").then_some(())
    });
}

pub(crate) fn a_wrong_topic_is_refused(kafka: &dyn Kafka, unique: &str) {
    let wrong = [
        new_topic("no good name", 1, &[]),
        new_topic(unique, 1, &[("no.such.setting", "1")]),
        new_topic(unique, 1, &[("retention.ms", "a day")]),
    ];
    for topic in wrong {
        let error = admin(kafka).create_topics(std::slice::from_ref(&topic), CALL).unwrap_err();
        assert_eq!(error.kind, KafkaErrorKind::Config, "{topic:?}: {error}");
    }
    assert_eq!(admin(kafka).describe_topics(&[unique], CALL).unwrap(), [None]);
}

pub(crate) fn positions_of_a_group_are_set_only_while_it_is_empty(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 2, &[]);
    let group = unique;
    let mut admin = admin(kafka);
    admin.alter_group_offsets(group, &[at(&topic, 0, 42)], CALL).unwrap();
    let partitions = [0, 1].map(|partition| TopicPartition::new(Arc::clone(&topic), partition));
    let offsets = admin.group_offsets(group, &partitions, CALL).unwrap();
    assert_eq!(offsets, [Some(CommittedOffset { offset: 42, metadata: "m".into() }), None]);
    let mut member = Member::join(kafka, group, "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[2]);
    admin.alter_group_offsets(group, &[at(&topic, 0, 1)], CALL).unwrap_err();
    assert_eq!(position(kafka, group, &topic), Some(42));
}

pub(crate) fn a_deleted_topic_is_told_to_its_readers(kafka: &dyn Kafka, unique: &str) {
    use highwater::kafka::Isolation;
    let topic = create(kafka, unique, 1, &[]);
    let mut sender = producer(kafka, None);
    send(&mut *sender, &topic, 0, "0").unwrap();
    sender.flush(CALL).unwrap();
    let mut reading = crate::harness::Reading::of(kafka, &topic, Isolation::ReadCommitted).at_least(1);
    admin(kafka).delete_topics(&[unique], CALL).unwrap();
    let error = eventually("the error", || reading.poll().err());
    assert_eq!(error.kind, KafkaErrorKind::UnknownTopic, "{error}");
}

pub(crate) fn brokers_are_counted(kafka: &dyn Kafka, _unique: &str) {
    assert!(admin(kafka).brokers(CALL).unwrap() >= 1);
}
