//! The administrator's client. Each request waits for its answer; what they ask is in the modules below.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_admin_op_t as Op};

use super::config::Settings;
use super::deadline::Deadline;
use super::group_offsets;
use super::native::{Native, Role};
use super::queue::Queue;
use crate::kafka::{Admin, CommittedOffset, GroupMember, KafkaError, KafkaErrorKind, NewTopic, OffsetSpec, TopicDescription};
use crate::record::TopicPartition;

mod configs;
mod groups;
pub(super) mod offsets;
mod request;
mod topics;

use request::{Request, no_options, pointers};

const CLIENT_ID: &str = "highwater-admin";
/// Brokers learn of a new or deleted topic shortly after the controller has answered.
const SPREAD_PAUSE: Duration = Duration::from_millis(20);

/// The administrator's client.
#[derive(Debug)]
pub(super) struct RdAdmin {
    client: Native,
    bootstrap_servers: String,
    user: BTreeMap<String, String>,
    /// A client for each group whose positions were asked for or set. None of them joins.
    groups: BTreeMap<String, Native>,
}

impl RdAdmin {
    pub(super) fn new(bootstrap_servers: &str, user: &BTreeMap<String, String>) -> Result<Self, KafkaError> {
        let settings = Settings::group(bootstrap_servers, CLIENT_ID);
        Ok(Self {
            client: Native::new(Role::Admin, &settings, user, CLIENT_ID)?,
            bootstrap_servers: bootstrap_servers.to_owned(),
            user: user.clone(),
            groups: BTreeMap::new(),
        })
    }

    fn group(&mut self, name: &str) -> Result<&Native, KafkaError> {
        if !self.groups.contains_key(name) {
            let settings = Settings::group(&self.bootstrap_servers, name);
            self.groups.insert(name.to_owned(), Native::new(Role::Admin, &settings, &self.user, CLIENT_ID)?);
        }
        Ok(&self.groups[name])
    }

    /// Waits until brokers describe these topics as they now should be: there, or gone.
    fn wait_until(&self, names: &[&str], there: bool, deadline: &Deadline, doing: &str) -> Result<(), KafkaError> {
        let pause = Queue::new(&self.client);
        loop {
            let described = topics::describe(&self.client, names, deadline.remaining())?;
            if described.iter().all(|topic| topic.is_some() == there) {
                return Ok(());
            }
            if deadline.has_passed() {
                let message = format!("{doing}: done, but brokers do not show it yet");
                return Err(KafkaError::new(KafkaErrorKind::Timeout, message));
            }
            pause.poll(SPREAD_PAUSE.min(deadline.remaining()));
        }
    }
}

impl Admin for RdAdmin {
    fn describe_topics(&mut self, names: &[&str], timeout: Duration) -> Result<Vec<Option<TopicDescription>>, KafkaError> {
        topics::describe(&self.client, names, timeout)
    }

    fn topic_config(&mut self, name: &str, timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError> {
        configs::describe(&self.client, name, timeout)
    }

    fn create_topics(&mut self, topics: &[NewTopic], timeout: Duration) -> Result<(), KafkaError> {
        let deadline = Deadline::after(timeout);
        topics::create(&self.client, topics, timeout)?;
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        self.wait_until(&names, true, &deadline, "creating topics")
    }

    fn alter_topic_config(&mut self, name: &str, config: &BTreeMap<String, String>, timeout: Duration) -> Result<(), KafkaError> {
        configs::alter(&self.client, name, config, timeout)
    }

    fn delete_topics(&mut self, names: &[&str], timeout: Duration) -> Result<(), KafkaError> {
        let deadline = Deadline::after(timeout);
        topics::delete(&self.client, names, timeout)?;
        self.wait_until(names, false, &deadline, "deleting topics")
    }

    fn delete_records(&mut self, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<(), KafkaError> {
        offsets::delete_records(&self.client, before, timeout)
    }

    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        timeout: Duration,
    ) -> Result<Vec<i64>, KafkaError> {
        offsets::list_offsets(&self.client, partitions, spec, timeout)
    }

    fn group_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
        group_offsets::fetch(self.group(group)?, partitions, timeout)
    }

    fn alter_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, CommittedOffset)],
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        group_offsets::commit(self.group(group)?, offsets, timeout)
    }

    fn group_members(&mut self, group: &str, timeout: Duration) -> Result<usize, KafkaError> {
        groups::members(&self.client, group, timeout)
    }

    fn group_assignment(&mut self, group: &str, timeout: Duration) -> Result<Option<Vec<GroupMember>>, KafkaError> {
        groups::assignment(&self.client, group, timeout)
    }

    fn brokers(&mut self, timeout: Duration) -> Result<usize, KafkaError> {
        Request::new(&self.client, Op::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, "describing the cluster", timeout).run(
            no_options,
            // SAFETY: everything is alive.
            |rk, options, queue| unsafe { bindings::rd_kafka_DescribeCluster(rk, options, queue) },
            // SAFETY: the answer is alive, and is one of this kind.
            |answer| unsafe {
                let mut count = 0;
                let result = bindings::rd_kafka_event_DescribeCluster_result(answer);
                let nodes = bindings::rd_kafka_DescribeCluster_result_nodes(result, &raw mut count);
                Ok(pointers(nodes.cast_const(), count).len())
            },
        )
    }
}
