//! The group coordinator: members, generations, cooperative rebalances, committed positions.
//!
//! A *round* starts when members or topics change. Each member joins it when it polls, and when all have joined the round
//! is over: the generation rises and each member is told first what to give back, then what it gets. What one member is to
//! give to another stays where it is until it was given back, which starts the next round. So every partition has at most
//! one owner at any time. Nobody is interrupted while a round waits for its last member.
//!
//! Who should get what is `assignor`; how a member behaves is `consumer`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::assignor::{Claim, assign};
use super::topic::Topic;
use crate::kafka::{CommittedOffset, GroupMember, KafkaError, KafkaErrorKind, Rebalance};
use crate::record::{Timestamp, TopicPartition};

/// A member, from its joining to its end; a restarted one is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberId(pub(super) u64);

/// Existing topics.
type Topics = BTreeMap<Arc<str>, Topic>;

/// A consumer group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Committed positions.
    pub(super) offsets: BTreeMap<TopicPartition, CommittedOffset>,
    generation: i32,
    rebalancing: bool,
    members: BTreeMap<MemberId, Member>,
}

/// What a member tells of itself when it joins.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) instance: Option<String>,
    pub(super) client: String,
    pub(super) topics: BTreeSet<Arc<str>>,
    pub(super) session_timeout: Duration,
}

/// A member with the generation that it was in: sent with offsets.
#[derive(Clone, Debug)]
pub(super) struct MemberAt {
    pub(super) group: String,
    pub(super) member: Option<MemberId>,
    pub(super) instance: Option<String>,
    pub(super) generation: i32,
}

impl crate::kafka::GroupMetadata for MemberAt {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// How offsets arrive, which decides what a refusal means to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// By a producer.
    InTransaction,
    /// By the consumer itself.
    Plain,
}

/// What a poll means to the group.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heartbeat {
    /// Nothing is new.
    Stay,
    /// Something is to be answered.
    Event(Rebalance),
    /// This member was removed, and may join again.
    Removed,
    /// Another member has this one's instance id.
    Fenced,
}

#[derive(Debug)]
struct Member {
    joining: Joining,
    last_seen: Timestamp,
    joined: bool,
    events: VecDeque<Rebalance>,
    /// What it was told to have and has not given back.
    owned: BTreeSet<TopicPartition>,
    /// What it shall have after the last round.
    target: BTreeSet<TopicPartition>,
}

impl Group {
    /// Adds a member. One with a known instance id takes that one's place, and nobody else notices; unless the old one was to give
    /// something back, which starts a round. (A broker starts none, so that a partition may be left to nobody: the runtime looks for
    /// that by the wall clock, which tests here don't have.)
    pub(super) fn join(&mut self, id: MemberId, joining: Joining, now: Timestamp, topics: &Topics) {
        let mut member = Member {
            joining,
            last_seen: now,
            joined: false,
            events: VecDeque::new(),
            owned: BTreeSet::new(),
            target: BTreeSet::new(),
        };
        let predecessor = self.holder_of(member.joining.instance.as_deref()).and_then(|old| self.members.remove(&old));
        let unsettled = match predecessor {
            None => true,
            Some(old) => {
                let kept: Vec<_> = old.target.iter().filter(|partition| old.has_or_gets(partition)).cloned().collect();
                member.events.push_back(Rebalance::Assign(kept));
                let gives_back = !old.owned.is_subset(&old.target);
                member.target = old.target;
                gives_back || member.joining.topics != old.joining.topics
            }
        };
        self.members.insert(id, member);
        if unsettled {
            self.start_round(topics);
        }
    }

    /// Changes the topics that a member wants; false if there is no such member.
    pub(super) fn resubscribe(&mut self, id: MemberId, wanted: &BTreeSet<Arc<str>>, topics: &Topics) -> bool {
        let Some(member) = self.members.get_mut(&id) else { return false };
        member.joining.topics.clone_from(wanted);
        self.start_round(topics);
        true
    }

