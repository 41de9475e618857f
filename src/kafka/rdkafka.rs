//! The adapter to a real cluster, through librdkafka's C API. What the engine makes of Kafka is not here.
//!
//! The safe wrappers of the `rdkafka` crate cost several times as much per record (one call and one event each), turn rebalances
//! into events that a batch call does not serve, and wait in steps of 100 ms for a commit. So this calls the C functions itself,
//! and is the only place in the library with unsafe code. Reading order: `native` (a handle and its callbacks), `fetch` (the
//! consuming side), `producer`, `admin`.
//!
//! **Guarantees and properties.** A user may set any property of the C client, but not these, which the guarantees rest on:
//! `enable.idempotence`, `acks`, `transactional.id`, `delivery.report.only.error`, `enable.auto.commit`,
//! `enable.auto.offset.store`, `auto.offset.reset`, `enable.partition.eof`, `check.crcs`, `isolation.level`, `group.id`,
//! `group.instance.id`, `group.protocol`, `partition.assignment.strategy`, `bootstrap.servers`.

use std::collections::BTreeMap;

use super::{
    Admin, Consumer, ConsumerSettings, Kafka, KafkaError, Producer, ProducerSettings, Reader, ReaderSettings, Sender,
    SenderSettings,
};

#[expect(unsafe_code, reason = "the C client is called here and below, and nowhere else")]
mod admin;
mod arena;
#[expect(unsafe_code, reason = "the C client's way out of a group")]
mod closing;
#[expect(unsafe_code, reason = "the C client's configuration objects")]
mod config;
#[expect(unsafe_code, reason = "the C client's consumers")]
mod consumer;
mod context;
mod deadline;
#[expect(unsafe_code, reason = "the C client's topic handles")]
mod destinations;
mod ending;
#[expect(unsafe_code, reason = "the C client's error objects")]
mod errors;
#[expect(unsafe_code, reason = "the C client's batch call")]
mod fetch;
#[expect(unsafe_code, reason = "the C client's group metadata")]
mod group;
#[expect(unsafe_code, reason = "the C client's requests for a group's offsets")]
mod group_offsets;
#[expect(unsafe_code, reason = "the C client's headers")]
mod headers;
#[expect(unsafe_code, reason = "the C client's log callback")]
mod logging;
#[expect(unsafe_code, reason = "the C client's messages")]
mod message;
#[expect(unsafe_code, reason = "the C client's handles")]
mod native;
#[expect(unsafe_code, reason = "the C client's lists of partitions")]
mod partitions;
mod patience;
mod positions;
#[expect(unsafe_code, reason = "the C client's producers")]
mod producer;
#[expect(unsafe_code, reason = "the C client's queues")]
mod queue;
#[expect(unsafe_code, reason = "the C client's consumers, without a group")]
mod reader;
#[expect(unsafe_code, reason = "the C client's producers, with receipts")]
mod sender;
mod slots;
mod tenure;
#[expect(unsafe_code, reason = "the C client's interceptors")]
mod watch;

use deadline::timeout_millis;
pub use message::Message;

/// A real cluster.
///
/// ```no_run
/// use std::collections::BTreeMap;
/// use highwater::kafka::{Kafka, rdkafka::RdKafka};
///
/// let security = BTreeMap::from([("security.protocol".to_owned(), "ssl".to_owned())]);
/// let kafka = RdKafka::new("broker-1:9092,broker-2:9092", security)?;
/// let brokers = kafka.admin()?.brokers(std::time::Duration::from_secs(10))?;
/// # Ok::<(), highwater::kafka::KafkaError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RdKafka {
    bootstrap_servers: String,
    properties: BTreeMap<String, String>,
}

impl RdKafka {
    /// A cluster that these servers know (`host:port`, separated by commas), with properties of the C client for all clients.
    ///
    /// Connects to nothing yet. A property that the C client does not know, or whose value does not fit, is an error that names
    /// it.
    pub fn new(bootstrap_servers: impl Into<String>, properties: BTreeMap<String, String>) -> Result<Self, KafkaError> {
        let mut scratch = config::Conf::new();
        for (key, value) in &properties {
            scratch.set(key, value)?;
        }
        tracing::debug!(librdkafka = config::client_version(), "using the C client");
        Ok(Self { bootstrap_servers: bootstrap_servers.into(), properties })
    }
}

impl Kafka for RdKafka {
    fn consumer(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, KafkaError> {
        Ok(Box::new(consumer::RdConsumer::new(&self.bootstrap_servers, &self.properties, settings)?))
    }

    fn reader(&self, settings: &ReaderSettings) -> Result<Box<dyn Reader>, KafkaError> {
        Ok(Box::new(reader::RdReader::new(&self.bootstrap_servers, &self.properties, settings)?))
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, KafkaError> {
        Ok(Box::new(producer::RdProducer::new(&self.bootstrap_servers, &self.properties, settings)?))
    }

    fn sender(&self, settings: &SenderSettings) -> Result<Box<dyn Sender>, KafkaError> {
        Ok(Box::new(sender::RdSender::new(&self.bootstrap_servers, &self.properties, settings)?))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, KafkaError> {
        Ok(Box::new(admin::RdAdmin::new(&self.bootstrap_servers, &self.properties)?))
    }
}
