//! Group members: what the group tells them, and what they commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::TopicPartition;
use highwater::kafka::{Batch, CommittedOffset, Consumer, Isolation, KafkaErrorKind, Rebalance, Slot};

use crate::cluster::{PATIENCE, answer, consumer, producer, read, send, topic, unique};

/// A member that answers rebalances as it should, from the beginning, and remembers what it owns and has read.
struct Member {
    consumer: Box<dyn Consumer>,
    owned: BTreeSet<TopicPartition>,
    values: Vec<String>,
    ends: BTreeMap<Slot, i64>,
    rebalances: Vec<Rebalance>,
}

impl Member {
    fn joining(group: &str, topic: &Arc<str>) -> Self {
        let mut consumer = consumer(group);
        consumer.subscribe(&[Arc::clone(topic)]).unwrap();
        Self { consumer, owned: BTreeSet::new(), values: Vec::new(), ends: BTreeMap::new(), rebalances: Vec::new() }
    }

    fn turn(&mut self) {
        let mut batch = Batch::default();
        self.consumer.poll(&mut batch, 100, Duration::from_millis(50)).unwrap();
        self.values.extend(batch.records.iter().map(|record| String::from_utf8_lossy(record.value().unwrap()).into_owned()));
        self.ends.extend(batch.ends.iter().copied());
        for rebalance in &batch.rebalances {
            answer(&mut *self.consumer, rebalance).unwrap();
            match rebalance {
                Rebalance::Assign(partitions) => self.owned.extend(partitions.iter().cloned()),
                Rebalance::Revoke(partitions) | Rebalance::Lost(partitions) => {
                    self.owned.retain(|partition| !partitions.contains(partition));
                }
            }
        }
        self.rebalances.append(&mut batch.rebalances);
    }
}