    /// Removes a member that leaves by its own will.
    pub(super) fn leave(&mut self, id: MemberId, topics: &Topics) {
        if self.members.remove(&id).is_some() {
            self.start_round(topics);
        }
    }

    /// Removes all members of a client, as if they had been silent for too long.
    pub(super) fn evict(&mut self, client: &str, topics: &Topics) {
        let before = self.members.len();
        self.members.retain(|_, member| member.joining.client != client);
        if self.members.len() < before {
            self.start_round(topics);
        }
    }

    /// A member polls, with nothing left to answer.
    pub(super) fn heartbeat(&mut self, id: MemberId, instance: Option<&str>, now: Timestamp, topics: &Topics) -> Heartbeat {
        let Some(member) = self.members.get_mut(&id) else {
            return if self.holder_of(instance).is_some() { Heartbeat::Fenced } else { Heartbeat::Removed };
        };
        member.last_seen = now;
        if member.events.is_empty() && self.rebalancing {
            member.joined = true;
            self.end_round_if_all_joined(topics);
        }
        let member = self.members.get_mut(&id).expect("a round removes nobody");
        let Some(event) = member.events.pop_front() else { return Heartbeat::Stay };
        if let Rebalance::Assign(partitions) = &event {
            member.owned.extend(partitions.iter().cloned());
        }
        Heartbeat::Event(event)
    }

    /// A member has given these back.
    pub(super) fn given_back(&mut self, id: MemberId, partitions: &[TopicPartition], topics: &Topics) {
        let Some(member) = self.members.get_mut(&id) else { return };
        for partition in partitions {
            member.owned.remove(partition);
        }
        self.start_round(topics);
    }

    /// Removes members that are silent for too long.
    pub(super) fn expire_members(&mut self, now: Timestamp, topics: &Topics) {
        let before = self.members.len();
        self.members.retain(|_, member| now < member.last_seen.plus(member.joining.session_timeout));
        if self.members.len() < before {
            self.start_round(topics);
        }
    }

    /// A topic came, went or changed: whoever wants it must hear.
    pub(super) fn topic_changed(&mut self, name: &str, topics: &Topics) {
        if self.members.values().any(|member| member.joining.topics.contains(name)) {
            self.start_round(topics);
        }
    }

    /// How many are in it.
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    /// What each member has or is about to get; `None` while a round goes on, and without members.
    pub(super) fn assignment(&self) -> Option<Vec<GroupMember>> {
        let settled = !self.rebalancing && !self.members.is_empty();
        let has = |member: &Member| GroupMember {
            client_id: member.joining.client.clone(),
            partitions: member.target.iter().filter(|partition| member.has_or_gets(partition)).cloned().collect(),
        };
        settled.then(|| self.members.values().map(has).collect())
    }

    /// Whether nobody is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How often the group has settled.
    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether offsets sent by this member at this generation may be taken. As with a real broker, which partitions they
    /// are of is not looked at.
    pub(super) fn check(&self, sender: &MemberAt, commit: Commit) -> Result<(), KafkaError> {
        let kind = match commit {
            Commit::InTransaction => KafkaErrorKind::Abortable,
            Commit::Plain => KafkaErrorKind::Fenced,
        };
        let refuse = |what: &str| Err(KafkaError::new(kind, format!("{what} in group {}", sender.group)));
        let Some(id) = sender.member else {
            // Offsets of nobody: fenced by nothing within a transaction, and taken outside only while there is no member.
            let free = self.members.is_empty() || commit == Commit::InTransaction;
            return if free { Ok(()) } else { refuse("unknown member") };
        };
        if self.members.contains_key(&id) {
            return if sender.generation == self.generation { Ok(()) } else { refuse("illegal generation") };
        }
        if self.holder_of(sender.instance.as_deref()).is_some() {
            let message = format!("another member of group {} has this instance id", sender.group);
            return Err(KafkaError::new(KafkaErrorKind::Fenced, message));
        }
        refuse("unknown member")
    }

