//! The commit. Reads aloud in the order in which it happens; the order is the guarantee.

use std::sync::Arc;

use super::Shared;
use super::note::Note;
use super::restore;
use super::settings::ProcessingGuarantee;
use super::tasks::Tasks;
use crate::error::{Error, ErrorKind};
use crate::kafka::{CommittedOffset, Consumer, Producer};
use crate::record::{Timestamp, TopicPartition, millis};

/// Positions are committed at least so often, moved or not: those of topics that the group does not subscribe to expire.
const POSITIONS_AT_LEAST_EVERY_MS: i64 = 3_600_000;

/// Whether to commit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing happened, or not long ago.
    NotDue,
    /// Commit all tasks of the thread.
    Commit,
}

/// What the plan looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) now: Timestamp,
    pub(crate) last_commit: Timestamp,
    pub(crate) interval_ms: i64,
    pub(crate) dirty: bool,
    pub(crate) gathered_bytes: usize,
    pub(crate) gathered_bytes_max: usize,
    pub(crate) requested: bool,
}

/// Decides. Pure.
pub(crate) fn plan(situation: Situation) -> Plan {
    let elapsed_ms = situation.now.as_millis().saturating_sub(situation.last_commit.as_millis());
    let due =
        elapsed_ms >= situation.interval_ms || situation.gathered_bytes >= situation.gathered_bytes_max || situation.requested;
    if (situation.dirty && due) || elapsed_ms >= POSITIONS_AT_LEAST_EVERY_MS { Plan::Commit } else { Plan::NotDue }
}

/// The parts of a thread that a commit needs.
pub(crate) struct Commit<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) tasks: &'a mut Tasks,
    pub(crate) consumer: &'a mut dyn Consumer,
    pub(crate) producer: &'a mut dyn Producer,
    pub(crate) in_transaction: &'a mut bool,
    pub(crate) now: Timestamp,
}

/// Exactly once: outputs, changelog and positions in one transaction, then state.
///
/// | step | what | a crash right after it leaves |
/// |---|---|---|
/// | 1 | emit what is held back until a commit, stage the changelog | nothing: the transaction aborts |
/// | 2 | hand everything to the producer | nothing |
/// | 3 | flush; surface send errors | nothing |
/// | 4 | the positions of **all** inputs of every task, with the group's metadata of this moment | nothing |
/// | 5 | commit the transaction | Kafka committed, stores one transaction behind: the changelog's tail repairs it |
/// | 6 | overlay and changelog positions to each store, one batch a task | as 5 |
pub(crate) fn exactly_once(commit: &mut Commit<'_>) -> Result<(), Error> {
    let timeout = commit.shared.settings.request_timeout;
    prepare(commit)?;
    send_all(commit)?;
    begin(commit)?;
    commit.producer.flush(timeout)?;
    let offsets = positions(commit);
    // IMPORTANT: the metadata is fetched now, so that a member of an older generation is refused.
    let group = commit.consumer.group_metadata()?;
    commit.producer.send_offsets(&offsets, &*group, timeout)?;
    commit.producer.commit(timeout)?;
    if commit.producer.doubtful() {
        return Err(Error::new(ErrorKind::Transaction, "a coordinator request of the commit was sent twice or went unanswered"));
    }
    *commit.in_transaction = false;
    apply(commit)
}

/// At least once: outputs and changelog, then state, then positions.
pub(crate) fn at_least_once(commit: &mut Commit<'_>) -> Result<(), Error> {
    let timeout = commit.shared.settings.request_timeout;
    prepare(commit)?;
    send_all(commit)?;
    commit.producer.flush(timeout)?;
    let offsets = positions(commit);
    apply(commit)?;
    commit.consumer.commit(&offsets, timeout)?;
    Ok(())
}

fn prepare(commit: &mut Commit<'_>) -> Result<(), Error> {
    commit.tasks.running.values_mut().try_for_each(|running| running.task.prepare_commit())
}

fn send_all(commit: &mut Commit<'_>) -> Result<(), Error> {
    let Commit { shared, tasks, producer, in_transaction, .. } = commit;
    for running in tasks.running.values_mut() {
        send(shared, &mut running.task, *producer, in_transaction)?;
    }
    Ok(())
}

/// Hands what a task has staged to the producer; opens a transaction for the first record.
pub(crate) fn send(
    shared: &Shared,
    task: &mut crate::task::Task,
    producer: &mut dyn Producer,
    in_transaction: &mut bool,
) -> Result<usize, Error> {
    let timeout = shared.settings.request_timeout;
    let transactional = shared.settings.guarantee == ProcessingGuarantee::ExactlyOnce;
    task.drain_outbox(|record| {
        if transactional && !*in_transaction {
            producer.begin()?;
            *in_transaction = true;
        }
        producer.send(record, timeout).map_err(Error::from)
    })
}

fn begin(commit: &mut Commit<'_>) -> Result<(), Error> {
    if !*commit.in_transaction {
        commit.producer.begin()?;
        *commit.in_transaction = true;
    }
    Ok(())
}

fn positions(commit: &Commit<'_>) -> Vec<(TopicPartition, CommittedOffset)> {
    let Commit { shared, tasks, .. } = commit;
    let of_task = |running: &super::tasks::RunningTask| {
        let fingerprint = &shared.prepared.parts.of(running.task.id()).fingerprint;
        let note = Note { fingerprint, holds_back: running.task.holds_back() };
        running.task.positions(&note.to_string()).collect::<Vec<_>>()
    };
    tasks.running.values().flat_map(of_task).collect()
}

fn apply(commit: &mut Commit<'_>) -> Result<(), Error> {
    let Commit { shared, tasks, producer, now, .. } = commit;
    for running in tasks.running.values_mut() {
        let partition = running.task.id().partition;
        let logs = restore::acknowledged(shared, running.task.changelogs(), partition, |topic, partition| {
            producer.acknowledged(topic, partition)
        });
        running.task.apply(&logs, *now)?;
    }
    Ok(())
}

/// How long until the next commit is due, for the poll that may wait for it.
pub(crate) fn due_in_ms(now: Timestamp, last_commit: Timestamp, interval: std::time::Duration) -> i64 {
    (millis(interval) - now.as_millis().saturating_sub(last_commit.as_millis())).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_due_by_time_bytes_or_request_and_only_if_something_happened() {
        let quiet = Situation {
            now: Timestamp::from_millis(1_000),
            last_commit: Timestamp::from_millis(900),
            interval_ms: 200,
            dirty: true,
            gathered_bytes: 0,
            gathered_bytes_max: 10,
            requested: false,
        };
        let late = Timestamp::from_millis(1_100);
        let cases = [
            (quiet, Plan::NotDue),
            (Situation { now: late, ..quiet }, Plan::Commit),
            (Situation { now: late, dirty: false, ..quiet }, Plan::NotDue),
            (Situation { gathered_bytes: 10, ..quiet }, Plan::Commit),
            (Situation { requested: true, ..quiet }, Plan::Commit),
            (Situation { requested: true, dirty: false, ..quiet }, Plan::NotDue),
            (Situation { now: Timestamp::from_millis(3_600_900), dirty: false, ..quiet }, Plan::Commit),
        ];
        for (situation, expected) in cases {
            assert_eq!(plan(situation), expected, "{situation:?}");
        }
    }
}
