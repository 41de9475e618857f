//! Each fault at each step of a transaction, and what a successor finds.

use std::sync::Arc;

use highwater::TopicPartition;
use highwater::kafka::memory::{At, Call, Fault, MemoryCluster};
use highwater::kafka::{Isolation, Kafka, KafkaError, KafkaErrorKind, Producer};

use super::{committed, frozen};
use crate::harness::{CALL, Member, Reading, at, commit_values, position, send, transactional};

/// One transaction as the engine runs it: an output, the positions, the commit.
fn transaction(cluster: &MemoryCluster, producer: &mut dyn Producer) -> Result<(), KafkaError> {
    let topic = Arc::from("t");
    producer.begin()?;
    send(producer, &topic, 0, "output")?;
    producer.flush(CALL)?;
    let mut member = Member::join(cluster, "g", "member", Some("m"), &[&topic]);
    member.poll()?;
    producer.send_offsets(&[at(&topic, 0, 1)], &*member.metadata(), CALL)?;
    producer.commit(CALL)
}

#[test]
fn a_transaction_is_whole_or_not_there_whatever_fails_where() {
    use KafkaErrorKind::{Abortable, Fenced, Timeout};
    let calls = [Call::Begin, Call::Send, Call::Flush, Call::SendOffsets, Call::Commit];
    let faults =
        [Fault::Fail(Timeout), Fault::Fail(Fenced), Fault::FailAfterEffect(Abortable), Fault::Crash, Fault::CrashAfterEffect];
    for call in calls {
        for fault in faults {
            let (cluster, _) = frozen();
            let mut producer = transactional(&cluster, "id");
            cluster.faults().inject(call, fault);
            transaction(&cluster, &mut *producer).expect_err("the fault shows");
            assert_eq!(cluster.faults().pending(), 0, "{call:?} {fault:?}");
            let happened = call == Call::Commit && matches!(fault, Fault::FailAfterEffect(_) | Fault::CrashAfterEffect);
            let _successor = transactional(&cluster, "id");
            let expected = if happened { (vec!["output".to_owned()], Some(1)) } else { (vec![], None) };
            let found = (committed(&cluster, "t"), position(&cluster, "g", &Arc::from("t")));
            assert_eq!(found, expected, "{call:?} {fault:?}");
        }
    }
}

#[test]
fn a_lost_answer_leaves_doubt_and_a_clean_transaction_none() {
    let lost = Fault::FailAfterEffect(KafkaErrorKind::Timeout);
    let cases = [
        (Call::SendOffsets, lost, true),
        (Call::Commit, lost, true),
        (Call::Commit, Fault::Fail(KafkaErrorKind::Timeout), true),
        (Call::Commit, Fault::Doubtful, true),
        (Call::Commit, Fault::Fail(KafkaErrorKind::Retriable), false),
        (Call::Flush, Fault::Fail(KafkaErrorKind::Timeout), false),
    ];
    for (call, fault, doubtful) in cases {
        let (cluster, _) = frozen();
        let mut producer = transactional(&cluster, "id");
        cluster.faults().inject(call, fault);
        let done = transaction(&cluster, &mut *producer);
        assert_eq!(done.is_ok(), fault == Fault::Doubtful, "{call:?} {fault:?}");
        assert_eq!(producer.doubtful(), doubtful, "{call:?} {fault:?}");
        producer.init_transactions(CALL).unwrap();
        transaction(&cluster, &mut *producer).unwrap();
        assert!(!producer.doubtful(), "{call:?} {fault:?}");
    }
}

#[test]
fn a_commit_whose_answer_was_lost_can_be_asked_again() {
    let (cluster, _) = frozen();
    let mut producer = transactional(&cluster, "id");
    cluster.faults().inject(Call::Commit, Fault::FailAfterEffect(KafkaErrorKind::Timeout));
    transaction(&cluster, &mut *producer).unwrap_err();
    producer.commit(CALL).unwrap();
    assert_eq!(committed(&cluster, "t"), ["output"]);
    transaction(&cluster, &mut *producer).unwrap();
    assert_eq!(committed(&cluster, "t").len(), 2);
}

#[test]
fn a_decided_commit_is_invisible_until_its_markers_are_written() {
    let topic = Arc::from("t");
    let partition = [TopicPartition::new("t", 0)];
    for (fault, positions_first) in [(Fault::Prepared, false), (Fault::HalfMarked, true)] {
        let (cluster, _) = frozen();
        let mut producer = transactional(&cluster, "id");
        cluster.faults().inject(Call::Commit, fault);
        let lost = transaction(&cluster, &mut *producer).unwrap_err();
        assert_eq!((lost.kind, producer.doubtful()), (KafkaErrorKind::Timeout, true));
        assert_eq!(committed(&cluster, "t"), [""; 0], "{fault:?}");
        let offsets = cluster.admin().unwrap().group_offsets("g", &partition, CALL);
        assert_eq!(offsets.is_ok(), positions_first, "{fault:?}: {offsets:?}");
        let mut reading = Reading::of(&cluster, &topic, Isolation::ReadCommitted);
        let mut watermarks = |isolation| reading.reader.watermarks(&partition[0], isolation, CALL).unwrap();
        assert_eq!((watermarks(Isolation::ReadCommitted), watermarks(Isolation::ReadUncommitted)), ((0, 0), (0, 1)));
        let _successor = transactional(&cluster, "id");
        assert_eq!(committed(&cluster, "t"), ["output"], "{fault:?}: completed, not aborted");
        assert_eq!(position(&cluster, "g", &topic), Some(1));
    }
}

