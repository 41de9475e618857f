//! Transactions: all or nothing, one writer, and what readers see of them.

use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::{CommittedOffset, Isolation, Kafka, KafkaError, KafkaErrorKind, Producer};

use crate::harness::{CALL, Member, Reading, at, commit_values, create, position, send, transactional};

pub(crate) fn ends_of_partitions_count_markers(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    commit_values(&mut *producer, &topic, &["0", "1"]);
    commit_values(&mut *producer, &topic, &["3"]);
    let read = Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(5);
    assert_eq!(read.texts(), ["0", "1", "3"]);
    assert_eq!(read.records.iter().map(|seen| seen.offset).collect::<Vec<_>>(), [0, 1, 3]);
}

pub(crate) fn only_uncommitted_readers_see_what_was_aborted(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    producer.begin().unwrap();
    send(&mut *producer, &topic, 0, "aborted").unwrap();
    producer.flush(CALL).unwrap();
    producer.abort(CALL).unwrap();
    commit_values(&mut *producer, &topic, &["committed"]);
    for (isolation, expected) in
        [(Isolation::ReadCommitted, vec!["committed"]), (Isolation::ReadUncommitted, vec!["aborted", "committed"])]
    {
        assert_eq!(Reading::of(kafka, &topic, isolation).up_to(4).texts(), expected, "{isolation:?}");
    }
}

pub(crate) fn an_open_transaction_holds_committed_readers_back(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let (mut first, mut second) = (transactional(kafka, &format!("{unique}-1")), transactional(kafka, &format!("{unique}-2")));
    first.begin().unwrap();
    send(&mut *first, &topic, 0, "first").unwrap();
    first.flush(CALL).unwrap();
    commit_values(&mut *second, &topic, &["second"]);
    let stopped = Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(0);
    assert_eq!(stopped.texts(), [""; 0]);
    first.commit(CALL).unwrap();
    assert_eq!(stopped.up_to(4).texts(), ["first", "second"]);
}

/// Runs a transaction on a producer that must be fenced, and returns the first error.
fn write(producer: &mut dyn Producer, topic: &std::sync::Arc<str>) -> Result<(), KafkaError> {
    send(producer, topic, 0, "zombie")?;
    producer.flush(CALL)?;
    producer.commit(CALL)
}

pub(crate) fn a_newer_producer_fences_the_older_and_aborts_its_transaction(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut old = transactional(kafka, unique);
    old.begin().unwrap();
    send(&mut *old, &topic, 0, "left open").unwrap();
    old.flush(CALL).unwrap();
    let mut new = transactional(kafka, unique);
    let error = write(&mut *old, &topic).unwrap_err();
    assert_eq!(error.kind, KafkaErrorKind::Fenced, "{error}");
    commit_values(&mut *new, &topic, &["new"]);
    assert_eq!(Reading::of(kafka, &topic, Isolation::ReadCommitted).at_least(1).texts(), ["new"]);
}

pub(crate) fn positions_commit_with_the_outputs_or_not_at_all(kafka: &dyn Kafka, unique: &str) {
    let input = create(kafka, &format!("{unique}-in"), 1, &[]);
    let output = create(kafka, &format!("{unique}-out"), 1, &[]);
    let mut member = Member::join(kafka, unique, "member", None, &[&input]);
    Member::settle(&mut [&mut member], &[1]);
    let mut producer = transactional(kafka, unique);
    let mut open = |producer: &mut dyn Producer, value: &str, offset: i64| {
        producer.begin().unwrap();
        send(producer, &output, 0, value).unwrap();
        producer.flush(CALL).unwrap();
        member.poll().unwrap();
        producer.send_offsets(&[at(&input, 0, offset)], &*member.metadata(), CALL).unwrap();
    };
    open(&mut *producer, "first", 7);
    producer.commit(CALL).unwrap();
    assert_eq!(position(kafka, unique, &input), Some(7));
    open(&mut *producer, "second", 9);
    producer.abort(CALL).unwrap();
    assert_eq!(position(kafka, unique, &input), Some(7));
    assert_eq!(Reading::of(kafka, &output, Isolation::ReadCommitted).up_to(4).texts(), ["first"]);
}

pub(crate) fn committed_positions_are_stable(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 2, &[]);
    let mut member = Member::join(kafka, unique, "member", None, &[&topic]);
    Member::settle(&mut [&mut member], &[2]);
    let mut producer = transactional(kafka, unique);
    producer.begin().unwrap();
    producer.send_offsets(&[at(&topic, 0, 5)], &*member.metadata(), CALL).unwrap();
    let partition = |number| [TopicPartition::new(topic.clone(), number)];
    let pending = member.consumer.committed(&partition(0), Duration::from_millis(1500)).unwrap_err();
    assert_eq!(pending.kind, KafkaErrorKind::Timeout, "{pending}");
    producer.commit(CALL).unwrap();
    let committed = CommittedOffset { offset: 5, metadata: "m".into() };
    assert_eq!(member.consumer.committed(&partition(0), CALL).unwrap(), [Some(committed)]);
    assert_eq!(member.consumer.committed(&partition(1), CALL).unwrap(), [None]);
}

pub(crate) fn an_empty_transaction_commits_without_a_trace(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    producer.begin().unwrap();
    producer.commit(CALL).unwrap();
    commit_values(&mut *producer, &topic, &["0"]);
    producer.begin().unwrap();
    producer.commit(CALL).unwrap();
    commit_values(&mut *producer, &topic, &["2"]);
    assert_eq!(Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(4).texts(), ["0", "2"]);
}

pub(crate) fn acknowledged_positions_never_overtake_the_log(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    commit_values(&mut *producer, &topic, &["0", "1"]);
    let first = producer.acknowledged(&topic, 0);
    assert!(first.is_none_or(|position| position <= 2), "{first:?}");
    producer.begin().unwrap();
    assert_eq!(producer.acknowledged(&topic, 0), None, "forgotten at begin");
    send(&mut *producer, &topic, 0, "3").unwrap();
    producer.commit(CALL).unwrap();
    assert!(matches!(producer.acknowledged(&topic, 0), None | Some(4)), "{:?}", producer.acknowledged(&topic, 0));
    assert_eq!(producer.acknowledged(&topic, 1), None);
}

pub(crate) fn a_clean_commit_is_not_doubtful(kafka: &dyn Kafka, unique: &str) {
    let topic = create(kafka, unique, 1, &[]);
    let mut producer = transactional(kafka, unique);
    commit_values(&mut *producer, &topic, &["0"]);
    assert!(!producer.doubtful());
}
