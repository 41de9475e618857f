//! Keeps count of a transaction's requests to coordinators, to tell whether its outcome can be trusted.
//!
//! librdkafka sends `EndTxn` again inside a commit when the first one got no answer, with the same epoch, and then reports plain
//! success. The first one may still be under way and end a *later* transaction. Interceptors show what statistics tell too late.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};

use rdkafka::bindings::{
    rd_kafka_conf_t, rd_kafka_interceptor_add_on_acknowledgement, rd_kafka_interceptor_add_on_request_sent,
    rd_kafka_interceptor_add_on_response_received, rd_kafka_message_t, rd_kafka_resp_err_t as Code, rd_kafka_t,
};

const NAME: &std::ffi::CStr = c"highwater";

/// The requests that change a transaction at its coordinator: `AddPartitionsToTxn`, `AddOffsetsToTxn`, `EndTxn`,
/// `TxnOffsetCommit`.
const WATCHED_API_KEYS: [i16; 4] = [24, 25, 26, 28];

/// Requests sent and not answered; and whether one ever stayed without its answer.
#[derive(Debug, Default)]
pub(super) struct Watch {
    unanswered: AtomicI32,
    lost: AtomicBool,
}

impl Watch {
    /// Whether a request is under way or was given up. Stays true: only a new epoch fences what was lost.
    pub(super) fn is_doubtful(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.unanswered.load(Ordering::Acquire) > 0
    }

    fn sent(&self) {
        self.unanswered.fetch_add(1, Ordering::AcqRel);
    }

    /// An answer, or the client's giving up. One that was never sent can do no harm.
    fn ended(&self, answered: bool) {
        let taken = self
            .unanswered
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |unanswered| (unanswered > 0).then(|| unanswered - 1));
        if taken.is_ok() && !answered {
            self.lost.store(true, Ordering::Release);
        }
    }
}

thread_local! {
    /// Whether this thread sends requests. The client reports an answer twice: first on the thread of the connection, which
    /// also sent the request, then on its main thread; only the first counts.
    static SENDS: Cell<bool> = const { Cell::new(false) };
}

/// Installs the interceptors in a client that is being made; the opaque is its [`Watch`].
///
/// SAFETY: as the C client calls it.
pub(super) unsafe extern "C" fn on_new(
    rk: *mut rd_kafka_t,
    _conf: *const rd_kafka_conf_t,
    watch: *mut c_void,
    _error: *mut c_char,
    _error_size: usize,
) -> Code {
    // SAFETY: the handle is being made, which is the only time that interceptors may be added; the functions are `'static`, and
    // the watch outlives the client.
    unsafe {
        rd_kafka_interceptor_add_on_acknowledgement(rk, NAME.as_ptr(), Some(on_acknowledgement), watch);
        rd_kafka_interceptor_add_on_request_sent(rk, NAME.as_ptr(), Some(on_request_sent), watch);
        rd_kafka_interceptor_add_on_response_received(rk, NAME.as_ptr(), Some(on_response_received), watch)
    }
}

/// SAFETY: as the C client calls it.
unsafe extern "C" fn on_acknowledgement(_rk: *mut rd_kafka_t, message: *mut rd_kafka_message_t, _watch: *mut c_void) -> Code {
    // SAFETY: the message is alive during the call. Its opaque is null or a position that lives as long as the producer. The
    // error is read as a number, since a broker may send any.
    unsafe {
        let position = (*message)._private.cast::<AtomicI64>();
        let error = (&raw const (*message).err).cast::<i32>().read();
        if !position.is_null() && error == 0 && (*message).offset >= 0 {
            (*position).fetch_max((*message).offset + 1, Ordering::Release);
        }
    }
    Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// SAFETY: as the C client calls it, with the watch as opaque.
unsafe extern "C" fn on_request_sent(
    _rk: *mut rd_kafka_t,
    _socket: c_int,
    _broker_name: *const c_char,
    _broker_id: i32,
    api_key: i16,
    _api_version: i16,
    _correlation_id: i32,
    _size: usize,
    watch: *mut c_void,
) -> Code {
    if WATCHED_API_KEYS.contains(&api_key) {
        SENDS.set(true);
        // SAFETY: the watch outlives the client.
        unsafe { &*watch.cast::<Watch>() }.sent();
    }
    Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// SAFETY: as the C client calls it, with the watch as opaque.
unsafe extern "C" fn on_response_received(
    _rk: *mut rd_kafka_t,
    _socket: c_int,
    _broker_name: *const c_char,
    _broker_id: i32,
    api_key: i16,
    _api_version: i16,
    _correlation_id: i32,
    _size: usize,
    _round_trip_micros: i64,
    error: Code,
    watch: *mut c_void,
) -> Code {
    if WATCHED_API_KEYS.contains(&api_key) && SENDS.get() {
        // SAFETY: the watch outlives the client.
        unsafe { &*watch.cast::<Watch>() }.ended(error == Code::RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    Code::RD_KAFKA_RESP_ERR_NO_ERROR
}

#[cfg(test)]
mod tests {
    use super::Watch;

    #[test]
    fn doubt_is_a_sent_request_without_an_answer_and_stays() {
        let watch = Watch::default();
        assert!(!watch.is_doubtful(), "nothing was sent");
        watch.ended(false);
        assert!(!watch.is_doubtful(), "what failed was never sent");
        watch.sent();
        assert!(watch.is_doubtful(), "under way");
        watch.ended(true);
        assert!(!watch.is_doubtful(), "answered, whatever the answer says");
        watch.sent();
        watch.ended(false);
        assert!(watch.is_doubtful(), "given up");
        watch.sent();
        watch.ended(true);
        assert!(watch.is_doubtful(), "a later success does not undo it");
    }
}