    fn holder_of(&self, instance: Option<&str>) -> Option<MemberId> {
        let instance = instance?;
        let holder = self.members.iter().find(|(_, member)| member.joining.instance.as_deref() == Some(instance));
        holder.map(|(&id, _)| id)
    }

    fn start_round(&mut self, topics: &Topics) {
        self.rebalancing = true;
        for member in self.members.values_mut() {
            member.joined = false;
        }
        self.end_round_if_all_joined(topics);
    }

    fn end_round_if_all_joined(&mut self, topics: &Topics) {
        if !self.rebalancing || !self.members.values().all(|member| member.joined) {
            return;
        }
        self.rebalancing = false;
        self.generation += 1;
        let mut shares = assign(&self.claims(), &self.wanted_partitions(topics));
        let owned: BTreeMap<TopicPartition, MemberId> = self
            .members
            .iter()
            .flat_map(|(&id, member)| member.owned.iter().map(move |partition| (partition.clone(), id)))
            .collect();
        for (&id, member) in &mut self.members {
            member.target = shares.remove(&(member.name(), id)).unwrap_or_default();
            let revoked: Vec<_> = member.owned.difference(&member.target).cloned().collect();
            let free = member.target.iter().filter(|partition| !owned.contains_key(*partition));
            let assigned: Vec<_> = free.cloned().collect();
            if revoked.is_empty() || !assigned.is_empty() {
                member.events.push_front(Rebalance::Assign(assigned));
            }
            if !revoked.is_empty() {
                member.events.push_front(Rebalance::Revoke(revoked));
            }
        }
    }

    /// Members in an order that does not depend on who joined first where names tell them apart.
    fn claims(&self) -> BTreeMap<(String, MemberId), Claim> {
        let claim = |member: &Member| Claim { topics: member.joining.topics.clone(), owned: member.owned.clone() };
        self.members.iter().map(|(&id, member)| ((member.name(), id), claim(member))).collect()
    }

    fn wanted_partitions(&self, topics: &Topics) -> BTreeSet<TopicPartition> {
        let wanted: BTreeSet<&Arc<str>> = self.members.values().flat_map(|member| &member.joining.topics).collect();
        let existing = wanted.into_iter().filter_map(|name| topics.get_key_value(name));
        let partitions = existing.flat_map(|(name, topic)| {
            (0..topic.description.partitions).map(move |partition| TopicPartition::new(Arc::clone(name), partition))
        });
        partitions.collect()
    }
}

impl Member {
    fn name(&self) -> String {
        self.joining.instance.clone().unwrap_or_else(|| self.joining.client.clone())
    }

