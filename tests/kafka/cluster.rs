//! One real cluster for all tests of this binary, and short ways to its clients.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{
    Batch, Consumer, ConsumerSettings, Isolation, Kafka, NewTopic, Outgoing, Producer, ProducerSettings, Reader, ReaderSettings,
};
use highwater::{Headers, Timestamp, TopicPartition};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Where the cluster is. It is started by the first test that asks, and ends with this process.
pub fn bootstrap_servers() -> &'static str {
    static STARTED: OnceLock<(String, tempfile::TempDir)> = OnceLock::new();
    &STARTED.get_or_init(start).0
}

fn start() -> (String, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a temporary directory");
    #[expect(clippy::disallowed_methods, reason = "a developer may have a cluster running already")]
    if let Ok(running) = std::env::var("HIGHWATER_TEST_BOOTSTRAP_SERVERS") {
        return (running, home);
    }
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dev/kafka"))
        .args(["up", "--no-registry", "--owner", &std::process::id().to_string(), "--dir"])
        .arg(home.path().join("kafka"))
        .stderr(Stdio::inherit())
        .output()
        .expect("dev/kafka runs");
    assert!(output.status.success(), "dev/kafka up failed");
    let printed = String::from_utf8(output.stdout).expect("text");
    let (_, servers) = printed.trim().split_once("BOOTSTRAP_SERVERS=").expect("dev/kafka up says where it is");
    (servers.lines().next().expect("a line").to_owned(), home)
}

pub fn kafka() -> RdKafka {
    RdKafka::new(bootstrap_servers(), BTreeMap::new()).expect("no properties")
}

/// A name that no other test has.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A new topic.
pub fn topic(name: &str, partitions: i32) -> Arc<str> {
    let name = unique(name);
    let new = NewTopic { name: name.clone(), partitions, replication_factor: 1, config: BTreeMap::new() };
    kafka().admin().unwrap().create_topics(&[new], PATIENCE).unwrap();
    Arc::from(name)
}

pub fn producer(transactional_id: Option<&str>) -> Box<dyn Producer> {
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

pub fn consumer(group: &str) -> Box<dyn Consumer> {
    kafka()
        .consumer(&ConsumerSettings {
            group_id: group.to_owned(),
            instance_id: None,
            client_id: "test-consumer".to_owned(),
            queue_max_bytes: 16 << 20,
            session_timeout: Duration::from_secs(10),
            isolation: Isolation::ReadCommitted,
        })
        .unwrap()
}

pub fn reader(isolation: Isolation) -> Box<dyn Reader> {
    let settings = ReaderSettings { client_id: "test-reader".to_owned(), queue_max_bytes: 16 << 20, isolation };
    kafka().reader(&settings).unwrap()
}

/// Sends a value, tracked, without key or headers.
pub fn send(producer: &mut dyn Producer, topic: &Arc<str>, partition: i32, value: &str) {
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
pub fn read(topic: &Arc<str>, partition: i32, offset: i64, isolation: Isolation) -> (Vec<String>, i64) {
    let mut reader = reader(isolation);
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
