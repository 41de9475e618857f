//! A group's committed positions, read and written through a client of that group. Not through the administrator's requests for the
//! same: a client (2.12) that is destroyed while one of those is under way frees its state twice, and the process aborts.

use std::ptr;
use std::time::Duration;

use rdkafka::bindings;

use super::deadline::Deadline;
use super::errors::{check, event_code, from_code};
use super::native::Native;
use super::partitions::{Element, PartitionList, elements, first_error};
use super::patience::again_while;
use super::queue::Queue;
use crate::kafka::{CommittedOffset, KafkaError, KafkaErrorKind};
use crate::record::TopicPartition;

/// The group's positions, in the order of `partitions`. A client that reads committed records only gets those that no pending
/// transaction can change any more, and waits for them; others get those of now.
pub(super) fn fetch(
    client: &Native,
    partitions: &[TopicPartition],
    timeout: Duration,
) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let deadline = Deadline::after(timeout);
    again_while(KafkaErrorKind::Retriable, client, &deadline, || fetch_once(client, partitions, &deadline))
}

fn fetch_once(
    client: &Native,
    partitions: &[TopicPartition],
    deadline: &Deadline,
) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
    const DOING: &str = "fetching a group's offsets";
    let list = PartitionList::of(partitions)?;
    // SAFETY: client and list are alive.
    check(unsafe { bindings::rd_kafka_committed(client.as_ptr(), list.as_ptr(), deadline.millis().max(1)) }, DOING)?;
    first_error(list.elements(), DOING)?;
    Ok(list.elements().map(Element::committed).collect())
}

/// Sets positions of the group: as its member, or while it has none.
pub(super) fn commit(
    client: &Native,
    offsets: &[(TopicPartition, CommittedOffset)],
    timeout: Duration,
) -> Result<(), KafkaError> {
    const DOING: &str = "committing offsets";
    if offsets.is_empty() {
        return Ok(());
    }
    let (list, queue) = (PartitionList::with_committed(offsets)?, Queue::new(client));
    // SAFETY: client, list and queue are alive; the list is copied, and without a callback the answer is an event.
    check(
        unsafe { bindings::rd_kafka_commit_queue(client.as_ptr(), list.as_ptr(), queue.as_ptr(), None, ptr::null_mut()) },
        DOING,
    )?;
    let Some(answer) = queue.poll(timeout) else {
        return Err(KafkaError::new(KafkaErrorKind::Timeout, format!("{DOING}: no answer in time")));
    };
    // SAFETY: the event is alive, and so is its list.
    unsafe {
        let code = event_code(answer.as_ptr());
        let committed = bindings::rd_kafka_event_topic_partition_list(answer.as_ptr());
        first_error(elements(committed), "committing the offset of")?;
        if code == 0 { Ok(()) } else { Err(from_code(code, DOING)) }
    }
}
