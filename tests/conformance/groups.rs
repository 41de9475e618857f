//! Groups: who owns what, who may commit, and what survives a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::{CommittedOffset, Kafka, KafkaErrorKind, Rebalance};

use crate::harness::{CALL, Member, at, commit_values, create, eventually, position, producer, send, texts, transactional};

pub(crate) fn members_share_partitions_and_hand_them_over(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 4, &[]);
    let mut first = Member::join(kafka, unique, "first", None, &[&topic]);
    Member::settle(&mut [&mut first], &[4]);
    let mut second = Member::join(kafka, unique, "second", None, &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[2, 2]);
    assert_eq!(&first.owned | &second.owned, BTreeSet::from([0, 1, 2, 3]));
    let given = |member: &Member| {
        let given = member.rebalances.iter().filter_map(|event| match event {
            Rebalance::Revoke(partitions) => Some(partitions.len()),
            _ => None,
        });
        given.sum::<usize>()
    };
    assert_eq!((given(&first), given(&second)), (2, 0), "only what must move moves");
    second.consumer.close(CALL).unwrap();
    Member::settle(&mut [&mut first], &[4]);
}

pub(crate) fn co_partitions_come_along_without_a_subscription(kafka: &dyn Kafka, unique: &str) {
    let lead = create(kafka, &format!("{unique}-lead"), 2, &[]);
    let other = create(kafka, &format!("{unique}-other"), 2, &[]);
    let mut sender = producer(kafka, None);
    for partition in [0, 1] {
        for topic in [&lead, &other] {
            send(&mut *sender, topic, partition, &format!("{partition}")).unwrap();
        }
    }
    sender.flush(CALL).unwrap();
    let mut first = Member::join(kafka, unique, "first", None, &[&lead, &other]);
    Member::settle(&mut [&mut first], &[2]);
    let mut second = Member::join(kafka, unique, "second", None, &[&lead, &other]);
    Member::settle(&mut [&mut first, &mut second], &[1, 1]);
    let moved = *second.owned.first().unwrap();
    eventually("records of both topics", || {
        second.poll().unwrap();
        (second.records.len() == 2).then_some(())
    });
    assert!(second.records.iter().all(|seen| seen.partition.partition == moved && seen.text() == moved.to_string()));
    let kept = *first.owned.first().unwrap();
    send(&mut *sender, &other, kept, "later").unwrap();
    sender.flush(CALL).unwrap();
    eventually("what stayed is still read", || {
        first.poll().unwrap();
        texts(&first.records).contains(&"later").then_some(())
    });
}

pub(crate) fn a_restarted_static_member_finds_its_partitions_again(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 4, &[]);
    let mut first = Member::join(kafka, unique, "first", Some("pod-0"), &[&topic]);
    let mut second = Member::join(kafka, unique, "second", Some("pod-1"), &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[2, 2]);
    let (owned, events) = (second.owned.clone(), first.rebalances.len());
    second.consumer.close(CALL).unwrap();
    let mut second = Member::join(kafka, unique, "second", Some("pod-1"), &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[2, 2]);
    assert_eq!(second.owned, owned);
    let moves = first.rebalances[events..].iter().filter(|event| **event != Rebalance::Assign(Vec::new()));
    assert_eq!(moves.count(), 0, "the other member keeps what it has");
}

pub(crate) fn a_member_that_rejoins_makes_the_group_share_out_anew(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 4, &[]);
    let mut first = Member::join(kafka, unique, "first", Some("pod-0"), &[&topic]);
    let mut second = Member::join(kafka, unique, "second", Some("pod-1"), &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[2, 2]);
    assert_eq!(held(kafka, unique, &mut [&mut first, &mut second]), [("first".to_owned(), 2), ("second".to_owned(), 2)]);
    let events = second.rebalances.len();
    second.consumer.rejoin(&[topic]).unwrap();
    eventually("it has given back what it had", || {
        first.poll().unwrap();
        second.poll().unwrap();
        let gone = |event: &Rebalance| matches!(event, Rebalance::Revoke(had) | Rebalance::Lost(had) if had.len() == 2);
        second.rebalances[events..].iter().any(gone).then_some(())
    });
    Member::settle(&mut [&mut first, &mut second], &[2, 2]);
    assert_eq!(held(kafka, unique, &mut [&mut first, &mut second]), [("first".to_owned(), 2), ("second".to_owned(), 2)]);
}

