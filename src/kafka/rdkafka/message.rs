//! A consumed message of the C client, destroyed on drop.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use rdkafka::bindings::{self, rd_kafka_message_t, rd_kafka_topic_t};

use super::headers;
use super::native::Native;
use crate::record::{Headers, Timestamp};

/// A consumed message; its bytes live in librdkafka's fetch buffer until it is dropped.
#[derive(Debug)]
pub struct Message {
    message: NonNull<rd_kafka_message_t>,
    /// A message cannot be freed once its client is destroyed, so it keeps the client.
    _client: Arc<Native>,
}

// SAFETY: a message is owned by whoever holds the pointer, and librdkafka's reference counts are atomic.
unsafe impl Send for Message {}

impl Message {
    /// Takes over a message.
    ///
    /// SAFETY: it came out of this client, and nobody else frees it.
    pub(super) unsafe fn from_raw(message: NonNull<rd_kafka_message_t>, client: Arc<Native>) -> Self {
        Self { message, _client: client }
    }

    fn raw(&self) -> &rd_kafka_message_t {
        // SAFETY: the message is alive until drop.
        unsafe { self.message.as_ref() }
    }

    /// Key bytes.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: the key lives and stays where it is as long as the message.
        unsafe { slice(self.raw().key, self.raw().key_len) }
    }

    /// Value bytes.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: as for the key.
        unsafe { slice(self.raw().payload, self.raw().len) }
    }

    /// Headers; parsed by each call, so the bytes of a message whose headers nobody wants are never looked at.
    pub fn headers(&self) -> Headers {
        // SAFETY: the message is alive.
        unsafe { headers::of_message(self.message.as_ptr()) }
    }

    /// The error in place of a record, 0 for a record; read as a number, since a broker may send any.
    pub(super) fn error(&self) -> i32 {
        // SAFETY: the field is alive and has this width.
        unsafe { (&raw const self.raw().err).cast::<i32>().read() }
    }

    /// What the client says about the error.
    pub(super) fn error_text(&self) -> String {
        // SAFETY: the message is alive, and so is the string while it is.
        unsafe { super::errors::text(bindings::rd_kafka_message_errstr(self.message.as_ptr())) }
    }

    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    pub(super) fn partition(&self) -> i32 {
        self.raw().partition
    }

    /// The client's handle of the topic; null for an error of the whole client.
    pub(super) fn topic(&self) -> *mut rd_kafka_topic_t {
        self.raw().rkt
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        // SAFETY: the message is alive, and the type of the time is not asked for.
        Timestamp::from_millis(unsafe { bindings::rd_kafka_message_timestamp(self.message.as_ptr(), std::ptr::null_mut()) })
    }
}

/// SAFETY: `data` is null or points to `len` bytes that live as long as `'a`.
unsafe fn slice<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: this is the only owner, and the client is still alive.
        unsafe { bindings::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}
