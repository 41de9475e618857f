//! A group member. Rebalances are only written down by the callback, told by the next poll and answered by the caller.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_resp_err_t as Code, rd_kafka_t, rd_kafka_topic_partition_list_t};

use super::admin::offsets::group_offsets;
use super::config::Settings;
use super::context::Context;
use super::deadline::Deadline;
use super::errors::{Flagged, check, from_code};
use super::fetch::Fetcher;
use super::group::RdGroupMetadata;
use super::native::{Native, Role};
use super::partitions::{PartitionList, elements, first_error, names};
use super::queue::Queue;
use crate::kafka::{
    Batch, CommittedOffset, Consumer, ConsumerSettings, GroupMetadata, KafkaError, KafkaErrorKind, Rebalance, Slot,
};
use crate::record::TopicPartition;

/// How long one look at a closing member takes.
const CLOSE_STEP: Duration = Duration::from_millis(50);

/// The member's client.
#[derive(Debug)]
pub(super) struct RdConsumer {
    fetcher: Fetcher,
    group_id: String,
    /// Rebalances that were told and not answered.
    unanswered: usize,
}

impl RdConsumer {
    pub(super) fn new(
        bootstrap_servers: &str,
        user: &BTreeMap<String, String>,
        settings: &ConsumerSettings,
    ) -> Result<Self, KafkaError> {
        let client = Native::new(Role::Consumer, &Settings::consumer(bootstrap_servers, settings), user, &settings.client_id)?;
        Ok(Self { fetcher: Fetcher::new(Arc::new(client), true), group_id: settings.group_id.clone(), unanswered: 0 })
    }

    fn rk(&self) -> *mut rd_kafka_t {
        self.fetcher.client().as_ptr()
    }

    /// Whether a rebalance was waiting for an answer, which this was.
    fn answer(&mut self) -> bool {
        let was_asked = self.unanswered > 0;
        self.unanswered = self.unanswered.saturating_sub(1);
        was_asked
    }
}

impl Consumer for RdConsumer {
    fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        let list = PartitionList::of_topics(topics.iter().map(AsRef::as_ref))?;
        // SAFETY: client and list are alive; the list is copied.
        check(unsafe { bindings::rd_kafka_subscribe(self.rk(), list.as_ptr()) }, "subscribing")
    }

    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        let told_before = batch.rebalances.len();
        let result = self.fetcher.poll(batch, max_records, wait);
        self.unanswered += batch.rebalances.len() - told_before;
        result
    }

    fn incremental_assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let list = PartitionList::with_offsets(partitions.iter().map(|(partition, offset)| (partition, *offset)))?;
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { Flagged::take(bindings::rd_kafka_incremental_assign(self.rk(), list.as_ptr())) };
        error.map_or(Ok(()), |error| Err(error.plain("adding partitions")))?;
        // The client paused all partitions for a rebalance and has resumed them now; the new ones have not begun.
        let answered = self.answer();
        if answered {
            self.fetcher.restore_positions(|partition| partitions.iter().all(|(new, _)| new != partition))?;
        }
        self.fetcher.started(partitions);
        Ok(())
    }

    fn incremental_unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { Flagged::take(bindings::rd_kafka_incremental_unassign(self.rk(), list.as_ptr())) };
        error.map_or(Ok(()), |error| Err(error.plain("removing partitions")))?;
        self.fetcher.stopped(partitions);
        if self.answer() { self.fetcher.restore_positions(|_| true) } else { Ok(()) }
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive.
        check(unsafe { bindings::rd_kafka_pause_partitions(self.rk(), list.as_ptr()) }, "pausing")?;
        first_error(list.elements(), "pausing")
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive.
        check(unsafe { bindings::rd_kafka_resume_partitions(self.rk(), list.as_ptr()) }, "resuming")?;
        first_error(list.elements(), "resuming")?;
        self.fetcher.restore_positions(|partition| partitions.contains(partition))
    }

    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), KafkaError> {
        self.fetcher.seek(&[(partition.clone(), offset)])
    }

    fn slot(&mut self, partition: &TopicPartition) -> Slot {
        self.fetcher.slot(partition)
    }

    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
        group_offsets(self.fetcher.client(), &self.group_id, partitions, timeout)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)], timeout: Duration) -> Result<(), KafkaError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (list, queue) = (PartitionList::with_committed(offsets)?, Queue::new(self.fetcher.client()));
        // SAFETY: client, list and queue are alive; the list is copied, and without a callback the answer is an event.
        check(
            unsafe { bindings::rd_kafka_commit_queue(self.rk(), list.as_ptr(), queue.as_ptr(), None, ptr::null_mut()) },
            "committing offsets",
        )?;
        let Some(answer) = queue.poll(timeout) else {
            return Err(KafkaError::new(KafkaErrorKind::Timeout, "committing offsets: no answer in time"));
        };
        // SAFETY: the event is alive, and so is its list.
        unsafe {
            let code = super::errors::event_code(answer.as_ptr());
            let committed = bindings::rd_kafka_event_topic_partition_list(answer.as_ptr());
            first_error(elements(committed), "committing the offset of")?;
            if code == 0 { Ok(()) } else { Err(from_code(code, "committing offsets")) }
        }
    }

    fn group_metadata(&self) -> Result<Box<dyn GroupMetadata>, KafkaError> {
        Ok(Box::new(RdGroupMetadata::of(self.fetcher.client())?))
    }

    fn close(self: Box<Self>, timeout: Duration) -> Result<(), KafkaError> {
        let deadline = Deadline::after(timeout);
        let client = self.fetcher.client();
        client.context().closing.store(true, Ordering::Release);
        // What the caller has not answered is answered here, so that the group does not wait for it.
        if !client.context().rebalances.lock().expect("no panic while the lock is held").is_empty() {
            // SAFETY: the client is alive.
            unsafe { unassign_all(self.rk()) };
        }
        let queue = Queue::new(client);
        // SAFETY: client and queue are alive, the queue until the client has closed or is destroyed.
        let error = unsafe { Flagged::take(bindings::rd_kafka_consumer_close_queue(self.rk(), queue.as_ptr())) };
        if let Some(error) = error {
            return Err(error.plain("closing a consumer"));
        }
        // SAFETY: the client is alive.
        while unsafe { bindings::rd_kafka_consumer_closed(self.rk()) } == 0 {
            if deadline.has_passed() {
                return Err(KafkaError::new(KafkaErrorKind::Timeout, "closing a consumer: the group did not let go in time"));
            }
            discard_arrivals(&queue, deadline.millis_at_most(CLOSE_STEP));
        }
        Ok(())
    }
}

