//! One real cluster for all tests of this binary, and short ways to its clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{
    Batch, Consumer, ConsumerSettings, Isolation, Kafka, KafkaError, NewTopic, OFFSET_BEGINNING, Outgoing, Producer,
    ProducerSettings, Reader, ReaderSettings, Rebalance,
};
use highwater::{Headers, Timestamp, TopicPartition};

use crate::real_kafka;

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster to talk to; these tests are about nothing else.
pub(crate) fn kafka() -> RdKafka {
    RdKafka::new(real_kafka::bootstrap_servers(), BTreeMap::new()).expect("no properties")
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A new topic.
pub(crate) fn topic(name: &str, partitions: i32) -> Arc<str> {
    topic_on(&kafka(), name, partitions)
}

/// A new topic on a cluster of one's own.
pub(crate) fn topic_on(kafka: &RdKafka, name: &str, partitions: i32) -> Arc<str> {
    let name = unique(name);
    let new = NewTopic { name: name.clone(), partitions, replication_factor: 1, config: BTreeMap::new() };
    kafka.admin().unwrap().create_topics(&[new], PATIENCE).unwrap();
    Arc::from(name)
}

pub(crate) fn producer(transactional_id: Option<&str>) -> Box<dyn Producer> {
    let mut producer = kafka()
        .producer(&ProducerSettings {
            transactional_id: transactional_id.map(str::to_owned),
            client_id: "test-producer".to_owned(),
            transaction_timeout: Duration::from_secs(20),
            linger: Duration::from_millis(5),
            queue_max_bytes: 16 << 20,
        })
        .unwrap();
    if transactional_id.is_some() {
        producer.init_transactions(PATIENCE).unwrap();
    }
    producer
}

pub(crate) fn consumer(group: &str) -> Box<dyn Consumer> {
    kafka().consumer(&consumer_settings(group)).unwrap()
}

pub(crate) fn consumer_settings(group: &str) -> ConsumerSettings {
    ConsumerSettings {
        group_id: group.to_owned(),
        instance_id: None,
        client_id: "test-consumer".to_owned(),
        queue_max_bytes: 16 << 20,
        session_timeout: Duration::from_secs(10),
        isolation: Isolation::ReadCommitted,
    }
}

pub(crate) fn reader(isolation: Isolation) -> Box<dyn Reader> {
    reader_on(&kafka(), isolation)
}

fn reader_on(kafka: &RdKafka, isolation: Isolation) -> Box<dyn Reader> {
    let settings = ReaderSettings { client_id: "test-reader".to_owned(), queue_max_bytes: 16 << 20, isolation };
    kafka.reader(&settings).unwrap()
}

/// Answers a rebalance as a member should that reads from the beginning.
pub(crate) fn answer(consumer: &mut dyn Consumer, rebalance: &Rebalance) -> Result<(), KafkaError> {
    match rebalance {
        Rebalance::Assign(partitions) => {
            let from: Vec<_> = partitions.iter().map(|partition| (partition.clone(), OFFSET_BEGINNING)).collect();
            consumer.incremental_assign(&from)
        }
        Rebalance::Revoke(partitions) | Rebalance::Lost(partitions) => consumer.incremental_unassign(partitions),
    }
}

/// Sends a value, tracked, without key or headers.
pub(crate) fn send(producer: &mut dyn Producer, topic: &Arc<str>, partition: i32, value: &str) {
    let headers = Headers::new();
    let record = Outgoing {
        topic,
        partition,
        key: None,
        value: Some(value.as_bytes()),
        timestamp: Timestamp::from_millis(1_000),
        headers: &headers,
        track: true,
    };
    producer.send(&record, PATIENCE).unwrap();
}

/// Reads one partition from `offset` to its end: values, and the offset of the end.
pub(crate) fn read(topic: &Arc<str>, partition: i32, offset: i64, isolation: Isolation) -> (Vec<String>, i64) {
    read_from(&kafka(), topic, partition, offset, isolation)
}

/// The same on a cluster of one's own.
pub(crate) fn read_from(
    kafka: &RdKafka,
    topic: &Arc<str>,
    partition: i32,
    offset: i64,
    isolation: Isolation,
) -> (Vec<String>, i64) {
    let mut reader = reader_on(kafka, isolation);
    reader.assign(&[(TopicPartition::new(Arc::clone(topic), partition), offset)]).unwrap();
    let (mut values, mut batch) = (Vec::new(), Batch::default());
    for _ in 0..300 {
        batch.clear();
        reader.poll(&mut batch, 100, Duration::from_millis(100)).unwrap();
        values.extend(batch.records.iter().map(|record| String::from_utf8(record.value().unwrap_or(b"-").to_vec()).unwrap()));
        if let Some((_, end)) = batch.ends.first() {
            return (values, *end);
        }
    }
    panic!("the end of {topic}-{partition} was never reached");
}
