//! What clients make of requests to a coordinator that get no answer in time.

use std::collections::BTreeMap;
use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::Isolation;
use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{Kafka, Producer, ProducerSettings};
use highwater::time::{Clock, SystemClock};

use crate::cluster::{PATIENCE, consumer_settings, read_from, send, topic_on};
use crate::real_kafka::RealKafka;

fn impatient_producer(kafka: &RdKafka) -> Box<dyn Producer> {
    let settings = ProducerSettings {
        transactional_id: Some("doubting".to_owned()),
        client_id: "doubting".to_owned(),
        transaction_timeout: Duration::from_secs(40),
        linger: Duration::from_millis(5),
        queue_max_bytes: 1 << 20,
    };
    let mut producer = kafka.producer(&settings).unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

#[test]
fn a_commit_that_was_asked_for_twice_is_doubtful_though_it_succeeds() {
    let cluster = RealKafka::start();
    // The client gives a request up after a second and sends it again.
    let impatience = BTreeMap::from([("socket.timeout.ms".to_owned(), "1000".to_owned())]);
    let kafka = RdKafka::new(cluster.bootstrap_servers(), impatience).unwrap();
    let topic = topic_on(&kafka, "doubt", 1);
    let mut producer = impatient_producer(&kafka);
    for value in ["sure", "doubtful"] {
        producer.begin().unwrap();
        send(&mut *producer, &topic, 0, value);
        producer.flush(PATIENCE).unwrap();
        assert!(!producer.doubtful());
        if value == "doubtful" {
            cluster.script(["broker", "pause", "1"]);
        }
        std::thread::scope(|scope| {
            let commit = scope.spawn(|| producer.commit(PATIENCE));
            SystemClock.sleep(Duration::from_secs(3));
            cluster.script(["broker", "resume", "1"]);
            commit.join().unwrap().unwrap();
        });
        assert_eq!(producer.doubtful(), value == "doubtful");
    }
    // The outcome is in the log, and another producer of the id starts without doubt.
    assert_eq!(read_from(&kafka, &topic, 0, 0, Isolation::ReadCommitted).0, ["sure", "doubtful"]);
    drop(producer);
    let mut heir = impatient_producer(&kafka);
    heir.begin().unwrap();
    send(&mut *heir, &topic, 0, "heir");
    heir.commit(PATIENCE).unwrap();
    assert!(!heir.doubtful());
    assert_eq!(read_from(&kafka, &topic, 0, 0, Isolation::ReadCommitted).0, ["sure", "doubtful", "heir"]);
}

/// The C client's own administrative requests for positions abort the process here.
#[test]
fn clients_whose_questions_stayed_unanswered_can_be_dropped() {
    const SHORT: Duration = Duration::from_millis(300);
    let cluster = RealKafka::start();
    let impatience = BTreeMap::from([("socket.timeout.ms".to_owned(), "1000".to_owned())]);
    let kafka = RdKafka::new(cluster.bootstrap_servers(), impatience).unwrap();
    let partitions = [TopicPartition::new(topic_on(&kafka, "unanswered", 1), 0)];
    for round in 0..5 {
        let mut consumer = kafka.consumer(&consumer_settings("unanswered")).unwrap();
        let mut admin = kafka.admin().unwrap();
        assert_eq!(consumer.committed(&partitions, PATIENCE).unwrap(), [None]);
        assert_eq!(admin.group_offsets("unanswered", &partitions, PATIENCE).unwrap(), [None]);
        cluster.script(["broker", "pause", "1"]);
        consumer.committed(&partitions, SHORT).unwrap_err();
        admin.group_offsets("unanswered", &partitions, SHORT).unwrap_err();
        // Dropped while the request is under way, and after the client itself has given it up.
        SystemClock.sleep(Duration::from_millis(500 * round));
        drop((consumer, admin));
        cluster.script(["broker", "resume", "1"]);
    }
}