#[expect(clippy::disallowed_methods, reason = "a real cluster takes real time")]
fn until(members: &mut [&mut Member], done: impl Fn(&[&mut Member]) -> bool) {
    let started = Instant::now();
    while !done(members) {
        assert!(
            started.elapsed() < PATIENCE,
            "it never came to that: {:?}",
            members.iter().map(|m| &m.owned).collect::<Vec<_>>()
        );
        for member in &mut *members {
            member.turn();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a real cluster takes real time")]
fn until_true(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "it never came to that");
    }
}

fn at(offset: i64) -> CommittedOffset {
    CommittedOffset { offset, metadata: "m".to_owned() }
}

#[test]
fn a_member_copies_exactly_once() {
    let (input, output, group) = (topic("input", 1), topic("output", 1), unique("copy"));
    let mut source = producer(None);
    for value in ["a", "b", "c"] {
        send(&mut *source, &input, 0, value);
    }
    source.flush(PATIENCE).unwrap();
    let mut member = Member::joining(&group, &input);
    until(&mut [&mut member], |members| members[0].values.len() == 3);
    let place = TopicPartition::new(input, 0);
    assert_eq!(member.consumer.committed(std::slice::from_ref(&place), PATIENCE).unwrap(), [None]);

    let mut sink = producer(Some(&unique("copy")));
    sink.begin().unwrap();
    for value in &member.values {
        send(&mut *sink, &output, 0, value);
    }
    let metadata = member.consumer.group_metadata().unwrap();
    sink.send_offsets(&[(place.clone(), at(3))], &*metadata, PATIENCE).unwrap();
    let unstable = member.consumer.committed(std::slice::from_ref(&place), Duration::from_millis(300)).unwrap_err();
    assert!(matches!(unstable.kind, KafkaErrorKind::Retriable | KafkaErrorKind::Timeout), "{unstable}");
    sink.commit(PATIENCE).unwrap();
    assert!(!sink.doubtful());
    assert_eq!(member.consumer.committed(&[place], PATIENCE).unwrap(), [Some(at(3))]);
    assert_eq!(read(&output, 0, 0, Isolation::ReadCommitted).0, ["a", "b", "c"]);
    member.consumer.close(PATIENCE).unwrap();
}

#[test]
fn partitions_move_to_a_new_member_and_back_when_it_leaves() {
    let (topic, group) = (topic("moving", 4), unique("moving"));
    let mut first = Member::joining(&group, &topic);
    until(&mut [&mut first], |members| members[0].owned.len() == 4);
    let mut second = Member::joining(&group, &topic);
    until(&mut [&mut first, &mut second], |members| members.iter().all(|member| member.owned.len() == 2));
    assert!(first.rebalances.iter().any(|r| matches!(r, Rebalance::Revoke(moved) if moved.len() == 2)), "{:?}", first.rebalances);
    second.consumer.close(PATIENCE).unwrap();
    until(&mut [&mut first], |members| members[0].owned.len() == 4);
    // A member of the group also reads partitions that the group knows nothing of.
    let other = TopicPartition::new(crate::cluster::topic("beside", 1), 0);
    let mut source = producer(None);
    send(&mut *source, &other.topic, 0, "beside");
    source.flush(PATIENCE).unwrap();
    first.consumer.incremental_assign(&[(other.clone(), 0)]).unwrap();
    until(&mut [&mut first], |members| members[0].values == ["beside"]);
    first.consumer.incremental_unassign(&[other]).unwrap();
    first.consumer.close(PATIENCE).unwrap();
}

#[test]
fn no_record_is_skipped_or_repeated_when_a_rebalance_meets_the_end_of_a_partition() {
    let (lead, group) = (topic("lead", 2), unique("skip"));
    let beside = TopicPartition::new(topic("at-its-end", 1), 0);
    let mut source = producer(Some(&unique("skip")));
    let mut sent: Vec<String> = Vec::new();
    let mut first = Member::joining(&group, &lead);
    until(&mut [&mut first], |members| members[0].owned.len() == 2);
    first.consumer.incremental_assign(&[(beside.clone(), 0)]).unwrap();
    for round in 0..4 {
        // The partition's end is told before each rebalance: markers and all.
        let end = 2 * sent.len() as i64;
        let slot = first.consumer.slot(&beside);
        until(&mut [&mut first], |members| members[0].ends.get(&slot) == Some(&end));
        let mut second = Member::joining(&group, &lead);
        until(&mut [&mut first, &mut second], |members| members.iter().all(|member| member.owned.len() == 1));
        second.consumer.close(PATIENCE).unwrap();
        until(&mut [&mut first], |members| members[0].owned.len() == 2);
        source.begin().unwrap();
        send(&mut *source, &beside.topic, 0, &round.to_string());
        source.commit(PATIENCE).unwrap();
        sent.push(round.to_string());
        until(&mut [&mut first], |members| members[0].values.len() >= sent.len());
        assert_eq!(first.values, sent);
    }
    first.consumer.close(PATIENCE).unwrap();
}

#[test]
fn a_member_that_was_replaced_cannot_commit() {
    let (topic, group) = (topic("stale", 1), unique("stale"));
    let mut first = Member::joining(&group, &topic);
    until(&mut [&mut first], |members| members[0].owned.len() == 1);
    let stale = first.consumer.group_metadata().unwrap();
    let mut second = Member::joining(&group, &topic);
    until(&mut [&mut first, &mut second], |members| {
        members.iter().all(|member| member.rebalances.len() > 1 || member.owned.is_empty())
    });
    first.consumer.close(PATIENCE).unwrap();
    until(&mut [&mut second], |members| members[0].owned.len() == 1);

    let mut sink = producer(Some(&unique("stale")));
    sink.begin().unwrap();
    send(&mut *sink, &topic, 0, "zombie");
    let error = sink.send_offsets(&[(TopicPartition::new(topic.clone(), 0), at(1))], &*stale, PATIENCE).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Fenced, "{error}");
    sink.abort(PATIENCE).unwrap();
    assert_eq!(read(&topic, 0, 0, Isolation::ReadCommitted).0, Vec::<String>::new());
}