    fn has_or_gets(&self, partition: &TopicPartition) -> bool {
        let promised = |event: &Rebalance| matches!(event, Rebalance::Assign(given) if given.contains(partition));
        self.owned.contains(partition) || self.events.iter().any(promised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::NewTopic;

    const SESSION: Duration = Duration::from_secs(10);
    const START: Timestamp = Timestamp::from_millis(0);

    fn topics(partitions: i32) -> Topics {
        let new = NewTopic { name: "t".into(), partitions, replication_factor: 1, config: BTreeMap::new() };
        BTreeMap::from([(Arc::from("t"), Topic::new(&new, 1, 1).unwrap())])
    }

    fn joining(client: &str, instance: Option<&str>) -> Joining {
        let topics = BTreeSet::from([Arc::from("t")]);
        Joining { instance: instance.map(str::to_owned), client: client.into(), topics, session_timeout: SESSION }
    }

    fn of(partitions: &[i32]) -> Vec<TopicPartition> {
        partitions.iter().map(|&partition| TopicPartition::new("t", partition)).collect()
    }

    /// Polls and answers at once; returns what was told.
    fn poll(group: &mut Group, id: u64, topics: &Topics, now: Timestamp) -> Heartbeat {
        let heartbeat = group.heartbeat(MemberId(id), None, now, topics);
        if let Heartbeat::Event(Rebalance::Revoke(partitions)) = &heartbeat {
            group.given_back(MemberId(id), partitions, topics);
        }
        heartbeat
    }

    fn assigned(partitions: &[i32]) -> Heartbeat {
        Heartbeat::Event(Rebalance::Assign(of(partitions)))
    }

    #[test]
    fn partitions_move_in_two_rounds_and_have_one_owner_at_a_time() {
        let topics = topics(4);
        let mut group = Group::default();
        group.join(MemberId(1), joining("a", None), START, &topics);
        let told = |group: &mut Group, id| poll(group, id, &topics, START);
        assert_eq!(told(&mut group, 1), assigned(&[0, 1, 2, 3]));
        group.join(MemberId(2), joining("b", None), START, &topics);
        assert_eq!(told(&mut group, 2), Heartbeat::Stay, "the round waits for the first member");
        assert_eq!(told(&mut group, 1), Heartbeat::Event(Rebalance::Revoke(of(&[2, 3]))));
        assert_eq!(told(&mut group, 2), assigned(&[]), "nothing is free before the answer");
        assert_eq!(told(&mut group, 1), Heartbeat::Stay);
        assert_eq!(told(&mut group, 2), assigned(&[2, 3]));
        assert_eq!(told(&mut group, 1), assigned(&[]));
        assert_eq!(group.generation(), 3);
        group.leave(MemberId(2), &topics);
        assert_eq!(told(&mut group, 1), assigned(&[2, 3]));
    }

    #[test]
    fn a_silent_member_is_removed_and_its_offsets_are_refused() {
        let topics = topics(2);
        let mut group = Group::default();
        for (id, client) in [(1, "a"), (2, "b")] {
            group.join(MemberId(id), joining(client, None), START, &topics);
        }
        assert_eq!(poll(&mut group, 1, &topics, START), Heartbeat::Stay);
        assert_eq!(poll(&mut group, 2, &topics, START), assigned(&[1]));
        assert_eq!(poll(&mut group, 1, &topics, START), assigned(&[0]));
        let sender = MemberAt { group: "g".into(), member: Some(MemberId(2)), instance: None, generation: group.generation() };
        assert_eq!(group.check(&sender, Commit::InTransaction), Ok(()));
        let late = START.plus(SESSION);
        group.heartbeat(MemberId(1), None, late.minus(Duration::from_millis(1)), &topics);
        group.expire_members(late, &topics);
        assert_eq!(poll(&mut group, 1, &topics, late), assigned(&[1]));
        assert_eq!(poll(&mut group, 2, &topics, late), Heartbeat::Removed);
        assert_eq!(group.check(&sender, Commit::InTransaction).unwrap_err().kind, KafkaErrorKind::Abortable);
    }

    #[test]
    fn a_static_member_returns_to_its_partitions_and_fences_its_older_self() {
        let topics = topics(2);
        let mut group = Group::default();
        group.join(MemberId(1), joining("a", Some("pod-0")), START, &topics);
        assert_eq!(poll(&mut group, 1, &topics, START), assigned(&[0, 1]));
        let old = MemberAt { group: "g".into(), member: Some(MemberId(1)), instance: Some("pod-0".into()), generation: 1 };
        group.join(MemberId(2), joining("a", Some("pod-0")), START, &topics);
        assert_eq!(poll(&mut group, 2, &topics, START), assigned(&[0, 1]));
        assert_eq!(group.generation(), 1, "nobody else noticed");
        assert_eq!(group.heartbeat(MemberId(1), Some("pod-0"), START, &topics), Heartbeat::Fenced);
        assert_eq!(group.check(&old, Commit::InTransaction).unwrap_err().kind, KafkaErrorKind::Fenced);
    }
}
