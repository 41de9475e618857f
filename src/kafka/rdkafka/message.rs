//! A consumed message of the C client, destroyed on drop.

use std::ptr::NonNull;

use rdkafka::bindings::{rd_kafka_message_destroy, rd_kafka_message_t};

use crate::record::Headers;

/// A consumed message; its bytes live in librdkafka's fetch buffer until it is dropped.
#[derive(Debug)]
pub struct Message(NonNull<rd_kafka_message_t>);

// SAFETY: a message is owned by whoever holds the pointer, and librdkafka's reference counts are atomic.
unsafe impl Send for Message {}

impl Message {
    /// Key bytes.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive until drop, and its key does not move.
        unsafe { slice(self.0.as_ref().key, self.0.as_ref().key_len) }
    }

    /// Value bytes.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: as for the key.
        unsafe { slice(self.0.as_ref().payload, self.0.as_ref().len) }
    }

    /// Headers.
    pub fn headers(&self) -> Headers {
        Headers::new()
    }
}

/// SAFETY: `data` is null or points to `len` bytes that live as long as `'a`.
unsafe fn slice<'a>(data: *const std::ffi::c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: promised by the caller.
    (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: this is the only owner.
        unsafe { rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}
