//! What the clock does to transactions, members and waits.

use std::sync::Arc;
use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::memory::{Call, Fault};
use highwater::kafka::{Isolation, KafkaErrorKind};
use highwater::time::Clock;

use super::{committed, frozen};
use crate::harness::{CALL, MINUTE, Member, Reading, at, commit_values, send, transactional};

#[test]
fn a_silent_transaction_is_aborted_and_its_producer_fenced() {
    let (cluster, clock) = frozen();
    let topic = Arc::from("t");
    let mut producer = transactional(&cluster, "id");
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "silent").unwrap();
    let mut other = transactional(&cluster, "other");
    commit_values(&mut *other, &topic, &["behind it"]);
    clock.advance(Duration::from_millis(59_999));
    cluster.tick();
    assert_eq!(committed(&cluster, "t"), [""; 0], "held back");
    clock.advance(Duration::from_millis(1));
    cluster.tick();
    assert_eq!(committed(&cluster, "t"), ["behind it"]);
    assert_eq!(producer.commit(CALL).unwrap_err().kind, KafkaErrorKind::Fenced);
    assert_eq!(producer.abort(CALL).unwrap_err().kind, KafkaErrorKind::Fenced);
}

#[test]
fn a_prepared_transaction_is_completed_after_a_while() {
    let (cluster, clock) = frozen();
    let mut producer = transactional(&cluster, "id");
    cluster.faults().inject(Call::Commit, Fault::Prepared);
    producer.begin().unwrap();
    send(&mut *producer, &Arc::from("t"), 0, "decided").unwrap();
    producer.commit(CALL).unwrap_err();
    assert_eq!(committed(&cluster, "t"), [""; 0]);
    clock.advance(Duration::from_secs(5));
    assert_eq!(committed(&cluster, "t"), ["decided"]);
}

#[test]
fn nothing_waits_on_a_clock_that_stands_still() {
    let (cluster, clock) = frozen();
    let topic: Arc<str> = Arc::from("t");
    let before = clock.now();
    let mut member = Member::join(&cluster, "g", "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[2]);
    member.poll().unwrap();
    member.poll().unwrap();
    let mut producer = transactional(&cluster, "id");
    producer.begin().unwrap();
    producer.send_offsets(&[at(&topic, 0, 1)], &*member.metadata(), CALL).unwrap();
    let pending = member.consumer.committed(&[TopicPartition::new("t", 0)], CALL).unwrap_err();
    assert_eq!(pending.kind, KafkaErrorKind::Timeout);
    assert_eq!(clock.now(), before);
}

#[test]
fn an_end_is_told_once_and_again_when_it_moves() {
    let (cluster, clock) = frozen();
    let topic = Arc::from("t");
    let mut reading = Reading::of(&cluster, &topic, Isolation::ReadCommitted);
    for _ in 0..3 {
        reading.poll().unwrap();
    }
    assert_eq!(reading.ends, [0]);
    cluster.append("t", 0, None, None, clock.now()).unwrap();
    for _ in 0..3 {
        reading.poll().unwrap();
    }
    assert_eq!(reading.ends, [0, 1]);
}

#[test]
fn a_member_must_answer_before_it_polls_again() {
    use highwater::kafka::{Batch, Consumer, ConsumerSettings, Kafka};
    let (cluster, _) = frozen();
    let settings = ConsumerSettings {
        group_id: "g".into(),
        instance_id: None,
        client_id: "member".into(),
        queue_max_bytes: 1,
        session_timeout: MINUTE,
        isolation: Isolation::ReadCommitted,
    };
    let mut consumer: Box<dyn Consumer> = cluster.consumer(&settings).unwrap();
    consumer.subscribe(&[Arc::from("t")]).unwrap();
    let mut batch = Batch::default();
    consumer.poll(&mut batch, 1, Duration::ZERO).unwrap();
    assert_eq!(batch.rebalances.len(), 1);
    assert_eq!(consumer.poll(&mut batch, 1, Duration::ZERO).unwrap_err().kind, KafkaErrorKind::Fatal);
    consumer.incremental_assign(&[]).unwrap();
    consumer.poll(&mut batch, 1, Duration::ZERO).unwrap();
}

#[test]
fn a_topic_that_comes_later_is_joined_then() {
    let (cluster, _) = frozen();
    let mut member = Member::join(&cluster, "g", "member", None, &[&Arc::from("later")]);
    assert_eq!(member.poll().unwrap_err().kind, KafkaErrorKind::UnknownTopic);
    member.poll().expect("told once");
    cluster.create_topic("later", 3).unwrap();
    Member::settle(&mut [&mut member], &[3]);
}
