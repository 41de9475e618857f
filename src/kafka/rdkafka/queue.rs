//! Queues of the C client: of our own, for the answers to one request, and those of a consumer's arrivals and a producer's reports.

use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_event_t, rd_kafka_queue_t};

use super::native::Native;
use super::timeout_millis;

/// A queue; destroyed on drop, whatever may still arrive there.
#[derive(Debug)]
pub(super) struct Queue(NonNull<rd_kafka_queue_t>);

impl Queue {
    pub(super) fn new(client: &Native) -> Self {
        // SAFETY: the client is alive.
        let queue = unsafe { bindings::rd_kafka_queue_new(client.as_ptr()) };
        Self(NonNull::new(queue).expect("the C client aborts rather than return null"))
    }

    /// The queue to which a producer's client reports; another reference to it.
    pub(super) fn of_reports(client: &Native) -> Self {
        // SAFETY: the client is alive.
        let queue = unsafe { bindings::rd_kafka_queue_get_main(client.as_ptr()) };
        Self(NonNull::new(queue).expect("every client has one"))
    }

    /// The queue of a client that is made to consume; another reference to it.
    pub(super) fn of_consumer(client: &Native) -> Self {
        // SAFETY: the client is alive.
        let queue = unsafe { bindings::rd_kafka_queue_get_consumer(client.as_ptr()) };
        Self(NonNull::new(queue).expect("a consumer with a group's name has one"))
    }

    pub(super) fn as_ptr(&self) -> *mut rd_kafka_queue_t {
        self.0.as_ptr()
    }

    /// The next event, if one comes in time.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive, and the event is given to us.
        NonNull::new(unsafe { bindings::rd_kafka_queue_poll(self.as_ptr(), timeout_millis(timeout)) }).map(Event)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: nobody else has this reference.
        unsafe { bindings::rd_kafka_queue_destroy(self.as_ptr()) }
    }
}

/// An event; destroyed on drop, with everything that was read from it.
#[derive(Debug)]
pub(super) struct Event(NonNull<rd_kafka_event_t>);

impl Event {
    pub(super) fn as_ptr(&self) -> *mut rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: nobody else frees it.
        unsafe { bindings::rd_kafka_event_destroy(self.as_ptr()) }
    }
}
