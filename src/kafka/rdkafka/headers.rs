//! Headers of records, between the C client's form and ours.

use std::ffi::{c_char, c_void};
use std::ptr::{self, NonNull};

use bytes::Bytes;
use rdkafka::bindings::{self, rd_kafka_headers_t, rd_kafka_message_t, rd_kafka_resp_err_t as Code};

use crate::record::{Header, Headers};

/// The headers of a consumed message; bytes that are no headers are none.
///
/// SAFETY: the message is alive.
pub(super) unsafe fn of_message(message: *const rd_kafka_message_t) -> Headers {
    let mut headers = ptr::null_mut();
    // SAFETY: the message is alive, and owns the headers that it hands out.
    if unsafe { bindings::rd_kafka_message_headers(message, &raw mut headers) } != Code::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Headers::new();
    }
    // SAFETY: as above.
    (0..).map_while(|index| unsafe { header_at(headers, index) }).collect()
}

/// SAFETY: the headers are alive.
unsafe fn header_at(headers: *const rd_kafka_headers_t, index: usize) -> Option<Header> {
    let (mut name, mut value, mut size) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0_usize);
    // SAFETY: an index behind the last is answered by an error; else name and value point into the headers.
    unsafe {
        let code = bindings::rd_kafka_header_get_all(headers, index, &raw mut name, &raw mut value, &raw mut size);
        (code == Code::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| Header {
            key: super::errors::text(name).into_boxed_str(),
            value: (!value.is_null()).then(|| Bytes::copy_from_slice(std::slice::from_raw_parts(value.cast(), size))),
        })
    }
}

/// Headers on their way out: freed on drop, unless the client has taken them.
#[derive(Debug)]
pub(super) struct OutgoingHeaders(NonNull<rd_kafka_headers_t>);

impl OutgoingHeaders {
    /// `None` if there are none.
    pub(super) fn new(headers: &Headers) -> Option<Self> {
        if headers.is_empty() {
            return None;
        }
        // SAFETY: names and values are copied, each of the length that is given; a null value is Kafka's null.
        unsafe {
            let list = NonNull::new(bindings::rd_kafka_headers_new(headers.iter().len()))?;
            for header in headers {
                let (value, size) = match &header.value {
                    Some(value) => (value.as_ptr().cast(), value.len()),
                    None => (ptr::null(), 0),
                };
                let name_size = header.key.len().cast_signed();
                bindings::rd_kafka_header_add(list.as_ptr(), header.key.as_ptr().cast(), name_size, value, size.cast_signed());
            }
            Some(Self(list))
        }
    }

    pub(super) fn as_ptr(&self) -> *mut rd_kafka_headers_t {
        self.0.as_ptr()
    }

    /// The client owns them now.
    pub(super) fn taken(self) {
        std::mem::forget(self);
    }
}

impl Drop for OutgoingHeaders {
    fn drop(&mut self) {
        // SAFETY: nobody else frees them.
        unsafe { bindings::rd_kafka_headers_destroy(self.0.as_ptr()) }
    }
}