/// Serves a closing member's queue: rebalances by the callback, records by throwing them away.
fn discard_arrivals(queue: &Queue, wait_millis: i32) {
    let mut arrived = [ptr::null_mut(); 64];
    // SAFETY: the queue is alive, the array as large as said, and as many messages as the call returns are ours to free.
    unsafe {
        let count = bindings::rd_kafka_consume_batch_queue(queue.as_ptr(), wait_millis, arrived.as_mut_ptr(), arrived.len());
        for message in &arrived[..usize::try_from(count).unwrap_or(0)] {
            bindings::rd_kafka_message_destroy(*message);
        }
    }
}

/// Writes down what the group decided and ends the poll that is waiting.
///
/// SAFETY: as the C client calls it, within a poll, with the context that the client was made with.
pub(super) unsafe extern "C" fn on_rebalance(
    rk: *mut rd_kafka_t,
    event: Code,
    partitions: *mut rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    // SAFETY: the context outlives the client; client and list are alive during the call.
    unsafe {
        let context = &*opaque.cast::<Context>();
        if context.closing.load(Ordering::Acquire) {
            unassign_all(rk);
            return;
        }
        let partitions = names(partitions);
        let rebalance = match event {
            Code::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ if bindings::rd_kafka_assignment_lost(rk) != 0 => Rebalance::Lost(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        context.rebalances.lock().expect("no panic while the lock is held").push(rebalance);
        bindings::rd_kafka_queue_yield(context.queue.load(Ordering::Acquire));
    }
}

/// Gives everything back that is assigned, co-partitions included.
///
/// SAFETY: the client is alive.
unsafe fn unassign_all(rk: *mut rd_kafka_t) {
    let mut assigned = ptr::null_mut();
    // SAFETY: the client is alive, and gives the list away.
    unsafe {
        if bindings::rd_kafka_assignment(rk, &raw mut assigned) != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
            return;
        }
        let Some(list) = PartitionList::from_raw(assigned) else { return };
        if let Some(error) = Flagged::take(bindings::rd_kafka_incremental_unassign(rk, list.as_ptr())) {
            tracing::debug!(error = error.text, "giving partitions back on close");
        }
    }
}
