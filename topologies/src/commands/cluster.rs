//! The cluster as commands use it: a client that has heard from a broker.

use std::sync::Arc;
use std::time::Duration;

use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{Admin, Kafka, KafkaErrorKind};

use crate::config::Config;
use crate::exit::Failure;

/// A cluster that answers.
pub(super) struct Cluster {
    pub(super) kafka: Arc<dyn Kafka>,
    pub(super) admin: Box<dyn Admin>,
    pub(super) brokers: usize,
    pub(super) timeout: Duration,
}

impl Cluster {
    /// Waits for a broker's first answer, within the configured time.
    pub(super) fn connect(config: &Config) -> Result<Self, Failure> {
        let servers = &config.kafka.bootstrap_servers;
        let kafka = RdKafka::new(servers, config.kafka.properties.clone())?;
        let mut admin = kafka.admin()?;
        let brokers = admin.brokers(config.kafka.connect_timeout).map_err(|error| {
            if matches!(error.kind, KafkaErrorKind::Timeout | KafkaErrorKind::Retriable) {
                return Failure::unavailable(format!(
                    "no broker at {servers} answered within {:?}: {error}; check `kafka.bootstrap_servers`, that the brokers are up, \
                     and that `kafka.properties` have the security they ask for",
                    config.kafka.connect_timeout
                ));
            }
            Failure::from(error)
        })?;
        Ok(Self { kafka: Arc::new(kafka), admin, brokers, timeout: config.kafka.request_timeout })
    }
}