#[test]
fn a_late_copy_of_a_commit_ends_the_next_transaction_unless_the_producer_was_replaced() {
    let topic = Arc::from("t");
    for replaced in [false, true] {
        let (cluster, _) = frozen();
        let mut producer = transactional(&cluster, "id");
        cluster.faults().inject(Call::Commit, Fault::HeldCopy);
        commit_values(&mut *producer, &topic, &["first"]);
        assert!(producer.doubtful(), "the client saw a success, but not a clean one");
        if replaced {
            producer = transactional(&cluster, "id");
        }
        producer.begin().unwrap();
        send(&mut *producer, &topic, 0, "half of the second").unwrap();
        assert_eq!(cluster.deliver_held(), usize::from(!replaced));
        let torn: &[&str] = if replaced { &["first"] } else { &["first", "half of the second"] };
        assert_eq!(committed(&cluster, "t"), torn);
    }
}

#[test]
fn a_crashed_member_keeps_its_partitions_until_its_session_ends() {
    let (cluster, clock) = frozen();
    let topic = Arc::from("t");
    let mut first = Member::join(&cluster, "g", "first", None, &[&topic]);
    let mut second = Member::join(&cluster, "g", "second", None, &[&topic]);
    Member::settle(&mut [&mut first, &mut second], &[1, 1]);
    cluster.faults().inject(At::from(Call::Poll).client("first"), Fault::Crash);
    assert_eq!(first.poll().unwrap_err().kind, KafkaErrorKind::Fatal);
    assert_eq!(first.consumer.pause(&[]).unwrap_err().kind, KafkaErrorKind::Fatal);
    for _ in 0..9 {
        clock.advance(crate::harness::MINUTE / 60);
        second.poll().unwrap();
    }
    assert_eq!(second.owned.len(), 1);
    clock.advance(crate::harness::MINUTE / 60);
    Member::settle(&mut [&mut second], &[2]);
}

#[test]
fn an_evicted_member_loses_its_partitions_is_refused_and_joins_again() {
    let (cluster, _) = frozen();
    let topic = Arc::from("t");
    let mut member = Member::join(&cluster, "g", "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[2]);
    let stale = member.metadata();
    cluster.evict("g", "member");
    let refused = member.consumer.commit(&[at(&topic, 0, 1)], CALL).unwrap_err();
    assert_eq!(refused.kind, KafkaErrorKind::Fenced);
    member.poll().unwrap();
    assert!(matches!(member.rebalances.last(), Some(highwater::kafka::Rebalance::Lost(lost)) if lost.len() == 2));
    Member::settle(&mut [&mut member], &[2]);
    let mut producer = transactional(&cluster, "id");
    producer.begin().unwrap();
    let refused = producer.send_offsets(&[at(&topic, 0, 1)], &*stale, CALL).unwrap_err();
    assert_eq!(refused.kind, KafkaErrorKind::Abortable);
    assert_eq!(producer.commit(CALL).unwrap_err().kind, KafkaErrorKind::Abortable, "only an abort is left");
    producer.abort(CALL).unwrap();
}

#[test]
fn a_fenced_producer_aborts_and_a_zombie_without_offsets_is_not_noticed() {
    let (cluster, _) = frozen();
    let mut producer = transactional(&cluster, "id");
    producer.begin().unwrap();
    send(&mut *producer, &Arc::from("t"), 0, "lost").unwrap();
    cluster.fence("id");
    assert_eq!(producer.commit(CALL).unwrap_err().kind, KafkaErrorKind::Fenced);
    let mut zombie = transactional(&cluster, "other");
    zombie.begin().unwrap();
    cluster.fence("other");
    zombie.commit(CALL).expect("an empty transaction is never sent, so nothing refuses it");
    assert_eq!(committed(&cluster, "t"), [""; 0]);
    assert_eq!(cluster.read("t", Isolation::ReadUncommitted).len(), 1);
}

#[test]
fn the_trace_shows_the_steps_of_a_commit() {
    let (cluster, _) = frozen();
    cluster.faults().trace();
    let mut producer = transactional(&cluster, "id");
    transaction(&cluster, &mut *producer).unwrap();
    let steps = [Call::Init, Call::Begin, Call::Send, Call::Flush, Call::SendOffsets, Call::Commit];
    assert_eq!(cluster.faults().calls_of("producer"), steps);
}

#[test]
fn a_delay_passes_on_the_clusters_clock() {
    use highwater::time::Clock;
    let (cluster, clock) = frozen();
    let mut producer = transactional(&cluster, "id");
    let before = clock.now();
    cluster.faults().inject(Call::Commit, Fault::Delay(CALL));
    commit_values(&mut *producer, &Arc::from("t"), &["0"]);
    assert_eq!(clock.now(), before.plus(CALL));
}

#[test]
fn an_empty_transaction_aborts_without_a_trace() {
    let (cluster, _) = frozen();
    let mut producer = transactional(&cluster, "id");
    for _ in 0..2 {
        producer.begin().unwrap();
        producer.abort(CALL).unwrap();
    }
    commit_values(&mut *producer, &Arc::from("t"), &["0"]);
    assert_eq!((committed(&cluster, "t"), cluster.end_offset("t", 0).unwrap()), (vec!["0".to_owned()], 2));
}
