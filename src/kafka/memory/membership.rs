//! The client's side of being in a group: what a consumer remembers between polls. The broker's side is `group`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::broker::{State, unknown};
use super::group::{Group, Heartbeat, Joining, MemberAt, MemberId};
use crate::kafka::{ConsumerSettings, Isolation, KafkaError, KafkaErrorKind, Rebalance};
use crate::record::{Timestamp, TopicPartition};

/// The client's side of being in a group.
#[derive(Debug)]
pub(super) struct Membership {
    settings: ConsumerSettings,
    topics: BTreeSet<Arc<str>>,
    member: Option<MemberId>,
    owned: BTreeSet<TopicPartition>,
    unanswered: Option<Rebalance>,
    /// Missing topics are told once, not at every poll.
    told_missing: bool,
}

impl Membership {
    pub(super) fn new(settings: &ConsumerSettings) -> Self {
        Self {
            settings: settings.clone(),
            topics: BTreeSet::new(),
            member: None,
            owned: BTreeSet::new(),
            unanswered: None,
            told_missing: false,
        }
    }

    pub(super) fn group(&self) -> &str {
        &self.settings.group_id
    }

    pub(super) fn isolation(&self) -> Isolation {
        self.settings.isolation
    }

    /// Fails a caller that goes on without an answer.
    pub(super) fn check_answered(&self) -> Result<(), KafkaError> {
        let unanswered = self.unanswered.as_ref();
        unanswered
            .map_or(Ok(()), |event| Err(KafkaError::new(KafkaErrorKind::Fatal, format!("polled without an answer to {event:?}"))))
    }

    /// Wants these topics from now on.
    pub(super) fn subscribe(&mut self, state: &mut State, topics: &[Arc<str>], now: Timestamp) {
        self.topics = topics.iter().cloned().collect();
        let known = self.member.zip(state.groups.get_mut(&self.settings.group_id));
        if !known.is_some_and(|(id, group)| group.resubscribe(id, &self.topics, &state.topics)) {
            self.join(state, now);
        }
    }

    /// Leaves, also as a static member; the next poll finds out and joins for these topics.
    pub(super) fn rejoin(&mut self, state: &mut State, topics: &[Arc<str>]) {
        self.topics = topics.iter().cloned().collect();
        if let (Some(id), Some(group)) = (self.member, state.groups.get_mut(&self.settings.group_id)) {
            group.leave(id, &state.topics);
        }
    }

    /// Leaves; a static member stays known until its session ends.
    pub(super) fn close(&mut self, state: &mut State) {
        if self.settings.instance_id.is_none()
            && let Some(id) = self.member.take()
            && let Some(group) = state.groups.get_mut(&self.settings.group_id)
        {
            group.leave(id, &state.topics);
        }
    }

    /// What the group has to tell, if anything; joins again after a removal.
    pub(super) fn heartbeat(&mut self, state: &mut State, now: Timestamp) -> Result<Option<Rebalance>, KafkaError> {
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

    /// Partitions were assigned: the answer, if an assignment is unanswered.
    pub(super) fn answer_assign(&mut self) {
        self.unanswered.take_if(|event| matches!(event, Rebalance::Assign(_)));
    }

    /// Partitions were removed: the answer, if they were to be given back.
    pub(super) fn answer_revoke(&mut self, state: &mut State) {
        let answered = self.unanswered.take_if(|event| !matches!(event, Rebalance::Assign(_)));
        if let (Some(Rebalance::Revoke(partitions)), Some(id)) = (answered, self.member) {
            self.owned.retain(|partition| !partitions.contains(partition));
            if let Some(group) = state.groups.get_mut(&self.settings.group_id) {
                group.given_back(id, &partitions, &state.topics);
            }
        }
    }

    /// This member now, for sending offsets.
    pub(super) fn at_generation(&self, state: &State) -> MemberAt {
        let generation = state.groups.get(&self.settings.group_id).map_or(-1, Group::generation);
        MemberAt {
            group: self.settings.group_id.clone(),
            member: self.member,
            instance: self.settings.instance_id.clone(),
            generation,
        }
    }

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
}
