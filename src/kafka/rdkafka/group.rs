//! A member of a group at a generation, to be sent with offsets.

use std::any::Any;
use std::ptr::NonNull;

use rdkafka::bindings::{self, rd_kafka_consumer_group_metadata_t};

use super::errors;
use super::native::Native;
use crate::kafka::{GroupMetadata, KafkaError, KafkaErrorKind};

/// The C client's description of a member; freed on drop.
#[derive(Debug)]
pub(super) struct RdGroupMetadata(NonNull<rd_kafka_consumer_group_metadata_t>);

// SAFETY: plain data that nobody changes.
unsafe impl Send for RdGroupMetadata {}

impl RdGroupMetadata {
    pub(super) fn of(consumer: &Native) -> Result<Self, KafkaError> {
        // SAFETY: the consumer is alive.
        let metadata = unsafe { bindings::rd_kafka_consumer_group_metadata(consumer.as_ptr()) };
        NonNull::new(metadata).map(Self).ok_or_else(|| KafkaError::new(KafkaErrorKind::Fatal, "this consumer is in no group"))
    }

    /// What an adapter's caller hands back.
    pub(super) fn from_port(metadata: &dyn GroupMetadata) -> Result<&Self, KafkaError> {
        metadata
            .as_any()
            .downcast_ref()
            .ok_or_else(|| KafkaError::new(KafkaErrorKind::Config, "the group's metadata is of another cluster's consumer"))
    }

    /// The group's name for the member: another one each time that it is let in; empty while it is not.
    pub(super) fn member_id(&self) -> String {
        // SAFETY: the description is alive, and so is its text.
        unsafe { errors::text(bindings::rd_kafka_consumer_group_metadata_member_id(self.as_ptr())) }
    }

    pub(super) fn as_ptr(&self) -> *const rd_kafka_consumer_group_metadata_t {
        self.0.as_ptr()
    }
}

impl GroupMetadata for RdGroupMetadata {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for RdGroupMetadata {
    fn drop(&mut self) {
        // SAFETY: nobody else frees it.
        unsafe { bindings::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) }
    }
}