/// A broker gives a static member that returns what its predecessor had kept, and starts no round: what that one had not given back yet
/// stays with nobody.
pub(crate) fn a_static_member_that_returns_between_two_rounds_leaves_a_partition_to_nobody(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 2, &[]);
    let mut first = Member::join(kafka, unique, "first", Some("pod-0"), &[&topic]);
    Member::settle(&mut [&mut first], &[2]);
    let mut second = Member::join(kafka, unique, "second", Some("pod-1"), &[&topic]);
    eventually("the first is to give one back", || {
        second.poll().unwrap();
        let batch = first.poll_without_answer().unwrap();
        batch.rebalances.iter().any(|event| matches!(event, Rebalance::Revoke(_))).then_some(())
    });
    drop(first);
    let mut first = Member::join(kafka, unique, "first", Some("pod-0"), &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[1, 0]);
    assert_eq!(held(kafka, unique, &mut [&mut first, &mut second]), [("first".to_owned(), 1), ("second".to_owned(), 0)]);
    first.consumer.rejoin(&[topic]).unwrap();
    eventually("both have one", || {
        first.poll().unwrap();
        second.poll().unwrap();
        (first.owned.len() == 1 && second.owned.len() == 1).then_some(())
    });
}

/// How many partitions each member has, once the group says so.
fn held(kafka: &dyn Kafka, group: &str, members: &mut [&mut Member]) -> Vec<(String, usize)> {
    let mut admin = kafka.admin().unwrap();
    let settled = eventually("the group has settled", || {
        for member in &mut *members {
            member.poll().unwrap();
        }
        admin.group_assignment(group, CALL).unwrap()
    });
    let mut held: Vec<_> = settled.into_iter().map(|member| (member.client_id, member.partitions.len())).collect();
    held.sort();
    held
}

pub(crate) fn a_second_member_with_the_same_instance_id_fences_the_first(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 2, &[]);
    let mut old = Member::join(kafka, unique, "old", Some("pod-0"), &[&topic]);
    Member::settle(&mut [&mut old], &[2]);
    let mut new = Member::join(kafka, unique, "new", Some("pod-0"), &[&topic]);
    Member::settle(&mut [&mut new], &[2]);
    let error = eventually("the older one is told", || old.poll().err());
    assert_eq!(error.kind, KafkaErrorKind::Fenced, "{error}");
}

pub(crate) fn positions_of_an_older_generation_are_refused(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 2, &[]);
    let mut first = Member::join(kafka, unique, "first", None, &[&topic]);
    Member::settle(&mut [&mut first], &[2]);
    let stale = first.metadata();
    let mut second = Member::join(kafka, unique, "second", None, &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[1, 1]);
    let mut producer = transactional(kafka, unique);
    producer.begin().unwrap();
    let refused = producer.send_offsets(&[at(&topic, 0, 1)], &*stale, CALL).unwrap_err();
    assert!(matches!(refused.kind, KafkaErrorKind::Abortable | KafkaErrorKind::Fenced), "{refused:?}");
    producer.abort(CALL).unwrap();
    assert_eq!(position(kafka, unique, &topic), None);
    producer.begin().unwrap();
    producer.send_offsets(&[at(&topic, 0, 2)], &*first.metadata(), CALL).unwrap();
    producer.commit(CALL).unwrap();
    assert_eq!(position(kafka, unique, &topic), Some(2));
}

