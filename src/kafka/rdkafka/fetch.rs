//! Draining a consuming client's queue in batches: what consumers and readers share. Groups and assignments are theirs.

use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_message_t, rd_kafka_queue_t, rd_kafka_resp_err_t as Code, rd_kafka_topic_t};

use super::deadline::Deadline;
use super::errors::{self, Flagged, kind_of};
use super::message::Message;
use super::native::Native;
use super::partitions::{Element, PartitionList, first_error};
use super::positions::Positions;
use super::queue::Queue;
use super::slots::Slots;
use super::{logging, timeout_millis};
use crate::kafka::{Batch, FetchedRecord, KafkaError, KafkaErrorKind, Payload, Slot};
use crate::record::TopicPartition;

const PARTITION_EOF: i32 = Code::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32;
const MAX_POLL_EXCEEDED: i32 = Code::RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED as i32;
const FATAL: i32 = Code::RD_KAFKA_RESP_ERR__FATAL as i32;
/// What a seek is refused with before fetching has begun, while it ends, or when the client's own pause or resume has overtaken it.
const NOT_NOW: [i32; 3] = [
    Code::RD_KAFKA_RESP_ERR__STATE as i32,
    Code::RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS as i32,
    Code::RD_KAFKA_RESP_ERR__OUTDATED as i32,
];
/// How long a partition may take to begin fetching before it can seek.
const SEEK_TIMEOUT: Duration = Duration::from_secs(10);
const SEEK_PAUSE: Duration = Duration::from_millis(10);
const GROUP_DENIED: i32 = Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as i32;

/// The queue of a consuming client and what reads it. One owner, one thread.
#[derive(Debug)]
pub(super) struct Fetcher {
    queue: NonNull<rd_kafka_queue_t>,
    /// Pointers that one call brings; kept for its memory.
    arrived: Vec<*mut rd_kafka_message_t>,
    slots: Slots,
    positions: Positions,
    /// An error that came behind records, told by the next poll.
    failure: Option<KafkaError>,
    client: Arc<Native>,
    /// Whether the client is a member of its group, which errors about the group then matter to.
    member: bool,
}

// SAFETY: queues of the C client may be used from any thread, and the pointers in `arrived` are dead between calls.
unsafe impl Send for Fetcher {}

/// The partition that the last record came from, and its slot. Valid while a message of that topic is held, which keeps the
/// topic's address from being used again: within one poll.
struct Recent {
    topic: *mut rd_kafka_topic_t,
    partition: i32,
    slot: Slot,
}

impl Fetcher {
    pub(super) fn new(client: Arc<Native>, member: bool) -> Self {
        // SAFETY: the handle is that of a consumer with a group's name, so it has a consumer queue; everything else that the
        // client wants served is forwarded there.
        let queue = unsafe {
            bindings::rd_kafka_poll_set_consumer(client.as_ptr());
            bindings::rd_kafka_queue_get_consumer(client.as_ptr())
        };
        let queue = NonNull::new(queue).expect("a consumer with a group's name has a queue");
        client.context().queue.store(queue.as_ptr(), std::sync::atomic::Ordering::Release);
        Self {
            queue,
            arrived: Vec::new(),
            slots: Slots::default(),
            positions: Positions::default(),
            failure: None,
            client,
            member,
        }
    }

    pub(super) fn client(&self) -> &Arc<Native> {
        &self.client
    }

    pub(super) fn slot(&mut self, partition: &TopicPartition) -> Slot {
        self.slots.of(partition)
    }

    /// These are read from now on, each from an offset.
    pub(super) fn started(&mut self, partitions: &[(TopicPartition, i64)]) {
        for (partition, offset) in partitions {
            self.positions.start(self.slots.of(partition), *offset);
        }
    }

