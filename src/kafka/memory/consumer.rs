//! A group member of the embedded cluster. Dropping it is a crash: the group learns of it when its session ends.

use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use super::faults::Call;
use super::fetcher::Fetcher;
use super::gate::Gate;
use super::group::Commit;
use super::membership::Membership;
use crate::kafka::{
    Batch, CommittedOffset, Consumer, ConsumerSettings, GroupMetadata, Isolation, KafkaError, KafkaErrorKind, Slot,
};
use crate::record::TopicPartition;

#[derive(Debug)]
pub(super) struct MemoryConsumer {
    broker: Arc<Broker>,
    gate: Gate,
    fetcher: Fetcher,
    membership: Membership,
}

impl MemoryConsumer {
    pub(super) fn new(broker: Arc<Broker>, settings: &ConsumerSettings) -> Self {
        let gate = broker.faults.gate(&settings.client_id, Arc::clone(&broker.clock));
        Self { broker, gate, fetcher: Fetcher::new(settings.isolation), membership: Membership::new(settings) }
    }
}

impl Consumer for MemoryConsumer {
    fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        let Self { broker, gate, membership, .. } = self;
        gate.pass(Call::Subscribe, || {
            broker.change(|state, now| membership.subscribe(state, topics, now));
            Ok(())
        })
    }

    fn rejoin(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        let Self { broker, gate, membership, .. } = self;
        gate.pass(Call::Subscribe, || {
            broker.change(|state, _| membership.rejoin(state, topics));
            Ok(())
        })
    }

    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        let Self { broker, gate, fetcher, membership } = self;
        gate.pass(Call::Poll, || {
            membership.check_answered()?;
            let isolation = membership.isolation();
            let polled = broker.wait_for(wait, isolation, |state, now| match membership.heartbeat(state, now) {
                Err(error) => Some(Err(error)),
                Ok(Some(event)) => {
                    batch.rebalances.push(event);
                    Some(Ok(()))
                }
                Ok(None) => match fetcher.fetch(state, batch, max_records) {
                    Ok(true) => Some(Ok(())),
                    Ok(false) => None,
                    Err(error) => Some(Err(error)),
                },
            });
            polled.unwrap_or(Ok(()))
        })
    }

    fn incremental_assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let Self { broker, gate, fetcher, membership } = self;
        gate.pass(Call::Assign, || {
            broker.change(|state, _| fetcher.add(state, partitions))?;
            membership.answer_assign();
            Ok(())
        })
    }

    fn incremental_unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let Self { broker, gate, fetcher, membership } = self;
        gate.pass(Call::Unassign, || {
            fetcher.remove(partitions)?;
            broker.change(|state, _| membership.answer_revoke(state));
            Ok(())
        })
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let Self { gate, fetcher, .. } = self;
        gate.pass(Call::Pause, || {
            fetcher.set_paused(partitions, true);
            Ok(())
        })
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let Self { gate, fetcher, .. } = self;
        gate.pass(Call::Resume, || {
            fetcher.set_paused(partitions, false);
            Ok(())
        })
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), KafkaError> {
        let Self { broker, gate, fetcher, .. } = self;
        gate.pass(Call::Seek, || broker.change(|state, _| fetcher.seek(state, partition, offset)))
    }

    fn slot(&mut self, partition: &TopicPartition) -> Slot {
        self.fetcher.slot(partition)
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
        let group = self.membership.group();
        self.gate.pass(Call::Committed, || stable_offsets(&self.broker, group, partitions, timeout))
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)], _timeout: Duration) -> Result<(), KafkaError> {
        let Self { broker, gate, membership, .. } = self;
        gate.pass(Call::CommitOffsets, || {
            broker.change(|state, _| {
                let sender = membership.at_generation(state);
                let group = state.groups.entry(sender.group.clone()).or_default();
                group.check(&sender, Commit::Plain)?;
                group.offsets.extend(offsets.iter().cloned());
                Ok(())
            })
        })
    }

    fn group_metadata(&self) -> Result<Box<dyn GroupMetadata>, KafkaError> {
        self.gate.pass(Call::GroupMetadata, || {
            let member = self.broker.change(|state, _| self.membership.at_generation(state));
            Ok(Box::new(member) as Box<dyn GroupMetadata>)
        })
    }

    fn close(mut self: Box<Self>, _timeout: Duration) -> Result<(), KafkaError> {
        let Self { broker, gate, membership, .. } = &mut *self;
        gate.pass(Call::Close, || {
            broker.change(|state, _| membership.close(state));
            Ok(())
        })
    }
}

/// Committed positions of a group, once no transaction can move them any more.
pub(super) fn stable_offsets(
    broker: &Broker,
    group: &str,
    partitions: &[TopicPartition],
    timeout: Duration,
) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
    let offsets = broker.wait_for(timeout, Isolation::ReadCommitted, |state, _| {
        if state.transactions.may_move(group, partitions) {
            return None;
        }
        let offsets = state.groups.get(group).map(|group| &group.offsets);
        Some(partitions.iter().map(|partition| offsets.and_then(|all| all.get(partition).cloned())).collect())
    });
    offsets.ok_or_else(|| {
        KafkaError::new(KafkaErrorKind::Timeout, format!("a pending transaction may move positions of group {group}"))
    })
}
