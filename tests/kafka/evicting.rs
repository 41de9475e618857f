//! A member that its group gives up while the member asks to join, as happens to a process that stands still or is cut off. The C client
//! tells nothing of that. Members that vanish are tried in `churning`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use highwater::TopicPartition;
use highwater::kafka::{Batch, CommittedOffset, Consumer, ConsumerSettings, Kafka as _, KafkaError, KafkaErrorKind, Rebalance};

use crate::cluster::{PATIENCE, answer, consumer, consumer_settings, kafka, topic, unique};
use crate::real_kafka;

/// Longer than a member takes to hear of a rebalance: it asks every three seconds.
const HEARD: Duration = Duration::from_secs(7);

#[test]
#[expect(clippy::disallowed_methods, reason = "a real cluster takes real time")]
fn a_member_that_was_given_up_while_it_joined_commits_nothing_more() {
    let (topic, group) = (topic("evicted", 3), unique("evicted"));
    let settings = ConsumerSettings { instance_id: Some("evicted".to_owned()), ..consumer_settings(&group) };
    let mut evicted = kafka().consumer(&settings).unwrap();
    evicted.subscribe(std::slice::from_ref(&topic)).unwrap();
    while turn(&mut *evicted).unwrap() < 3 {}
    evicted.group_metadata().unwrap();

    // One that does not answer holds up whatever the group decides next.
    let mut hesitant = consumer(&group);
    hesitant.subscribe(std::slice::from_ref(&topic)).unwrap();
    let unanswered = loop {
        turn(&mut *evicted).unwrap();
        if let Some(given) = given(&mut *hesitant) {
            break given;
        }
    };
    let mut newcomer = consumer(&group);
    newcomer.subscribe(std::slice::from_ref(&topic)).unwrap();
    let joined = Instant::now();
    while joined.elapsed() < HEARD {
        turn(&mut *evicted).unwrap();
        turn(&mut *newcomer).unwrap();
    }
    evict(&group, "evicted");
    hesitant.incremental_assign(&[(unanswered, 0)]).unwrap();

    // The group lets it in again, with partitions that it had before, and nobody says that it was gone.
    let evicted_at = Instant::now();
    let error = loop {
        assert!(evicted_at.elapsed() < PATIENCE, "it was never found out");
        turn(&mut *newcomer).unwrap();
        turn(&mut *hesitant).unwrap();
        if let Err(error) = turn(&mut *evicted).and_then(|_| evicted.group_metadata()) {
            break error;
        }
    };
    assert_eq!(error.kind, KafkaErrorKind::Fenced, "{error}");
    let position = (TopicPartition::new(topic, 0), CommittedOffset { offset: 1, metadata: String::new() });
    let error = evicted.commit(&[position], PATIENCE).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Fenced, "{error}");
}

/// Polls and answers; how many partitions it was given.
fn turn(consumer: &mut dyn Consumer) -> Result<usize, KafkaError> {
    let (mut batch, mut given) = (Batch::default(), 0);
    consumer.poll(&mut batch, 100, Duration::from_millis(50))?;
    for rebalance in &batch.rebalances {
        answer(consumer, rebalance)?;
        if let Rebalance::Assign(partitions) = rebalance {
            given += partitions.len();
        }
    }
    Ok(given)
}

/// A partition that it was given, unanswered.
fn given(consumer: &mut dyn Consumer) -> Option<TopicPartition> {
    let mut batch = Batch::default();
    consumer.poll(&mut batch, 100, Duration::from_millis(50)).unwrap();
    match batch.rebalances.as_slice() {
        [Rebalance::Assign(partitions)] if partitions.is_empty() => consumer.incremental_assign(&[]).unwrap(),
        [Rebalance::Assign(partitions)] => return Some(partitions[0].clone()),
        _ => {}
    }
    None
}

/// Has the group's coordinator (the only broker) remove a member by the name of its instance: a request of the kind "leave group",
/// in its version 3 of Kafka's protocol.
fn evict(group: &str, instance: &str) {
    let text = |text: &str| [&(text.len() as i16).to_be_bytes(), text.as_bytes()].concat();
    let header = [&13_i16.to_be_bytes()[..], &3_i16.to_be_bytes(), &7_i32.to_be_bytes(), &text("test")].concat();
    let body = [text(group), 1_i32.to_be_bytes().to_vec(), text(""), text(instance)].concat();
    let mut broker = TcpStream::connect(real_kafka::bootstrap_servers()).unwrap();
    broker.set_read_timeout(Some(PATIENCE)).unwrap();
    broker.write_all(&((header.len() + body.len()) as i32).to_be_bytes()).unwrap();
    broker.write_all(&[header, body].concat()).unwrap();
    let mut length = [0; 4];
    broker.read_exact(&mut length).unwrap();
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    broker.read_exact(&mut answer).unwrap();
    // The request's number, how long to wait, the error, and that of the only member behind its two names.
    assert_eq!(answer[..4], 7_i32.to_be_bytes());
    assert_eq!((&answer[8..10], &answer[answer.len() - 2..]), (&[0; 2][..], &[0; 2][..]), "{answer:?}");
}