pub(crate) fn positions_of_partitions_of_others_are_accepted(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 2, &[]);
    let mut first = Member::join(kafka, unique, "first", None, &[&topic]);
    let mut second = Member::join(kafka, unique, "second", None, &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[1, 1]);
    let mut producer = transactional(kafka, unique);
    producer.begin().unwrap();
    let offsets = [at(&topic, 0, 3), at(&topic, 1, 4)];
    producer.send_offsets(&offsets, &*first.metadata(), CALL).unwrap();
    producer.commit(CALL).unwrap();
    let partitions = offsets.each_ref().map(|(partition, _)| partition.clone());
    let committed = second.consumer.committed(&partitions, CALL).unwrap();
    assert_eq!(committed, offsets.map(|(_, offset)| Some(offset)));
}

pub(crate) fn a_member_commits_outside_transactions_too(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut member = Member::join(kafka, unique, "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[1]);
    member.consumer.commit(&[at(&topic, 0, 11)], CALL).unwrap();
    let partition = [TopicPartition::new(topic, 0)];
    let committed = CommittedOffset { offset: 11, metadata: "m".into() };
    assert_eq!(member.consumer.committed(&partition, CALL).unwrap(), [Some(committed)]);
}

pub(crate) fn a_paused_partition_rests_and_a_seek_repeats(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut sender = transactional(kafka, unique);
    commit_values(&mut *sender, &topic, &["0", "1"]);
    let partition = TopicPartition::new(topic.clone(), 0);
    let mut member = Member::join(kafka, unique, "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[1]);
    let read = |member: &mut Member, until: &[&str]| {
        eventually(&format!("records {until:?}"), || {
            member.poll().unwrap();
            (texts(&member.records) == until).then_some(())
        });
    };
    read(&mut member, &["0", "1"]);
    member.consumer.pause(std::slice::from_ref(&partition)).unwrap();
    commit_values(&mut *sender, &topic, &["3"]);
    for _ in 0..10 {
        member.poll().unwrap();
    }
    assert_eq!(texts(&member.records), ["0", "1"], "nothing comes of a paused partition");
    member.consumer.resume(std::slice::from_ref(&partition)).unwrap();
    read(&mut member, &["0", "1", "3"]);
    member.consumer.seek(&partition, 1).unwrap();
    read(&mut member, &["0", "1", "3", "1", "3"]);
    eventually("the end", || {
        member.poll().unwrap();
        (member.ends.get(&partition) == Some(&5)).then_some(())
    });
}

pub(crate) fn an_unassigned_partition_brings_nothing_more(kafka: &dyn Kafka, unique: &str) {
    let lead = create(kafka, &format!("{unique}-lead"), 1, &[]);
    let extra = create(kafka, &format!("{unique}-extra"), 1, &[]);
    let mut sender = producer(kafka, None);
    let mut member = Member::join(kafka, unique, "member", None, &[&lead, &extra]);
    Member::settle(&mut [&mut member], &[1]);
    let partition = [TopicPartition::new(extra.clone(), 0)];
    member.consumer.incremental_unassign(&partition).unwrap();
    send(&mut *sender, &extra, 0, "unread").unwrap();
    send(&mut *sender, &lead, 0, "read").unwrap();
    sender.flush(CALL).unwrap();
    eventually("the other partition", || {
        member.poll().unwrap();
        (!member.records.is_empty()).then_some(())
    });
    assert_eq!(texts(&member.records), ["read"]);
    member.consumer.incremental_assign(&[(partition[0].clone(), 0)]).unwrap();
    eventually("the extra partition again", || {
        member.poll().unwrap();
        (texts(&member.records) == ["read", "unread"]).then_some(())
    });
}

pub(crate) fn an_empty_poll_returns_in_time(kafka: &dyn Kafka, unique: &str) {
    use highwater::time::{Clock, SystemClock};
    let topic = create(kafka, unique, 1, &[]);
    let mut member = Member::join(kafka, unique, "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[1]);
    let before = SystemClock.now();
    for _ in 0..3 {
        member.poll().unwrap();
    }
    assert!(SystemClock.now() < before.plus(Duration::from_secs(20)), "a poll waits no longer than it is told");
}
