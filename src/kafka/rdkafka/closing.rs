//! How a member leaves its group: within its time, whether or not the C client comes back from its calls.
//!
//! A client waits for an answer to each rebalance that it tells. When it closes it tells one more, ends at the first answer, and
//! never returns from a second one (librdkafka 2.12: the end throws away what waits in the group's queue, a caller's request among
//! it). So what it has told is heard and answered before it is closed. It may tell more just then, which no order of calls rules out:
//! so the calls are made where nobody waits for them without a limit.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::bindings;

use super::deadline::Deadline;
use super::ending::within;
use super::errors::Flagged;
use super::native::Native;
use super::partitions::PartitionList;
use super::queue::Queue;
use crate::kafka::{KafkaError, KafkaErrorKind, Rebalance};

/// How long one look at a closing member takes.
const STEP: Duration = Duration::from_millis(50);
/// How much longer than it should take a close is waited for: it says itself that the group did not let go.
const GRACE: Duration = Duration::from_millis(500);

/// Leaves the group, once these rebalances are answered. The caller makes no other call of the client from here on.
pub(super) fn close(client: Arc<Native>, unanswered: Vec<Rebalance>, timeout: Duration) -> Result<(), KafkaError> {
    let deadline = Deadline::after(timeout);
    let closed = within(timeout + GRACE, move || leave(&client, unanswered, &deadline));
    closed.unwrap_or_else(|| Err(KafkaError::new(KafkaErrorKind::Timeout, "closing a consumer: the client does not come back")))
}

fn leave(client: &Native, mut unanswered: Vec<Rebalance>, deadline: &Deadline) -> Result<(), KafkaError> {
    hear_out(client, deadline, &mut unanswered);
    client.context().closing.store(true, Ordering::Release);
    for rebalance in &unanswered {
        answer_with_nothing(client, rebalance);
    }
    let queue = Queue::new(client);
    // SAFETY: the client is alive, and so is the queue, until the client has closed or does no more than end.
    let failed = unsafe { Flagged::take(bindings::rd_kafka_consumer_close_queue(client.as_ptr(), queue.as_ptr())) };
    if let Some(error) = failed {
        // A member that was fenced has nothing to leave, and takes this for any answer.
        tracing::debug!(client = client.context().client_id, error = error.text, "closing a consumer that has failed");
        // SAFETY: the client is alive, and not ending.
        unsafe { bindings::rd_kafka_assign(client.as_ptr(), ptr::null()) };
        return Ok(());
    }
    // SAFETY: the client is alive.
    while unsafe { bindings::rd_kafka_consumer_closed(client.as_ptr()) } == 0 {
        if deadline.has_passed() {
            return Err(KafkaError::new(KafkaErrorKind::Timeout, "closing a consumer: the group did not let go in time"));
        }
        discard_arrivals(&queue, deadline.millis_at_most(STEP));
    }
    Ok(())
}

/// Assigns nothing more, or gives back what was asked for.
fn answer_with_nothing(client: &Native, rebalance: &Rebalance) {
    let (gives_back, partitions) = match rebalance {
        Rebalance::Assign(_) => (false, &[][..]),
        Rebalance::Revoke(partitions) | Rebalance::Lost(partitions) => (true, partitions.as_slice()),
    };
    let Ok(list) = PartitionList::of(partitions) else { return };
    // SAFETY: client and list are alive; the list is copied. An answer that the client does not wait for any more is an error
    // of no interest.
    drop(unsafe {
        Flagged::take(if gives_back {
            bindings::rd_kafka_incremental_unassign(client.as_ptr(), list.as_ptr())
        } else {
            bindings::rd_kafka_incremental_assign(client.as_ptr(), list.as_ptr())
        })
    });
}

/// Has told what waits to be told.
fn hear_out(client: &Native, deadline: &Deadline, told: &mut Vec<Rebalance>) {
    let queue = Queue::of_consumer(client);
    // For the callback: the fetcher's may be gone by then.
    client.context().queue.store(queue.as_ptr(), Ordering::Release);
    loop {
        let arrived = discard_arrivals(&queue, 0);
        let before = told.len();
        told.append(&mut client.context().rebalances.lock().expect("no panic while the lock is held"));
        // A rebalance ends the call early.
        if (arrived == 0 && told.len() == before) || deadline.has_passed() {
            return;
        }
    }
}

/// Serves a member's queue: rebalances by the callback, records by throwing them away; how many of those there were.
fn discard_arrivals(queue: &Queue, wait_millis: i32) -> usize {
    let mut arrived = [ptr::null_mut(); 64];
    // SAFETY: the queue is alive, the array as large as said, and as many messages as the call returns are ours to free.
    unsafe {
        let count = bindings::rd_kafka_consume_batch_queue(queue.as_ptr(), wait_millis, arrived.as_mut_ptr(), arrived.len());
        let count = usize::try_from(count).unwrap_or(0);
        for message in &arrived[..count] {
            bindings::rd_kafka_message_destroy(*message);
        }
        count
    }
}
