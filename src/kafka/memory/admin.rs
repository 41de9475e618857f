//! An administrator's client of the embedded cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::broker::{Broker, State, unknown};
use super::consumer::stable_offsets;
use super::faults::Call;
use super::gate::Gate;
use super::topic::Topic;
use crate::kafka::{
    Admin, CommittedOffset, GroupMember, KafkaError, KafkaErrorKind, NewTopic, OFFSET_END, OffsetSpec, TopicDescription,
};
use crate::record::{Timestamp, TopicPartition};

/// The client id of every administrator, by which faults find them.
const CLIENT_ID: &str = "admin";

#[derive(Debug)]
pub(super) struct MemoryAdmin {
    broker: Arc<Broker>,
    gate: Gate,
}

impl MemoryAdmin {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        let gate = broker.faults.gate(CLIENT_ID, Arc::clone(&broker.clock));
        Self { broker, gate }
    }

    fn ask<T>(&self, act: impl FnOnce(&mut State, Timestamp) -> Result<T, KafkaError>) -> Result<T, KafkaError> {
        self.gate.pass(Call::Admin, || self.broker.change(act))
    }
}

impl State {
    /// Creates a topic that does not exist yet.
    pub(super) fn create_topic(&mut self, new: &NewTopic, brokers: usize) -> Result<(), KafkaError> {
        if self.topics.contains_key(new.name.as_str()) {
            return Ok(());
        }
        let topic = Topic::new(new, self.topics_created + 1, brokers)?;
        self.topics_created += 1;
        self.topics.insert(Arc::clone(&topic.description.name), topic);
        self.tell_groups(&new.name);
        Ok(())
    }

    fn delete_topic(&mut self, name: &str) {
        let Some(topic) = self.topics.remove(name) else { return };
        self.used_bytes -= topic.partitions.iter().map(|log| log.bytes).sum::<usize>();
        for group in self.groups.values_mut() {
            group.offsets.retain(|partition, _| &*partition.topic != name);
        }
        self.tell_groups(name);
    }

    fn tell_groups(&mut self, topic: &str) {
        for group in self.groups.values_mut() {
            group.topic_changed(topic, &self.topics);
        }
    }

    fn delete_records(&mut self, partition: &TopicPartition, before: i64) -> Result<(), KafkaError> {
        let log = self.log_mut(partition)?;
        let before = if before == OFFSET_END { log.end() } else { before };
        if !(0..=log.end()).contains(&before) {
            let message = format!("cannot delete before offset {before} of {partition}, which ends at {}", log.end());
            return Err(KafkaError::new(KafkaErrorKind::OffsetOutOfRange, message));
        }
        let freed = log.trim(before);
        self.used_bytes -= freed;
        Ok(())
    }
}

impl Admin for MemoryAdmin {
    fn describe_topics(&mut self, names: &[&str], _timeout: Duration) -> Result<Vec<Option<TopicDescription>>, KafkaError> {
        let describe = |state: &mut State, name: &&str| state.topics.get(*name).map(|topic| topic.description.clone());
        self.ask(|state, _| Ok(names.iter().map(|name| describe(state, name)).collect()))
    }

    fn topic_config(&mut self, name: &str, _timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError> {
        self.ask(|state, _| state.topic(name).map(|topic| topic.config.clone()))
    }

    fn create_topics(&mut self, topics: &[NewTopic], _timeout: Duration) -> Result<(), KafkaError> {
        let brokers = self.broker.settings.brokers;
        self.ask(|state, _| topics.iter().try_for_each(|new| state.create_topic(new, brokers)))
    }

    fn alter_topic_config(
        &mut self,
        name: &str,
        config: &BTreeMap<String, String>,
        _timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.ask(|state, _| state.topics.get_mut(name).ok_or_else(|| unknown(name))?.alter(config))
    }

    fn delete_topics(&mut self, names: &[&str], _timeout: Duration) -> Result<(), KafkaError> {
        self.ask(|state, _| {
            for name in names {
                state.delete_topic(name);
            }
            Ok(())
        })
    }

    fn delete_records(&mut self, before: &[(TopicPartition, i64)], _timeout: Duration) -> Result<(), KafkaError> {
        self.ask(|state, _| before.iter().try_for_each(|(partition, offset)| state.delete_records(partition, *offset)))
    }

    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        _timeout: Duration,
    ) -> Result<Vec<i64>, KafkaError> {
        let look_up = |state: &mut State, partition: &TopicPartition| {
            let log = state.log(partition)?;
            Ok(match spec {
                OffsetSpec::Earliest => log.start(),
                OffsetSpec::Latest(isolation) => log.bound(isolation),
                OffsetSpec::At(time) => log.offset_at(time),
            })
        };
        self.ask(|state, _| partitions.iter().map(|partition| look_up(state, partition)).collect())
    }

    fn group_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
        self.gate.pass(Call::Admin, || stable_offsets(&self.broker, group, partitions, timeout))
    }

    fn alter_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, CommittedOffset)],
        _timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.ask(|state, _| {
            if let Some((stranger, _)) = offsets.iter().find(|(partition, _)| state.log(partition).is_err()) {
                return Err(unknown(stranger));
            }
            let members = state.groups.entry(group.to_owned()).or_default();
            if !members.is_empty() {
                return Err(KafkaError::new(KafkaErrorKind::Fenced, format!("group {group} has members")));
            }
            members.offsets.extend(offsets.iter().cloned());
            Ok(())
        })
    }

    fn group_members(&mut self, group: &str, _timeout: Duration) -> Result<usize, KafkaError> {
        self.ask(|state, _| Ok(state.groups.get(group).map_or(0, super::group::Group::members)))
    }

    fn group_assignment(&mut self, group: &str, _timeout: Duration) -> Result<Option<Vec<GroupMember>>, KafkaError> {
        self.ask(|state, _| Ok(state.groups.get(group).and_then(super::group::Group::assignment)))
    }

    fn brokers(&mut self, _timeout: Duration) -> Result<usize, KafkaError> {
        let brokers = self.broker.settings.brokers;
        self.ask(|_, _| Ok(brokers))
    }
}
