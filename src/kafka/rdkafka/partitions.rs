//! The C client's lists of partitions, with their offsets and what was committed beside them.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::slice;

use rdkafka::bindings::{self, rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_t};

use super::errors::{c_string, text};
use crate::kafka::{CommittedOffset, KafkaError, KafkaErrorKind};
use crate::record::TopicPartition;

/// A list of our own, freed on drop.
#[derive(Debug)]
pub(super) struct PartitionList(NonNull<rd_kafka_topic_partition_list_t>);

impl PartitionList {
    fn with_capacity(capacity: usize) -> Self {
        // SAFETY: only allocates.
        let list = unsafe { bindings::rd_kafka_topic_partition_list_new(i32::try_from(capacity).unwrap_or(i32::MAX)) };
        Self(NonNull::new(list).expect("the C client aborts rather than return null"))
    }

    pub(super) fn of(partitions: &[TopicPartition]) -> Result<Self, KafkaError> {
        let mut list = Self::with_capacity(partitions.len());
        for partition in partitions {
            list.add(partition)?;
        }
        Ok(list)
    }

    pub(super) fn with_offsets<'a>(
        partitions: impl ExactSizeIterator<Item = (&'a TopicPartition, i64)>,
    ) -> Result<Self, KafkaError> {
        let mut list = Self::with_capacity(partitions.len());
        for (partition, offset) in partitions {
            list.add(partition)?.offset = offset;
        }
        Ok(list)
    }

    /// Positions to commit.
    pub(super) fn with_committed(offsets: &[(TopicPartition, CommittedOffset)]) -> Result<Self, KafkaError> {
        let mut list = Self::with_capacity(offsets.len());
        for (partition, committed) in offsets {
            let element = list.add(partition)?;
            element.offset = committed.offset;
            (element.metadata, element.metadata_size) = c_metadata(&committed.metadata)?;
        }
        Ok(list)
    }

    /// Topics without partitions, to subscribe to.
    pub(super) fn of_topics<'a>(topics: impl ExactSizeIterator<Item = &'a str>) -> Result<Self, KafkaError> {
        let list = Self::with_capacity(topics.len());
        for topic in topics {
            let name = c_string(topic)?;
            // SAFETY: the list and the name are alive; the name is copied.
            unsafe { bindings::rd_kafka_topic_partition_list_add(list.as_ptr(), name.as_ptr(), -1) };
        }
        Ok(list)
    }

    fn add(&mut self, partition: &TopicPartition) -> Result<&mut rd_kafka_topic_partition_t, KafkaError> {
        let topic = c_string(&partition.topic)?;
        // SAFETY: the list and the name are alive; the name is copied, and the new element lives until the list grows again,
        // which the borrow prevents.
        Ok(unsafe { &mut *bindings::rd_kafka_topic_partition_list_add(self.as_ptr(), topic.as_ptr(), partition.partition) })
    }

    pub(super) fn as_ptr(&self) -> *mut rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        // SAFETY: the list is alive as long as the borrow.
        unsafe { elements(self.as_ptr()) }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: nobody else frees it.
        unsafe { bindings::rd_kafka_topic_partition_list_destroy(self.as_ptr()) }
    }
}

/// Text in memory that the C client frees with `free`. Empty text is no metadata.
fn c_metadata(metadata: &str) -> Result<(*mut c_void, usize), KafkaError> {
    if metadata.is_empty() {
        return Ok((std::ptr::null_mut(), 0));
    }
    // SAFETY: as many bytes are allocated as are then written.
    let memory = unsafe {
        let memory = libc::malloc(metadata.len());
        if !memory.is_null() {
            memory.cast::<u8>().copy_from_nonoverlapping(metadata.as_ptr(), metadata.len());
        }
        memory
    };
    if memory.is_null() {
        return Err(KafkaError::new(KafkaErrorKind::Fatal, "out of memory"));
    }
    Ok((memory, metadata.len()))
}

/// One partition of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a>(&'a rd_kafka_topic_partition_t);

impl Element<'_> {
    pub(super) fn partition(self) -> TopicPartition {
        // SAFETY: each element has a topic's name.
        TopicPartition::new(unsafe { text(self.0.topic) }, self.0.partition)
    }

    pub(super) fn offset(self) -> i64 {
        self.0.offset
    }

    /// The element's error, 0 for none; read as a number, since a broker may send any.
    pub(super) fn error(self) -> i32 {
        // SAFETY: the field is alive and has this width.
        unsafe { (&raw const self.0.err).cast::<i32>().read() }
    }

    /// What the group committed here, if anything.
    pub(super) fn committed(self) -> Option<CommittedOffset> {
        let metadata = if self.0.metadata.is_null() {
            String::new()
        } else {
            // SAFETY: the client allocated as many bytes as it says.
            let bytes = unsafe { slice::from_raw_parts(self.0.metadata.cast::<u8>(), self.0.metadata_size) };
            String::from_utf8_lossy(bytes).into_owned()
        };
        (self.0.offset >= 0).then_some(CommittedOffset { offset: self.0.offset, metadata })
    }
}

/// The elements of a list that somebody else owns; none for null.
///
/// SAFETY: the list is null or alive for `'a`, and nobody changes it meanwhile.
pub(super) unsafe fn elements<'a>(list: *const rd_kafka_topic_partition_list_t) -> impl Iterator<Item = Element<'a>> {
    let elements: &[rd_kafka_topic_partition_t] = if list.is_null() {
        &[]
    } else {
        // SAFETY: a list holds `cnt` elements; an empty one may have no memory.
        unsafe {
            match NonNull::new((*list).elems) {
                Some(first) => slice::from_raw_parts(first.as_ptr(), usize::try_from((*list).cnt).unwrap_or(0)),
                None => &[],
            }
        }
    };
    elements.iter().map(Element)
}

/// The partitions of a list that somebody else owns.
///
/// SAFETY: as for [`elements`].
pub(super) unsafe fn names(list: *const rd_kafka_topic_partition_list_t) -> Vec<TopicPartition> {
    // SAFETY: promised by the caller.
    unsafe { elements(list) }.map(Element::partition).collect()
}

/// The first partition of a list that has an error, as an error.
pub(super) fn first_error<'a>(mut elements: impl Iterator<Item = Element<'a>>, doing: &str) -> Result<(), KafkaError> {
    match elements.find(|element| element.error() != 0) {
        None => Ok(()),
        Some(element) => Err(super::errors::from_code(element.error(), &format!("{doing} {}", element.partition()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_what_was_put_in() {
        let offsets = [
            (TopicPartition::new("a", 0), CommittedOffset { offset: 7, metadata: "größer".to_owned() }),
            (TopicPartition::new("b", 3), CommittedOffset { offset: 0, metadata: String::new() }),
        ];
        let list = PartitionList::with_committed(&offsets).unwrap();
        let back: Vec<_> = list.elements().map(|e| (e.partition(), e.committed().unwrap())).collect();
        assert_eq!(back, offsets);
        let none = PartitionList::of(&[TopicPartition::new("a", 0)]).unwrap();
        assert_eq!(none.elements().next().unwrap().committed(), None);
        assert!(PartitionList::of(&[TopicPartition::new("a\0", 0)]).is_err());
    }
}
