//! An embedded Kafka cluster of one broker, in memory: transactions, groups, compaction, and faults on order.
//!
//! It behaves as a real cluster does at the ports of [`crate::kafka`], and one conformance suite holds both to it. It serves
//! tests and demonstrations: nothing is on disk, nothing goes over a network, and its memory is bounded by `max_bytes`.
//!
//! **Time** is the injected clock's. On a clock that moves by itself a poll waits for news; on a virtual clock nothing waits:
//! a poll returns what there is, an unstable `committed` times out at once, and the test moves the clock. Used by one thread
//! on a virtual clock, the cluster does exactly the same every time.
//!
//! **Clients** that are dropped without `close` have crashed: transactions stay open until they time out or are fenced,
//! group members until their session ends. A poll is a member's only sign of life.
//!
//! Start reading at `broker` (what is shared), then `log`, `transaction`, `group`; `faults` is what tests order.
//!
//! ```
//! use std::sync::Arc;
//! use highwater::Timestamp;
//! use highwater::kafka::memory::{MemoryCluster, MemorySettings};
//! use highwater::time::VirtualClock;
//!
//! let cluster = MemoryCluster::new(Arc::new(VirtualClock::default()), MemorySettings::default());
//! cluster.create_topic("clicks", 2)?;
//! cluster.append("clicks", 1, Some(b"ada"), Some(b"home"), Timestamp::from_millis(5))?;
//! assert_eq!(cluster.read_committed("clicks")[0].value_text(), "home");
//! assert_eq!(cluster.end_offset("clicks", 1)?, 1);
//! # Ok::<(), highwater::kafka::KafkaError>(())
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::kafka::{
    Admin, Consumer, ConsumerSettings, Kafka, KafkaError, Producer, ProducerSettings, Reader, ReaderSettings, Sender,
    SenderSettings,
};
use crate::time::Clock;

mod admin;
mod assignor;
mod broker;
mod cleaning;
mod consumer;
mod faults;
mod fetcher;
mod gate;
mod group;
mod inspect;
mod log;
mod membership;
mod producer;
mod reader;
mod sender;
mod topic;
mod transaction;

pub use faults::{At, Call, Fault, Faults, Step};
pub use inspect::LoggedRecord;

use broker::Broker;

/// An embedded cluster. Clones are the same cluster.
#[derive(Clone, Debug)]
pub struct MemoryCluster {
    broker: Arc<Broker>,
}

/// Limits and habits of an embedded cluster.
#[derive(Clone, Debug)]
pub struct MemorySettings {
    /// How many bytes of records all topics together may hold; more are refused, as retriable.
    pub max_bytes: usize,
    /// Largest record that producers accept; a topic's `max.message.bytes` comes on top.
    pub client_max_record_bytes: usize,
    /// How often topics are cleaned by their settings.
    pub cleaning_interval: Duration,
    /// How long after its outcome was decided a transaction is completed that a fault left without markers.
    pub marker_delay: Duration,
    /// How many brokers it says that it has; bounds replication factors.
    pub brokers: usize,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            client_max_record_bytes: 2 << 20,
            cleaning_interval: Duration::from_mins(5),
            marker_delay: Duration::from_secs(5),
            brokers: 1,
        }
    }
}

impl MemoryCluster {
    /// An empty cluster.
    pub fn new(clock: Arc<dyn Clock>, settings: MemorySettings) -> Self {
        Self { broker: Arc::new(Broker::new(clock, settings)) }
    }

    /// The faults to come and the calls that were.
    pub fn faults(&self) -> &Faults {
        &self.broker.faults
    }
}

impl Kafka for MemoryCluster {
    fn consumer(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, KafkaError> {
        Ok(Box::new(consumer::MemoryConsumer::new(Arc::clone(&self.broker), settings)))
    }

    fn reader(&self, settings: &ReaderSettings) -> Result<Box<dyn Reader>, KafkaError> {
        Ok(Box::new(reader::MemoryReader::new(Arc::clone(&self.broker), settings)))
    }

    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, KafkaError> {
        Ok(Box::new(producer::MemoryProducer::new(Arc::clone(&self.broker), settings)))
    }

    fn sender(&self, settings: &SenderSettings) -> Result<Box<dyn Sender>, KafkaError> {
        Ok(Box::new(sender::MemorySender::new(Arc::clone(&self.broker), settings)))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, KafkaError> {
        Ok(Box::new(admin::MemoryAdmin::new(Arc::clone(&self.broker))))
    }
}
