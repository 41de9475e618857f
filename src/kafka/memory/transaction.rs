//! The transaction coordinator: transactional ids, epochs that fence, outcomes and their markers.
//!
//! A transaction is *open* from its first record or offset, *prepared* once its outcome is decided, and *ended* when its
//! markers and offsets are written. Between the last two nothing of it is visible; faults can hold it there.
//! What a client knows or believes is not here: that is `producer`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::broker::State;
use crate::kafka::{CommittedOffset, KafkaError, KafkaErrorKind};
use crate::record::{Timestamp, TopicPartition};

/// Stands for a transactional id in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProducerId(pub(super) u64);

/// A producer at an epoch: the newest epoch of a transactional id is the only one that may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer: ProducerId,
    pub(super) epoch: u64,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Commit,
    Abort,
}

/// All transactional ids.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    ids: BTreeMap<String, ProducerId>,
    states: BTreeMap<ProducerId, Transaction>,
    /// Requests to end a transaction that the network still holds.
    held: Vec<(Identity, Outcome)>,
}

/// The coordinator's view of one transactional id.
#[derive(Debug)]
struct Transaction {
    epoch: u64,
    timeout: Duration,
    phase: Phase,
    /// When this phase began.
    since: Timestamp,
    partitions: BTreeSet<TopicPartition>,
    offsets: BTreeMap<String, BTreeMap<TopicPartition, CommittedOffset>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Open,
    Prepared(Outcome),
    Ended(Outcome),
}

impl Transactions {
    /// Opens the writer's transaction unless it is open.
    pub(super) fn open(&mut self, writer: Identity, now: impl FnOnce() -> Timestamp) -> Result<ProducerId, KafkaError> {
        self.newest(writer)?.open(now)?;
        Ok(writer.producer)
    }

    /// Adds a partition to a producer's open transaction.
    pub(super) fn enter(&mut self, producer: ProducerId, partition: TopicPartition) {
        let transaction = self.states.get_mut(&producer).expect("identities come from here and stay known");
        transaction.partitions.insert(partition);
    }

    /// Adds positions of a group to the writer's transaction, which opens it if need be.
    pub(super) fn add_offsets(
        &mut self,
        writer: Identity,
        group: &str,
        offsets: &[(TopicPartition, CommittedOffset)],
        now: Timestamp,
    ) -> Result<(), KafkaError> {
        let transaction = self.newest(writer)?;
        transaction.open(|| now)?;
        transaction.offsets.entry(group.to_owned()).or_default().extend(offsets.iter().cloned());
        Ok(())
    }

    /// Whether a transaction whose end is not written could still move one of these positions.
    pub(super) fn may_move(&self, group: &str, partitions: &[TopicPartition]) -> bool {
        self.states.values().any(|transaction| {
            let offsets = transaction.offsets.get(group);
            offsets.is_some_and(|offsets| partitions.iter().any(|partition| offsets.contains_key(partition)))
        })
    }

    /// Keeps a request to end a transaction under way.
    pub(super) fn hold(&mut self, writer: Identity, outcome: Outcome) {
        self.held.push((writer, outcome));
    }

    fn newest(&mut self, writer: Identity) -> Result<&mut Transaction, KafkaError> {
        let transaction = self.states.get_mut(&writer.producer).expect("identities come from here and stay known");
        if transaction.epoch == writer.epoch {
            return Ok(transaction);
        }
        Err(KafkaError::new(KafkaErrorKind::Fenced, "a newer producer has this transactional id, or the transaction timed out"))
    }
}

impl Transaction {
    fn open(&mut self, now: impl FnOnce() -> Timestamp) -> Result<(), KafkaError> {
        match self.phase {
            Phase::Open => Ok(()),
            // A client that waits for the end of its transaction before it begins another never gets here.
            Phase::Prepared(_) => Err(KafkaError::new(KafkaErrorKind::Retriable, "the transaction before is being ended")),
            Phase::Idle | Phase::Ended(_) => {
                self.phase = Phase::Open;
                self.since = now();
                Ok(())
            }
        }
    }
}

impl State {
    /// Makes a producer the only one of its transactional id: ends what an older one left, fences it.
    pub(super) fn init_producer(&mut self, id: &str, timeout: Duration, now: Timestamp) -> Identity {
        let next = ProducerId(self.transactions.states.len() as u64 + 1);
        let producer = *self.transactions.ids.entry(id.to_owned()).or_insert(next);
        self.fence(producer, now);
        let fresh = || Transaction {
            epoch: 0,
            timeout,
            phase: Phase::Idle,
            since: now,
            partitions: BTreeSet::new(),
            offsets: BTreeMap::new(),
        };
        let transaction = self.transactions.states.entry(producer).or_insert_with(fresh);
        transaction.timeout = timeout;
        transaction.phase = Phase::Idle;
        Identity { producer, epoch: transaction.epoch }
    }

