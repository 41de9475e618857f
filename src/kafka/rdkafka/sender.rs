//! A producer for many threads at once, which tells of each record what became of it. Not the stream threads' producer: that one
//! reports failures only, and is a single caller's.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_message_t, rd_kafka_resp_err_t as Code, rd_kafka_t, rd_kafka_topic_t, rd_kafka_vtype_t as Type,
    rd_kafka_vu_s__bindgen_ty_1 as Value,
};

use super::config::Settings;
use super::destinations::ProducingClient;
use super::errors::{Flagged, fatal_of, from_code};
use super::headers::OutgoingHeaders;
use super::native::{Native, Role};
use super::producer::{delivery_code, field, memory, timestamp_of, undelivered};
use super::timeout_millis;
use crate::kafka::{KafkaError, KafkaErrorKind, Outgoing, Receipt, Sender, SenderSettings};

/// How long an ended sender waits for records that it has just given up to be told.
const TELL_WITHIN: Duration = Duration::from_secs(1);

/// The client, and the handles of the topics that it was made for.
#[derive(Debug)]
pub(super) struct RdSender {
    /// Few; found by name.
    topics: Vec<(Arc<str>, NonNull<rd_kafka_topic_t>)>,
    client: ProducingClient,
}

// SAFETY: the C client and its handles may be used from any thread at once; the rest does not change after it was made.
unsafe impl Send for RdSender {}
// SAFETY: as above.
unsafe impl Sync for RdSender {}

impl RdSender {
    pub(super) fn new(
        bootstrap_servers: &str,
        user: &BTreeMap<String, String>,
        settings: &SenderSettings,
    ) -> Result<Self, KafkaError> {
        let properties = Settings::sender(bootstrap_servers, settings);
        let mut client = ProducingClient::new(Native::new(Role::Sender, &properties, user, &settings.client_id)?);
        let handle = |name: &Arc<str>| Ok((Arc::clone(name), client.topic(name)?));
        let topics = settings.topics.iter().map(handle).collect::<Result<_, KafkaError>>()?;
        Ok(Self { topics, client })
    }

    fn rk(&self) -> *mut rd_kafka_t {
        self.client.native().as_ptr()
    }

    fn topic(&self, name: &str) -> Result<NonNull<rd_kafka_topic_t>, KafkaError> {
        let found = self.topics.iter().find(|(known, _)| &**known == name);
        found
            .map(|(_, topic)| *topic)
            .ok_or_else(|| KafkaError::new(KafkaErrorKind::UnknownTopic, format!("this sender was not made for topic {name}")))
    }
}

impl Sender for RdSender {
    fn send(&self, record: &Outgoing<'_>, receipt: &Arc<Receipt>) -> Result<(), KafkaError> {
        let timestamp = timestamp_of(record)?;
        let topic = self.topic(record.topic)?;
        let headers = OutgoingHeaders::new(record.headers);
        receipt.expect_one();
        let opaque = Arc::into_raw(Arc::clone(receipt));
        let vector = [
            field(Type::RD_KAFKA_VTYPE_RKT, Value { rkt: topic.as_ptr() }),
            field(Type::RD_KAFKA_VTYPE_PARTITION, Value { i32_: record.partition }),
            field(Type::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: timestamp }),
            field(Type::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque.cast_mut().cast::<c_void>() }),
            field(Type::RD_KAFKA_VTYPE_KEY, memory(record.key.map(|key| (key.as_ptr(), key.len())))),
            field(Type::RD_KAFKA_VTYPE_VALUE, memory(record.value.map(|value| (value.as_ptr(), value.len())))),
            field(Type::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: bindings::RD_KAFKA_MSG_F_COPY }),
            field(
                Type::RD_KAFKA_VTYPE_HEADERS,
                Value { headers: headers.as_ref().map_or(ptr::null_mut(), OutgoingHeaders::as_ptr) },
            ),
        ];
        // SAFETY: client, topic handle and headers are alive, key and value are copied. The opaque is a reference to the receipt
        // of its own, which the delivery callback takes back, once for each record that is taken.
        let refused = unsafe { Flagged::take(bindings::rd_kafka_produceva(self.rk(), vector.as_ptr(), vector.len())) };
        let Some(error) = refused else {
            if let Some(headers) = headers {
                headers.taken();
            }
            return Ok(());
        };
        // SAFETY: a record that was not taken has no callback, so the reference is still ours.
        drop(unsafe { Arc::from_raw(opaque) });
        receipt.settle(Ok(()));
        Err(error.plain(&format!("sending to {}", record.topic)))
    }

    fn serve(&self, wait: Duration) {
        // SAFETY: the client is alive; callbacks run within the call.
        unsafe { bindings::rd_kafka_poll(self.rk(), timeout_millis(wait)) };
    }

    fn flush(&self, timeout: Duration) -> Result<(), KafkaError> {
        drain(self.rk(), timeout)
    }

    fn failure(&self) -> Option<KafkaError> {
        fatal_of(self.rk())
    }
}

impl Drop for RdSender {
    /// Whoever still waits for a receipt is told that its records were given up.
    fn drop(&mut self) {
        let all = bindings::RD_KAFKA_PURGE_F_QUEUE | bindings::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is alive.
        unsafe { bindings::rd_kafka_purge(self.rk(), all) };
        drop(drain(self.rk(), TELL_WITHIN));
    }
}

/// Waits until nothing is queued or under way. What became of single records is told to their receipts.
fn drain(rk: *mut rd_kafka_t, timeout: Duration) -> Result<(), KafkaError> {
    // SAFETY: the caller's client is alive; delivery callbacks run within the call.
    match unsafe { bindings::rd_kafka_flush(rk, timeout_millis(timeout)) } {
        Code::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        Code::RD_KAFKA_RESP_ERR__TIMED_OUT => {
            Err(KafkaError::new(KafkaErrorKind::Timeout, "flushing: not all records were acknowledged in time"))
        }
        code => Err(from_code(code as i32, "flushing")),
    }
}

/// Tells a record's receipt what became of it.
///
/// SAFETY: as the C client calls it, once for each record that it took, with the opaque that [`RdSender::send`] gave.
pub(super) unsafe extern "C" fn on_delivery(_rk: *mut rd_kafka_t, message: *const rd_kafka_message_t, _opaque: *mut c_void) {
    // SAFETY: the message is alive during the call.
    unsafe {
        let receipt = Arc::from_raw((*message)._private.cast::<Receipt>().cast_const());
        receipt.settle(match delivery_code(message) {
            0 => Ok(()),
            code => Err(undelivered(message, code)),
        });
    }
}
