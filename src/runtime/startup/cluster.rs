//! What the start asks of the cluster and does to it. What the answers mean is decided in `startup`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{InternalTopic, TopicCheck, check};
use crate::error::{Error, ErrorKind};
use crate::kafka::{Admin, Kafka, KafkaError, KafkaErrorKind, NewTopic, TopicDescription};
use crate::runtime::settings::Settings;
use crate::time::Clock;
use crate::topology::Topology;

/// A topic that this process or another has just made is not known to every broker at once: how often one asks again,
const ATTEMPTS: usize = 250;
/// and after how long.
const PAUSE: Duration = Duration::from_millis(20);

/// The cluster, as a start sees it.
pub(super) struct Cluster<'a> {
    admin: Box<dyn Admin>,
    settings: &'a Settings,
    clock: &'a dyn Clock,
}

impl<'a> Cluster<'a> {
    pub(super) fn connect(kafka: &dyn Kafka, settings: &'a Settings, clock: &'a dyn Clock) -> Result<Self, Error> {
        Ok(Self { admin: kafka.admin()?, settings, clock })
    }

    /// Partition counts of the topics of the outside world, all of which must exist.
    pub(super) fn external_topics(&mut self, topology: &Topology) -> Result<BTreeMap<String, i32>, Error> {
        let mut names = topology.reads();
        names.extend(topology.writes());
        names.sort();
        names.dedup();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let found = self.describe(&names).map_err(|error| self.unreachable(error))?;
        let missing: Vec<String> =
            names.iter().zip(&found).filter(|(_, topic)| topic.is_none()).map(|(name, _)| format!("`{name}`")).collect();
        if !missing.is_empty() {
            let hint = &self.settings.create_topics_hint;
            return Err(Error::config(format!("topics {} do not exist: {hint}", missing.join(", "))));
        }
        Ok(found.into_iter().flatten().map(|topic| (topic.name.to_string(), topic.partitions)).collect())
    }

    /// Creates internal topics that are missing, refuses those that differ, and returns the identities of all.
    pub(super) fn ensure(&mut self, wanted: &[InternalTopic]) -> Result<BTreeMap<String, [u8; 16]>, Error> {
        let names: Vec<&str> = wanted.iter().map(|topic| &*topic.name).collect();
        let found = self.describe(&names)?;
        let mut missing = Vec::new();
        for (topic, found) in wanted.iter().zip(&found) {
            let config = if found.is_some() { self.config_of(&topic.name)? } else { BTreeMap::new() };
            match check(topic, found.as_ref(), &config) {
                TopicCheck::Fits => {}
                TopicCheck::Missing => missing.push(NewTopic {
                    name: topic.name.clone(),
                    partitions: topic.partitions,
                    replication_factor: self.settings.replication_factor,
                    config: topic.config.clone(),
                }),
                TopicCheck::Differs(sentence) => return Err(Error::config(sentence)),
            }
        }
        if missing.is_empty() {
            return Ok(ids(found));
        }
        self.admin.create_topics(&missing, self.settings.request_timeout)?;
        self.await_topics(&names)
    }

    /// The largest record that each topic takes from this client.
    pub(super) fn record_limits(&mut self, counts: &BTreeMap<String, i32>) -> Result<Vec<(Arc<str>, usize)>, Error> {
        let mut limits = Vec::new();
        for name in counts.keys() {
            let config = self.config_of(name)?;
            let of_topic = config.get("max.message.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
            limits.push((Arc::from(&**name), of_topic.min(self.settings.limits.record_bytes)));
        }
        Ok(limits)
    }

    fn describe(&mut self, names: &[&str]) -> Result<Vec<Option<TopicDescription>>, KafkaError> {
        self.admin.describe_topics(names, self.settings.request_timeout)
    }

    /// The settings of a topic that exists.
    fn config_of(&mut self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let timeout = self.settings.request_timeout;
        for _ in 1..ATTEMPTS {
            match self.admin.topic_config(name, timeout) {
                Err(error) if error.kind == KafkaErrorKind::UnknownTopic => self.clock.sleep(PAUSE),
                answer => return Ok(answer?),
            }
        }
        Ok(self.admin.topic_config(name, timeout)?)
    }

    /// Waits until brokers know the topics, and returns the identities.
    fn await_topics(&mut self, names: &[&str]) -> Result<BTreeMap<String, [u8; 16]>, Error> {
        for _ in 0..ATTEMPTS {
            let found = self.describe(names)?;
            if found.iter().all(Option::is_some) {
                return Ok(ids(found));
            }
            self.clock.sleep(PAUSE);
        }
        Err(Error::new(ErrorKind::Unavailable, "internal topics were created, but brokers still do not know them"))
    }

    fn unreachable(&self, error: KafkaError) -> Error {
        let error = Error::from(error);
        if *error.kind() != ErrorKind::Unavailable {
            return error;
        }
        let timeout = self.settings.request_timeout;
        error.context(format_args!("no broker answered within {timeout:?}; check the bootstrap servers and that they are up"))
    }
}

fn ids(found: Vec<Option<TopicDescription>>) -> BTreeMap<String, [u8; 16]> {
    found.into_iter().flatten().map(|topic| (topic.name.to_string(), topic.id)).collect()
}