    /// Fences whoever uses a transactional id now.
    pub(super) fn fence_transactional_id(&mut self, id: &str, now: Timestamp) {
        if let Some(&producer) = self.transactions.ids.get(id) {
            self.fence(producer, now);
        }
    }

    /// Ends the writer's transaction. Asking again for the same outcome is no error, as with a real coordinator.
    pub(super) fn end_transaction(&mut self, writer: Identity, outcome: Outcome, now: Timestamp) -> Result<(), KafkaError> {
        self.prepare_transaction(writer, outcome, now)?;
        self.finish(writer.producer, now);
        Ok(())
    }

    /// Decides the outcome of the writer's transaction and writes nothing yet.
    pub(super) fn prepare_transaction(&mut self, writer: Identity, outcome: Outcome, now: Timestamp) -> Result<(), KafkaError> {
        let transaction = self.transactions.newest(writer)?;
        match transaction.phase {
            Phase::Open => {
                transaction.phase = Phase::Prepared(outcome);
                transaction.since = now;
            }
            Phase::Prepared(decided) | Phase::Ended(decided) if decided == outcome => {}
            Phase::Idle | Phase::Prepared(_) | Phase::Ended(_) => {
                let message = format!("invalid transaction state: {outcome:?} asked of {:?}", transaction.phase);
                return Err(KafkaError::new(KafkaErrorKind::Fatal, message));
            }
        }
        Ok(())
    }

    /// Makes a prepared transaction's positions visible, but writes no marker yet.
    pub(super) fn finish_offsets(&mut self, producer: ProducerId) {
        let Some(transaction) = self.transactions.states.get_mut(&producer) else { return };
        let offsets = std::mem::take(&mut transaction.offsets);
        if transaction.phase == Phase::Prepared(Outcome::Commit) {
            for (group, offsets) in offsets {
                self.groups.entry(group).or_default().offsets.extend(offsets);
            }
        }
    }

    /// Writes everything of all transactions whose outcome is decided.
    pub(super) fn finish_prepared(&mut self, now: Timestamp) {
        let producers: Vec<ProducerId> = self.transactions.states.keys().copied().collect();
        for producer in producers {
            self.finish(producer, now);
        }
    }

    /// Lets the held requests arrive; returns how many were obeyed.
    pub(super) fn deliver_held(&mut self, now: Timestamp) -> usize {
        let held = std::mem::take(&mut self.transactions.held);
        held.into_iter().filter(|&(writer, outcome)| self.end_transaction(writer, outcome, now).is_ok()).count()
    }

    /// Aborts transactions that are open for too long, and completes those that were left prepared.
    pub(super) fn expire_transactions(&mut self, now: Timestamp, marker_delay: Duration) {
        let due = |transaction: &Transaction| match transaction.phase {
            Phase::Open => now >= transaction.since.plus(transaction.timeout),
            Phase::Prepared(_) => now >= transaction.since.plus(marker_delay),
            Phase::Idle | Phase::Ended(_) => false,
        };
        let states = self.transactions.states.iter();
        let expired: Vec<_> = states.filter(|(_, each)| due(each)).map(|(&producer, each)| (producer, each.phase)).collect();
        for (producer, phase) in expired {
            match phase {
                Phase::Open => self.fence(producer, now),
                _ => self.finish(producer, now),
            }
        }
    }

    fn fence(&mut self, producer: ProducerId, now: Timestamp) {
        let Some(transaction) = self.transactions.states.get_mut(&producer) else { return };
        transaction.epoch += 1;
        if transaction.phase == Phase::Open {
            transaction.phase = Phase::Prepared(Outcome::Abort);
        }
        self.finish(producer, now);
    }

    /// Writes what a decided outcome means: positions first, then a marker in each partition.
    fn finish(&mut self, producer: ProducerId, now: Timestamp) {
        self.finish_offsets(producer);
        let Some(transaction) = self.transactions.states.get_mut(&producer) else { return };
        let Phase::Prepared(outcome) = transaction.phase else { return };
        transaction.phase = Phase::Ended(outcome);
        for partition in std::mem::take(&mut transaction.partitions) {
            // A topic that was deleted meanwhile has nothing left to mark.
            if let Some(log) = self.topics.get_mut(&partition.topic).and_then(|topic| topic.log_mut(partition.partition)) {
                let before = log.bytes;
                log.mark(producer, outcome, now);
                self.used_bytes += log.bytes - before;
            }
        }
    }
}