    /// These are read no more.
    pub(super) fn stopped(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.positions.stop(self.slots.of(partition));
        }
    }

    /// Nothing is read any more.
    pub(super) fn stopped_all(&mut self) {
        self.positions.stop_all();
    }

    pub(super) fn reads_nothing(&self) -> bool {
        self.positions.is_empty()
    }

    /// Continues partitions elsewhere. What was fetched before is dropped by the client: it is of an older version.
    pub(super) fn seek(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        if partitions.is_empty() {
            return Ok(());
        }
        let (deadline, pause) = (Deadline::after(SEEK_TIMEOUT), Queue::new(&self.client));
        let mut wanted = partitions.to_vec();
        loop {
            let list = PartitionList::with_offsets(wanted.iter().map(|(partition, offset)| (partition, *offset)))?;
            // SAFETY: client and list are alive. The answer is waited for, since a partition whose fetching has not begun
            // refuses to seek.
            let error = unsafe {
                Flagged::take(bindings::rd_kafka_seek_partitions(self.client.as_ptr(), list.as_ptr(), deadline.millis().max(1)))
            };
            if let Some(error) = error {
                return Err(error.plain("seeking"));
            }
            let refused: Vec<TopicPartition> =
                list.elements().filter(|element| NOT_NOW.contains(&element.error())).map(Element::partition).collect();
            if refused.is_empty() || deadline.has_passed() {
                first_error(list.elements(), "seeking")?;
                self.started(partitions);
                return Ok(());
            }
            wanted.retain(|(partition, _)| refused.contains(partition));
            pause.poll(SEEK_PAUSE);
        }
    }

    /// Takes these back to where the caller stands, while they are paused: the client would resume them from where it thinks that they
    /// stand. Once resumed it would be too late: a fetch from behind the end may be under way by then, whose answer ends the partition.
    pub(super) fn restore_positions(&mut self, concerned: impl Fn(&TopicPartition) -> bool) -> Result<(), KafkaError> {
        let stand: Vec<(TopicPartition, i64)> = self
            .positions
            .known()
            .map(|(slot, next)| (self.slots.partition(slot).clone(), next))
            .filter(|(partition, _)| concerned(partition))
            .collect();
        self.seek(&stand)
    }

    /// Takes what has arrived, and waits for the first if nothing has.
    ///
    /// The C call waits until it is full, not until something is there: so it is asked for what is there, then for one, then for
    /// what came with it.
    pub(super) fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut recent = Recent { topic: ptr::null_mut(), partition: -1, slot: Slot(0) };
        let before = (batch.records.len(), batch.ends.len());
        let mut arrived = self.take(batch, max_records, 0, &mut recent);
        if arrived == 0 && !wait.is_zero() && self.nothing_told(batch) {
            arrived = self.take(batch, 1, timeout_millis(wait), &mut recent);
            if arrived > 0 && max_records > 1 {
                self.take(batch, max_records - 1, 0, &mut recent);
            }
        }
        self.tell_rebalances(batch);
        if self.failure.is_none() {
            self.failure = self.client.context().told_error.lock().expect("no panic while the lock is held").take();
        }
        let came_with_it = (batch.records.len(), batch.ends.len()) != before || !batch.rebalances.is_empty();
        match self.failure.take() {
            Some(failure) if came_with_it => {
                self.failure = Some(failure);
                Ok(())
            }
            Some(failure) => Err(failure),
            None => errors::fatal_of(self.client.as_ptr()).map_or(Ok(()), Err),
        }
    }

    fn nothing_told(&self, batch: &Batch) -> bool {
        let told = self.client.context().rebalances.lock().expect("no panic while the lock is held");
        self.failure.is_none() && told.is_empty() && batch.rebalances.is_empty()
    }

    fn tell_rebalances(&self, batch: &mut Batch) {
        let mut told = self.client.context().rebalances.lock().expect("no panic while the lock is held");
        batch.rebalances.append(&mut told);
    }

    /// One call of the C client; how many messages it brought.
    fn take(&mut self, batch: &mut Batch, max_records: usize, wait_millis: i32, recent: &mut Recent) -> usize {
        self.arrived.clear();
        self.arrived.reserve(max_records);
        // SAFETY: the queue is alive, the vector has room for as many pointers as said, and the call initialises as many as it
        // returns. Callbacks may run within it.
        let count = unsafe {
            let count =
                bindings::rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait_millis, self.arrived.as_mut_ptr(), max_records);
            let count = usize::try_from(count).unwrap_or(0);
            self.arrived.set_len(count);
            count
        };
        batch.records.reserve(count);
        for index in 0..count {
            let Some(message) = NonNull::new(self.arrived[index]) else { continue };
            // SAFETY: the call has given the message to us, and this takes each once.
            let message = unsafe { Message::from_raw(message, Arc::clone(&self.client)) };
            if message.error() == 0 {
                let slot = self.slot_of(&message, recent);
                let (offset, timestamp) = (message.offset(), message.timestamp());
                if !self.positions.pass(slot, offset) {
                    continue;
                }
                batch.records.push(FetchedRecord::new(slot, offset, timestamp, Payload::Rdkafka(message)));
            } else {
                self.event(&message, batch);
            }
        }
        self.arrived.clear();
        count
    }

    fn slot_of(&mut self, message: &Message, recent: &mut Recent) -> Slot {
        if recent.topic != message.topic() || recent.partition != message.partition() {
            *recent = Recent { topic: message.topic(), partition: message.partition(), slot: self.lookup(message) };
        }
        recent.slot
    }

    fn lookup(&mut self, message: &Message) -> Slot {
        // SAFETY: the message holds its topic, whose name lives as long.
        let topic = unsafe { std::ffi::CStr::from_ptr(bindings::rd_kafka_topic_name(message.topic())) };
        self.slots.of_named(&topic.to_string_lossy(), message.partition())
    }

    /// What came in place of a record.
    fn event(&mut self, message: &Message, batch: &mut Batch) {
        let code = message.error();
        if code == PARTITION_EOF {
            let slot = self.lookup(message);
            if self.positions.pass_end(slot, message.offset()) {
                batch.ends.push((slot, message.offset()));
            }
            return;
        }
        let text = if message.topic().is_null() {
            message.error_text()
        } else {
            // SAFETY: as in `lookup`.
            let topic = unsafe { errors::text(bindings::rd_kafka_topic_name(message.topic())) };
            format!("{topic}-{} at {}: {}", message.partition(), message.offset(), message.error_text())
        };
        if self.is_transient(code) {
            logging::report(self.client.context(), code, &text);
        } else if self.failure.is_none() {
            let fatal = (code == FATAL).then(|| errors::fatal_of(self.client.as_ptr())).flatten();
            self.failure = Some(fatal.unwrap_or_else(|| KafkaError::new(kind_of(code), text)));
        }
    }

    /// Whether the client mends it by itself, or tells it in another way: a member that was silent for too long is told that its
    /// partitions are lost.
    fn is_transient(&self, code: i32) -> bool {
        matches!(kind_of(code), KafkaErrorKind::Retriable | KafkaErrorKind::Timeout)
            || code == MAX_POLL_EXCEEDED
            || (code == GROUP_DENIED && !self.member)
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        // SAFETY: the reference that `new` got; the client is still alive.
        unsafe { bindings::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}
