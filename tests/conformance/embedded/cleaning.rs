//! Retention, compaction and the bound of memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use highwater::Timestamp;
use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::kafka::{Isolation, Kafka, KafkaErrorKind};
use highwater::time::{Clock, VirtualClock};

use super::{committed, frozen};
use crate::harness::{CALL, Reading, admin, commit_values, create, send, transactional};

fn put(cluster: &MemoryCluster, topic: &str, key: &str, value: Option<&str>, time: Timestamp) {
    cluster.append(topic, 0, Some(key.as_bytes()), value.map(str::as_bytes), time).unwrap();
}

#[test]
fn compaction_keeps_the_last_record_of_a_key_and_tombstones_for_their_time() {
    let (cluster, clock) = frozen();
    create(&cluster, "c", 1, &[("cleanup.policy", "compact"), ("delete.retention.ms", "60000")]);
    for (key, value) in [("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("b", None), ("c", Some("1"))] {
        put(&cluster, "c", key, value, clock.now());
    }
    let left = || cluster.read_committed("c").iter().map(|each| (each.offset, each.key_text().to_owned())).collect::<Vec<_>>();
    cluster.compact("c");
    let (a, b, c) = ((2, "a".to_owned()), (3, "b".to_owned()), (4, "c".to_owned()));
    assert_eq!(left(), [a.clone(), b, c.clone()]);
    assert_eq!(cluster.end_offset("c", 0).unwrap(), 5);
    clock.advance(Duration::from_secs(59));
    cluster.compact("c");
    assert_eq!(left().len(), 3, "a tombstone rests for its time after the cleaner met it");
    clock.advance(Duration::from_secs(1));
    cluster.compact("c");
    assert_eq!(left(), [a, c]);
}

#[test]
fn compaction_stops_at_open_transactions_and_drops_aborted_records_and_markers() {
    let (cluster, _) = frozen();
    let topic = create(&cluster, "c", 1, &[("cleanup.policy", "compact")]);
    let mut producer = transactional(&cluster, "id");
    commit_values(&mut *producer, &topic, &["old", "kept"]);
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "aborted").unwrap();
    producer.abort(CALL).unwrap();
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "open").unwrap();
    cluster.compact("c");
    assert_eq!(cluster.read("c", Isolation::ReadUncommitted).iter().map(|each| each.offset).collect::<Vec<_>>(), [1, 5]);
    producer.commit(CALL).unwrap();
    let read = Reading::of(&cluster, &topic, Isolation::ReadCommitted).up_to(7);
    assert_eq!(read.texts(), ["kept", "open"]);
    cluster.clean();
    assert_eq!(committed(&cluster, "c"), ["open"], "half of the log was dirty");
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let (cluster, clock) = frozen();
    create(&cluster, "c", 1, &[("cleanup.policy", "compact")]);
    let refused = cluster.append("c", 0, None, Some(b"v"), clock.now()).unwrap_err();
    assert_eq!(refused.kind, KafkaErrorKind::RecordRefused);
}

#[test]
fn old_records_go_from_the_front_and_readers_are_told() {
    let (cluster, clock) = frozen();
    let topic = create(&cluster, "r", 1, &[("retention.ms", "60000")]);
    let start = clock.now();
    for seconds in [0, 30, 10] {
        put(&cluster, "r", "k", Some(&seconds.to_string()), start.plus(Duration::from_secs(seconds)));
    }
    let mut reading = Reading::of(&cluster, &topic, Isolation::ReadCommitted);
    clock.advance(Duration::from_secs(75));
    cluster.clean();
    assert_eq!(committed(&cluster, "r"), ["30", "10"], "only from the front, however old what follows is");
    assert_eq!(reading.poll().unwrap_err().kind, KafkaErrorKind::OffsetOutOfRange);
    reading.poll().expect("told once");
    clock.advance(Duration::from_mins(10));
    cluster.tick();
    assert_eq!(committed(&cluster, "r"), [""; 0], "the clock cleans by itself");
    assert_eq!(cluster.used_bytes(), 0);
}

#[test]
fn a_topic_keeps_no_more_bytes_than_it_may() {
    let (cluster, clock) = frozen();
    create(&cluster, "r", 1, &[("retention.bytes", "250")]);
    for value in ["0", "1", "2", "3"] {
        put(&cluster, "r", "k", Some(value), clock.now());
    }
    cluster.clean();
    assert_eq!(committed(&cluster, "r"), ["1", "2", "3"], "72 bytes each, and cleaning stops once it is not above the limit");
}

#[test]
fn a_full_cluster_refuses_records_until_there_is_room() {
    let clock: Arc<VirtualClock> = Arc::default();
    let settings = MemorySettings { max_bytes: 1000, ..MemorySettings::default() };
    let cluster = MemoryCluster::new(Arc::clone(&clock) as Arc<dyn Clock>, settings);
    cluster.create_topic("t", 1).unwrap();
    let full = (0..100).find_map(|_| cluster.append("t", 0, None, Some(b"value"), clock.now()).err()).unwrap();
    assert_eq!(full.kind, KafkaErrorKind::Retriable, "{full}");
    assert!(full.message.contains("max_bytes=1000"), "{full}");
    let all = highwater::TopicPartition::new("t", 0);
    admin(&cluster).delete_records(&[(all, highwater::kafka::OFFSET_END)], CALL).unwrap();
    assert_eq!(cluster.used_bytes(), 0);
    cluster.append("t", 0, None, Some(b"value"), clock.now()).unwrap();
    let shorter = BTreeMap::from([("retention.bytes".to_owned(), "100".to_owned())]);
    cluster.admin().unwrap().alter_topic_config("t", &shorter, CALL).unwrap();
    for _ in 0..100 {
        clock.advance(Duration::from_secs(1));
        cluster.append("t", 0, None, Some(b"value"), clock.now()).expect("cleaning makes room in time");
    }
}
