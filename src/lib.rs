//! Highwater: stateful stream processing on Kafka, exactly once.

pub mod kafka;
pub mod record;
pub mod serde;
pub mod time;

pub use record::{Header, Headers, Record, TaskId, Timestamp, TopicPartition};
