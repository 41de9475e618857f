//! A group member. Rebalances are only written down by the callback, told by the next poll and answered by the caller.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_resp_err_t as Code, rd_kafka_t, rd_kafka_topic_partition_list_t};

use super::closing;
use super::config::Settings;
use super::context::Context;
use super::errors::{Flagged, check};
use super::fetch::Fetcher;
use super::group::RdGroupMetadata;
use super::group_offsets;
use super::native::{Native, Role};
use super::partitions::{PartitionList, first_error, names};
use super::tenure::Tenure;
use crate::kafka::{Batch, CommittedOffset, Consumer, ConsumerSettings, GroupMetadata, KafkaError, Rebalance, Slot};
use crate::record::TopicPartition;

/// How long a consumer that is dropped without a close may take to leave its group.
const DROP_TIMEOUT: Duration = Duration::from_secs(3);

/// The member's client.
#[derive(Debug)]
pub(super) struct RdConsumer {
    fetcher: Fetcher,
    group_id: String,
    /// Rebalances that were told and not answered.
    unanswered: Vec<Rebalance>,
    tenure: Tenure,
    /// Whether it has left its group, or tried to.
    left: bool,
}

impl RdConsumer {
    pub(super) fn new(
        bootstrap_servers: &str,
        user: &BTreeMap<String, String>,
        settings: &ConsumerSettings,
    ) -> Result<Self, KafkaError> {
        let client = Native::new(Role::Consumer, &Settings::consumer(bootstrap_servers, settings), user, &settings.client_id)?;
        let fetcher = Fetcher::new(Arc::new(client), true);
        Ok(Self { fetcher, group_id: settings.group_id.clone(), unanswered: Vec::new(), tenure: Tenure::default(), left: false })
    }

    fn rk(&self) -> *mut rd_kafka_t {
        self.fetcher.client().as_ptr()
    }

    /// Leaves the group. A second call does nothing.
    fn leave(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        if std::mem::replace(&mut self.left, true) {
            return Ok(());
        }
        closing::close(Arc::clone(self.fetcher.client()), std::mem::take(&mut self.unanswered), timeout)
    }

    /// Before a rebalance is answered; whether one waits for this kind of answer. The client has paused all partitions for it, and
    /// resumes them with the answer, from where it thinks that they stand. So they are sought back while nothing is fetched.
    fn before_answer(
        &mut self,
        is_answer_to: impl Fn(&Rebalance) -> bool,
        stays: impl Fn(&TopicPartition) -> bool,
    ) -> Result<bool, KafkaError> {
        let awaited = self.unanswered.first().is_some_and(is_answer_to);
        if awaited {
            self.fetcher.restore_positions(stays)?;
        }
        Ok(awaited)
    }

    /// Once the answer is given, and not before: what is unanswered is answered when the member closes.
    fn after_answer(&mut self, awaited: bool) {
        if awaited {
            self.unanswered.remove(0);
        }
    }

    /// The member as the group knows it now, if it is the one that began to read.
    fn member(&self) -> Result<RdGroupMetadata, KafkaError> {
        let member = RdGroupMetadata::of(self.fetcher.client())?;
        self.tenure.check(&member.member_id())?;
        Ok(member)
    }
}

impl Consumer for RdConsumer {
    fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        let list = PartitionList::of_topics(topics.iter().map(AsRef::as_ref))?;
        // SAFETY: client and list are alive; the list is copied.
        check(unsafe { bindings::rd_kafka_subscribe(self.rk(), list.as_ptr()) }, "subscribing")
    }

    fn rejoin(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError> {
        // Unlike a close, this makes a static member leave too.
        // SAFETY: the client is alive.
        check(unsafe { bindings::rd_kafka_unsubscribe(self.rk()) }, "leaving the group")?;
        self.subscribe(topics)
    }

    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        let told_before = batch.rebalances.len();
        let result = self.fetcher.poll(batch, max_records, wait);
        let told = &batch.rebalances[told_before..];
        self.unanswered.extend_from_slice(told);
        if told.iter().any(is_assign) {
            let member = RdGroupMetadata::of(self.fetcher.client())?;
            self.tenure.is_given_more(&member.member_id(), self.fetcher.reads_nothing())?;
        }
        result
    }

    fn incremental_assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let awaited = self.before_answer(is_assign, |_| true)?;
        let list = PartitionList::with_offsets(partitions.iter().map(|(partition, offset)| (partition, *offset)))?;
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { Flagged::take(bindings::rd_kafka_incremental_assign(self.rk(), list.as_ptr())) };
        error.map_or(Ok(()), |error| Err(error.plain("adding partitions")))?;
        self.after_answer(awaited);
        self.fetcher.started(partitions);
        Ok(())
    }

    fn incremental_unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let awaited = self.before_answer(|rebalance| !is_assign(rebalance), |partition| !partitions.contains(partition))?;
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { Flagged::take(bindings::rd_kafka_incremental_unassign(self.rk(), list.as_ptr())) };
        error.map_or(Ok(()), |error| Err(error.plain("removing partitions")))?;
        self.after_answer(awaited);
        self.fetcher.stopped(partitions);
        Ok(())
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive.
        check(unsafe { bindings::rd_kafka_pause_partitions(self.rk(), list.as_ptr()) }, "pausing")?;
        first_error(list.elements(), "pausing")
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        // As before the answer to a rebalance.
        self.fetcher.restore_positions(|partition| partitions.contains(partition))?;
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive.
        check(unsafe { bindings::rd_kafka_resume_partitions(self.rk(), list.as_ptr()) }, "resuming")?;
        first_error(list.elements(), "resuming")
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
        group_offsets::fetch(self.fetcher.client(), partitions, timeout)
    }

    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)], timeout: Duration) -> Result<(), KafkaError> {
        self.member()?;
        group_offsets::commit(self.fetcher.client(), offsets, timeout)
    }

    fn group_metadata(&self) -> Result<Box<dyn GroupMetadata>, KafkaError> {
        Ok(Box::new(self.member()?))
    }

    fn close(mut self: Box<Self>, timeout: Duration) -> Result<(), KafkaError> {
        self.leave(timeout)
    }
}

impl Drop for RdConsumer {
    fn drop(&mut self) {
        if let Err(error) = self.leave(DROP_TIMEOUT) {
            tracing::warn!(group = self.group_id, %error, "a consumer was dropped without a close");
        }
    }
}

fn is_assign(rebalance: &Rebalance) -> bool {
    matches!(rebalance, Rebalance::Assign(_))
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
            // A closing client takes this for whatever answer it waits for, and for all partitions.
            bindings::rd_kafka_assign(rk, ptr::null());
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
