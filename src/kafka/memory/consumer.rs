//! A group member of the embedded cluster. Dropping it is a crash: the group learns of it when its session ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::broker::{Broker, State, unknown};
use super::faults::{Call, Gate};
use super::fetcher::Fetcher;
use super::group::{Heartbeat, Joining, MemberAt, MemberId};
use crate::kafka::{
    Batch, CommittedOffset, Consumer, ConsumerSettings, GroupMetadata, Isolation, KafkaError, KafkaErrorKind, Rebalance, Slot,
};
use crate::record::{Timestamp, TopicPartition};

#[derive(Debug)]
pub(super) struct MemoryConsumer {
    broker: Arc<Broker>,
    gate: Gate,
    fetcher: Fetcher,
    membership: Membership,
}

/// The client's side of being in a group.
#[derive(Debug)]
struct Membership {
    settings: ConsumerSettings,
    topics: BTreeSet<Arc<str>>,
    member: Option<MemberId>,
    owned: BTreeSet<TopicPartition>,
    unanswered: Option<Rebalance>,
    /// Missing topics are told once, not at every poll.
    told_missing: bool,
}

impl MemoryConsumer {
    pub(super) fn new(broker: Arc<Broker>, settings: &ConsumerSettings) -> Self {
        let gate = broker.faults.gate(&settings.client_id, Arc::clone(&broker.clock));
        let membership = Membership {
            settings: settings.clone(),
            topics: BTreeSet::new(),
            member: None,
            owned: BTreeSet::new(),
            unanswered: None,
            told_missing: false,
        };
        Self { broker, gate, fetcher: Fetcher::new(settings.isolation), membership }
    }
}

impl Membership {
    fn join(&mut self, state: &mut State, now: Timestamp) {
        state.members_joined += 1;
        let id = MemberId(state.members_joined);
        let joining = Joining {
            instance: self.settings.instance_id.clone(),
            client: self.settings.client_id.clone(),
            topics: self.topics.clone(),
            session_timeout: self.settings.session_timeout,
        };
        self.member = Some(id);
        state.groups.entry(self.settings.group_id.clone()).or_default().join(id, joining, now, &state.topics);
    }

    fn subscribe(&mut self, state: &mut State, now: Timestamp) {
        let known = self.member.zip(state.groups.get_mut(&self.settings.group_id));
        if !known.is_some_and(|(id, group)| group.resubscribe(id, &self.topics, &state.topics)) {
            self.join(state, now);
        }
    }

    fn leave(&mut self, state: &mut State) {
        if let Some(id) = self.member.take()
            && let Some(group) = state.groups.get_mut(&self.settings.group_id)
        {
            group.leave(id, &state.topics);
        }
    }

    /// What the group has to tell, if anything; joins again after a removal.
    fn heartbeat(&mut self, state: &mut State, now: Timestamp) -> Result<Option<Rebalance>, KafkaError> {
        let Some(id) = self.member else { return Ok(None) };
        let missing = self.topics.iter().find(|topic| !state.topics.contains_key(*topic));
        if missing.is_none() {
            self.told_missing = false;
        } else if let Some(topic) = missing.filter(|_| !self.told_missing) {
            self.told_missing = true;
            return Err(unknown(topic));
        }
        let instance = self.settings.instance_id.as_deref();
        let group = state.groups.entry(self.settings.group_id.clone()).or_default();
        let event = match group.heartbeat(id, instance, now, &state.topics) {
            Heartbeat::Stay => return Ok(None),
            Heartbeat::Event(event) => event,
            Heartbeat::Fenced => return Err(KafkaError::new(KafkaErrorKind::Fenced, "another member has this instance id")),
            Heartbeat::Removed => {
                self.join(state, now);
                if self.owned.is_empty() {
                    return Ok(None);
                }
                Rebalance::Lost(std::mem::take(&mut self.owned).into_iter().collect())
            }
        };
        if let Rebalance::Assign(partitions) = &event {
            self.owned.extend(partitions.iter().cloned());
        }
        self.unanswered = Some(event.clone());
        Ok(Some(event))
    }

    fn answer_assign(&mut self) {
        self.unanswered.take_if(|event| matches!(event, Rebalance::Assign(_)));
    }

    fn answer_revoke(&mut self, state: &mut State) {
        let answered = self.unanswered.take_if(|event| !matches!(event, Rebalance::Assign(_)));
        if let (Some(Rebalance::Revoke(partitions)), Some(id)) = (answered, self.member) {
            self.owned.retain(|partition| !partitions.contains(partition));
            if let Some(group) = state.groups.get_mut(&self.settings.group_id) {
                group.given_back(id, &partitions, &state.topics);
            }
        }
    }

    fn at_generation(&self, state: &State) -> MemberAt {
        let generation = state.groups.get(&self.settings.group_id).map_or(-1, super::group::Group::generation);
        MemberAt {
            group: self.settings.group_id.clone(),
            member: self.member,
            instance: self.settings.instance_id.clone(),
            generation,
        }
    }
}

impl Consumer for MemoryConsumer {
    fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        let Self { broker, gate, membership, .. } = self;
        gate.pass(Call::Subscribe, || {
            membership.topics = topics.iter().cloned().collect();
            broker.change(|state, now| membership.subscribe(state, now));
            Ok(())
        })
    }

    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        let Self { broker, gate, fetcher, membership } = self;
        gate.pass(Call::Poll, || {
            if let Some(event) = &membership.unanswered {
                return Err(KafkaError::new(KafkaErrorKind::Fatal, format!("polled without an answer to {event:?}")));
            }
            let isolation = membership.settings.isolation;
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
        let group = &self.membership.settings.group_id;
        self.gate.pass(Call::Committed, || stable_offsets(&self.broker, group, partitions, timeout))
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)], _timeout: Duration) -> Result<(), KafkaError> {
        let Self { broker, gate, membership, .. } = self;
        gate.pass(Call::CommitOffsets, || {
            broker.change(|state, _| {
                let sender = membership.at_generation(state);
                let group = state.groups.entry(sender.group.clone()).or_default();
                group.check(&sender, KafkaErrorKind::Fenced)?;
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
            if membership.settings.instance_id.is_none() {
                broker.change(|state, _| membership.leave(state));
            }
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