#[test]
fn seeking_and_pausing_take_effect_at_once() {
    let (topic, group) = (topic("seek", 1), unique("seek"));
    let place = TopicPartition::new(topic.clone(), 0);
    let mut source = producer(None);
    for value in 0..1_000 {
        send(&mut *source, &topic, 0, &value.to_string());
    }
    source.flush(PATIENCE).unwrap();
    let mut consumer = consumer(&group);
    consumer.incremental_assign(&[(place.clone(), 500)]).unwrap();
    let mut batch = Batch::default();
    let mut next = |consumer: &mut dyn Consumer, polls: u32| {
        for _ in 0..polls {
            batch.clear();
            consumer.poll(&mut batch, 1, Duration::from_millis(50)).unwrap();
            if let Some(record) = batch.records.first() {
                return Some(record.offset);
            }
        }
        None
    };
    assert_eq!(next(&mut *consumer, 200), Some(500));
    for offset in [0, 999, 10] {
        consumer.seek(&place, offset).unwrap();
        assert_eq!(next(&mut *consumer, 200), Some(offset));
    }
    consumer.pause(std::slice::from_ref(&place)).unwrap();
    assert_eq!(next(&mut *consumer, 10), None);
    consumer.resume(std::slice::from_ref(&place)).unwrap();
    assert_eq!(next(&mut *consumer, 200), Some(11));
    consumer.seek(&place, 100_000).unwrap();
    let error = loop {
        if let Err(error) = consumer.poll(&mut batch, 1, Duration::from_millis(50)) {
            break error;
        }
    };
    assert_eq!(error.kind, KafkaErrorKind::OffsetOutOfRange, "{error}");
    assert!(error.message.contains(&*topic), "{error}");
    consumer.close(PATIENCE).unwrap();
}

#[test]
fn records_outlive_their_consumer() {
    let topic = topic("outlive", 1);
    let mut source = producer(None);
    send(&mut *source, &topic, 0, "alive");
    source.flush(PATIENCE).unwrap();
    let mut consumer = consumer(&unique("outlive"));
    consumer.incremental_assign(&[(TopicPartition::new(topic, 0), 0)]).unwrap();
    let mut batch = Batch::default();
    while batch.records.is_empty() {
        consumer.poll(&mut batch, 1, Duration::from_millis(50)).unwrap();
    }
    consumer.close(PATIENCE).unwrap();
    assert_eq!(batch.records[0].value(), Some(b"alive".as_slice()));
}

#[test]
fn a_member_goes_in_bounded_time_whatever_it_has_left_unanswered() {
    let topic = topic("unanswered", 4);
    let told = |consumer: &mut dyn Consumer| {
        let mut batch = Batch::default();
        until_true(|| {
            consumer.poll(&mut batch, 10, Duration::from_millis(50)).unwrap();
            !batch.rebalances.is_empty()
        });
        batch.rebalances.remove(0)
    };
    for (round, closes) in [true, false].into_iter().enumerate() {
        let group = unique(&format!("unanswered-{round}"));
        let end = |consumer: Box<dyn Consumer>| if closes { consumer.close(PATIENCE).unwrap() } else { drop(consumer) };
        let mut assigned = consumer(&group);
        assigned.subscribe(&[Arc::clone(&topic)]).unwrap();
        assert!(matches!(told(&mut *assigned), Rebalance::Assign(_)));
        end(assigned);
        let mut asked_to_give = Member::joining(&group, &topic);
        until(&mut [&mut asked_to_give], |members| members[0].owned.len() == 4);
        let mut other = Member::joining(&group, &topic);
        // The new member's poll joins; the old one is told to give something up, and does not.
        assert!(matches!(told(&mut *asked_to_give.consumer), Rebalance::Revoke(_)));
        end(asked_to_give.consumer);
        until(&mut [&mut other], |members| members[0].owned.len() == 4);
        end(other.consumer);
        // One that leaves before it is told anything.
        let mut untold = consumer(&group);
        untold.subscribe(&[Arc::clone(&topic)]).unwrap();
        end(untold);
    }
}

#[test]
fn offsets_are_committed_outside_a_transaction_too() {
    let (topic, group) = (topic("plain", 2), unique("plain"));
    let mut member = Member::joining(&group, &topic);
    until(&mut [&mut member], |members| members[0].owned.len() == 2);
    let places = [TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1)];
    member.consumer.commit(&[(places[0].clone(), at(7))], PATIENCE).unwrap();
    assert_eq!(member.consumer.committed(&places, PATIENCE).unwrap(), [Some(at(7)), None]);
    member.consumer.close(PATIENCE).unwrap();
}
