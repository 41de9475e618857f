//! One administrative request: options, submission, a bounded wait for the answer, and again while the cluster says "later".

use std::ffi::c_char;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_AdminOptions_t, rd_kafka_admin_op_t as Op, rd_kafka_event_t, rd_kafka_queue_t, rd_kafka_t,
};

use crate::kafka::rdkafka::deadline::Deadline;
use crate::kafka::rdkafka::errors::{Flagged, event_code, from_code, text};
use crate::kafka::rdkafka::native::Native;
use crate::kafka::rdkafka::patience::again_while;
use crate::kafka::rdkafka::queue::Queue;
use crate::kafka::{KafkaError, KafkaErrorKind};

/// The client gives up a little before we do, since its word says why.
const GRACE: Duration = Duration::from_millis(500);

/// Options of a request; freed on drop.
#[derive(Debug)]
pub(super) struct Options(NonNull<rd_kafka_AdminOptions_t>);

impl Options {
    fn new(client: &Native, op: Op, deadline: &Deadline) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive.
        let options = unsafe { bindings::rd_kafka_AdminOptions_new(client.as_ptr(), op) };
        let options = Self(NonNull::new(options).expect("every operation has options"));
        let mut error: [c_char; 256] = [0; 256];
        // SAFETY: the options are alive, and the buffer as large as said.
        let code = unsafe {
            let (error, size) = (error.as_mut_ptr(), error.len());
            bindings::rd_kafka_AdminOptions_set_request_timeout(options.as_ptr(), deadline.millis().max(1), error, size)
        };
        // SAFETY: the buffer is zeroed or holds a string.
        let why = unsafe { text(error.as_ptr()) };
        crate::kafka::rdkafka::errors::check(code, &why)?;
        Ok(options)
    }

    pub(super) fn as_ptr(&self) -> *mut rd_kafka_AdminOptions_t {
        self.0.as_ptr()
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: nobody else frees them.
        unsafe { bindings::rd_kafka_AdminOptions_destroy(self.as_ptr()) }
    }
}

/// Who asks what, until when.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) client: &'a Native,
    pub(super) op: Op,
    pub(super) doing: &'a str,
    pub(super) deadline: Deadline,
}

impl<'a> Request<'a> {
    pub(super) fn new(client: &'a Native, op: Op, doing: &'a str, timeout: Duration) -> Self {
        Self { client, op, doing, deadline: Deadline::after(timeout) }
    }

    /// Sends it and reads the answer, again while the answer is retriable and time is left.
    ///
    /// `submit` gets the client, the options and the queue for the answer, all alive during the call. `read` gets the answer,
    /// which is alive during the call.
    pub(super) fn run<R>(
        &self,
        configure: impl Fn(&Options) -> Option<Flagged>,
        submit: impl Fn(*mut rd_kafka_t, *const rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
        read: impl Fn(*mut rd_kafka_event_t) -> Result<R, KafkaError>,
    ) -> Result<R, KafkaError> {
        let queue = Queue::new(self.client);
        again_while(KafkaErrorKind::Retriable, self.client, &self.deadline, || self.once(&queue, &configure, &submit, &read))
    }

    fn once<R>(
        &self,
        queue: &Queue,
        configure: &impl Fn(&Options) -> Option<Flagged>,
        submit: &impl Fn(*mut rd_kafka_t, *const rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
        read: &impl Fn(*mut rd_kafka_event_t) -> Result<R, KafkaError>,
    ) -> Result<R, KafkaError> {
        let options = Options::new(self.client, self.op, &self.deadline)?;
        if let Some(error) = configure(&options) {
            return Err(error.plain(self.doing));
        }
        submit(self.client.as_ptr(), options.as_ptr(), queue.as_ptr());
        let Some(answer) = queue.poll(self.deadline.remaining().saturating_add(GRACE)) else {
            return Err(KafkaError::new(KafkaErrorKind::Timeout, format!("{}: no answer in time", self.doing)));
        };
        // SAFETY: the answer is alive.
        let code = unsafe { event_code(answer.as_ptr()) };
        if code != 0 {
            // SAFETY: as above.
            let why = unsafe { text(bindings::rd_kafka_event_error_string(answer.as_ptr())) };
            let error = from_code(code, self.doing);
            return Err(KafkaError::new(error.kind, format!("{}: {why}", self.doing)));
        }
        read(answer.as_ptr())
    }
}

/// Nothing beside the timeout.
pub(super) fn no_options(_options: &Options) -> Option<Flagged> {
    None
}

/// The elements of an array of pointers that the client owns.
///
/// SAFETY: `array` points to `count` pointers that live for `'a`, or `count` is 0.
pub(super) unsafe fn pointers<'a, T>(array: *const *const T, count: usize) -> &'a [*const T] {
    // SAFETY: promised by the caller.
    if array.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(array, count) } }
}
