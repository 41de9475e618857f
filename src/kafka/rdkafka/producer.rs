//! A producer, transactional or not. Values go out from an arena, and a commit waits for acknowledgements without looking at the clock.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_error_t, rd_kafka_message_t, rd_kafka_resp_err_t as Code, rd_kafka_t, rd_kafka_vtype_t as Type, rd_kafka_vu_s,
    rd_kafka_vu_s__bindgen_ty_1 as Value, rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 as Memory,
};

use super::arena::Arena;
use super::config::Settings;
use super::context::Context;
use super::deadline::Deadline;
use super::destinations::ProducingClient;
use super::errors::{Flagged, from_code, kind_of, text};
use super::group::RdGroupMetadata;
use super::headers::OutgoingHeaders;
use super::native::{Native, Role};
use super::partitions::PartitionList;
use super::queue::{Event, Queue};
use crate::kafka::{CommittedOffset, GroupMetadata, KafkaError, KafkaErrorKind, Outgoing, Producer, ProducerSettings};
use crate::record::TopicPartition;

/// How long a flush, or an abort, waits before reports of records that failed are taken out of its way. Each step wakes all threads of
/// the client, so short ones would burn more than they wait.
const STEP: Duration = Duration::from_millis(100);
/// How long a send waits at a time for room in the queue.
const QUEUE_FULL_STEP: Duration = Duration::from_millis(5);

const QUEUE_FULL: i32 = Code::RD_KAFKA_RESP_ERR__QUEUE_FULL as i32;

/// The producer's client. Fields are dropped in this order: the arena after the client that points into it.
#[derive(Debug)]
pub(super) struct RdProducer {
    client: ProducingClient,
    arena: Arena,
    recipe: Recipe,
    transactional: bool,
    /// The first record that could not be delivered since the last flush, commit or abort.
    first_failure: Option<KafkaError>,
    /// A record of this transaction was not delivered, which left a gap in the sequence that the broker expects.
    has_gap: bool,
}

/// What a client is made from.
#[derive(Debug)]
struct Recipe {
    settings: Settings,
    user: BTreeMap<String, String>,
    client_id: String,
}

impl Recipe {
    fn make(&self) -> Result<ProducingClient, KafkaError> {
        Ok(ProducingClient::new(Native::new(Role::Producer, &self.settings, &self.user, &self.client_id)?))
    }
}

impl RdProducer {
    pub(super) fn new(
        bootstrap_servers: &str,
        user: &BTreeMap<String, String>,
        settings: &ProducerSettings,
    ) -> Result<Self, KafkaError> {
        let recipe = Recipe {
            settings: Settings::producer(bootstrap_servers, settings),
            user: user.clone(),
            client_id: settings.client_id.clone(),
        };
        Ok(Self {
            client: recipe.make()?,
            recipe,
            first_failure: None,
            has_gap: false,
            arena: Arena::new(settings.queue_max_bytes),
            transactional: settings.transactional_id.is_some(),
        })
    }

    fn rk(&self) -> *mut rd_kafka_t {
        self.client.native().as_ptr()
    }

    fn context(&self) -> &Context {
        self.client.native().context()
    }

    /// Waits until nothing is queued or under way. Failures of single records are the caller's to look up.
    fn drain(&mut self, deadline: &Deadline) -> Result<(), KafkaError> {
        loop {
            if self.is_idle() {
                return Ok(());
            }
            // SAFETY: the client is alive.
            let code = unsafe { bindings::rd_kafka_flush(self.rk(), deadline.millis_at_most(STEP)) };
            if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(());
            }
            self.read_reports(Duration::ZERO);
            if code != Code::RD_KAFKA_RESP_ERR__TIMED_OUT {
                return Err(from_code(code as i32, "flushing"));
            }
            if deadline.has_passed() {
                return Err(KafkaError::new(KafkaErrorKind::Timeout, "flushing: not all records were acknowledged in time"));
            }
        }
    }

    fn take_failure(&mut self) -> Option<KafkaError> {
        self.read_reports(Duration::ZERO);
        let failure = self.first_failure.take();
        self.has_gap |= failure.is_some();
        failure
    }

    /// Goes on with a new client of the same id. The broker would refuse the old one's next record, and its next transaction.
    fn replace_client(&mut self, deadline: &Deadline) -> Result<(), KafkaError> {
        self.client = self.recipe.make()?;
        self.arena.reset();
        self.has_gap = false;
        self.init_transactions(deadline.remaining())
    }

    /// Where a value is while it is under way, and how the client is told. A transaction's values stay in the arena until it
    /// ends; without transactions there may never be a moment at which nothing is under way, so the client copies.
    fn place(&mut self, value: Option<&[u8]>) -> (Option<(*const u8, usize)>, i32) {
        match value {
            None => (None, 0),
            Some(value) if self.transactional => (Some((self.arena.copy(value), value.len())), 0),
            Some(value) => (Some((value.as_ptr(), value.len())), bindings::RD_KAFKA_MSG_F_COPY),
        }
    }

    /// Whether no record is queued or under way, and no report waits.
    fn is_idle(&self) -> bool {
        // SAFETY: the client is alive.
        unsafe { bindings::rd_kafka_outq_len(self.rk()) == 0 }
    }

    /// Takes reports out of the client's queue, which counts their records as under way until then. Only failures are reported; other
    /// errors that wait there are told to their callback.
    ///
    /// Waits so long for the first.
    fn read_reports(&mut self, mut wait: Duration) {
        let reports = Queue::of_reports(self.client.native());
        while let Some(report) = reports.poll(wait) {
            wait = Duration::ZERO;
            // SAFETY: the report is alive, and is one of deliveries: no other event is asked for.
            let failure = unsafe { first_failure(&report) };
            self.first_failure = self.first_failure.take().or(failure);
        }
    }

    /// Records can be forgotten once none is queued or under way.
    fn recycle(&mut self) {
        self.read_reports(Duration::ZERO);
        if self.is_idle() {
            self.arena.reset();
        }
    }

    /// Queues once; `None` if the queue is full.
    fn try_produce(&self, vector: &[rd_kafka_vu_s], topic: &str) -> Option<Result<(), KafkaError>> {
        // SAFETY: client, topic handle and headers are alive; the key is copied, and the value is too or lies in the arena, which
        // is reset only when nothing is queued or under way, and freed only after the client is destroyed.
        let error = unsafe { Flagged::take(bindings::rd_kafka_produceva(self.rk(), vector.as_ptr(), vector.len())) };
        match error {
            None => Some(Ok(())),
            Some(error) if error.code == QUEUE_FULL => None,
            Some(error) => Some(Err(self.refused(&error, topic))),
        }
    }

    fn refused(&self, error: &Flagged, topic: &str) -> KafkaError {
        let doing = format!("sending to {topic}");
        match kind_of(error.code) {
            KafkaErrorKind::RecordRefused => error.plain(&doing),
            _ if self.transactional => match error.code {
                // A transaction that has failed refuses further records until it is aborted.
                code if code == Code::RD_KAFKA_RESP_ERR__STATE as i32 => {
                    KafkaError::new(KafkaErrorKind::Abortable, format!("{doing}: {}", error.text))
                }
                _ => match error.plain(&doing) {
                    plain if matches!(plain.kind, KafkaErrorKind::Retriable | KafkaErrorKind::Timeout) => {
                        KafkaError::new(KafkaErrorKind::Abortable, plain.message)
                    }
                    plain => plain,
                },
            },
            _ => error.plain(&doing),
        }
    }
}

/// The value of one field of a record, for the C client.
pub(super) fn field(vtype: Type, value: Value) -> rd_kafka_vu_s {
    rd_kafka_vu_s { vtype, u: value }
}

pub(super) fn memory(bytes: Option<(*const u8, usize)>) -> Value {
    let (pointer, size) = bytes.unwrap_or((ptr::null(), 0));
    Value { mem: Memory { ptr: pointer.cast_mut().cast::<c_void>(), size } }
}

/// The C client stamps records of time 0 with the current time, so they go out a millisecond later; times before 1970 are no
/// times to Kafka.
pub(super) fn timestamp_of(record: &Outgoing<'_>) -> Result<i64, KafkaError> {
    let millis = record.timestamp.as_millis();
    if millis < 0 {
        let message = format!("sending to {}: {millis} ms is before 1970, which Kafka cannot store", record.topic);
        return Err(KafkaError::new(KafkaErrorKind::RecordRefused, message));
    }
    Ok(millis.max(1))
}

impl Producer for RdProducer {
    fn init_transactions(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        let deadline = Deadline::after(timeout);
        loop {
            // SAFETY: the client is alive.
            let error = unsafe { Flagged::take(bindings::rd_kafka_init_transactions(self.rk(), deadline.millis())) };
            match error {
                None => return Ok(()),
                Some(error) => {
                    let error = error.transactional("starting a transactional producer");
                    if error.kind != KafkaErrorKind::Retriable || deadline.has_passed() {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn begin(&mut self) -> Result<(), KafkaError> {
        self.client.destinations.forget_positions();
        drop(self.take_failure());
        // SAFETY: the client is alive.
        let error = unsafe { bindings::rd_kafka_begin_transaction(self.rk()) };
        flagged(error, "beginning a transaction")
    }

    fn send(&mut self, record: &Outgoing<'_>, timeout: Duration) -> Result<(), KafkaError> {
        let timestamp = timestamp_of(record)?;
        let topic = self.client.topic(record.topic)?;
        let opaque =
            if record.track { self.client.destinations.position(record.topic, record.partition) } else { ptr::null_mut() };
        let (value, flags) = self.place(record.value);
        let headers = OutgoingHeaders::new(record.headers);
        let vector = [
            field(Type::RD_KAFKA_VTYPE_RKT, Value { rkt: topic.as_ptr() }),
            field(Type::RD_KAFKA_VTYPE_PARTITION, Value { i32_: record.partition }),
            field(Type::RD_KAFKA_VTYPE_TIMESTAMP, Value { i64_: timestamp }),
            field(Type::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque }),
            field(Type::RD_KAFKA_VTYPE_KEY, memory(record.key.map(|key| (key.as_ptr(), key.len())))),
            field(Type::RD_KAFKA_VTYPE_VALUE, memory(value)),
            field(Type::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: flags }),
            field(
                Type::RD_KAFKA_VTYPE_HEADERS,
                Value { headers: headers.as_ref().map_or(ptr::null_mut(), OutgoingHeaders::as_ptr) },
            ),
        ];
        let mut waiting: Option<Deadline> = None;
        loop {
            if let Some(result) = self.try_produce(&vector, record.topic) {
                if let (Ok(()), Some(headers)) = (&result, headers) {
                    headers.taken();
                }
                return result;
            }
            let deadline = waiting.get_or_insert_with(|| Deadline::after(timeout));
            if deadline.has_passed() {
                let message = format!("sending to {}: the queue stayed full", record.topic);
                return Err(KafkaError::new(KafkaErrorKind::Retriable, message));
            }
            let wait = QUEUE_FULL_STEP.min(deadline.remaining());
            self.read_reports(wait);
        }
    }

    fn flush(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        self.drain(&Deadline::after(timeout))?;
        self.take_failure().map_or(Ok(()), Err)
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &dyn GroupMetadata,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let (list, group) = (PartitionList::with_committed(offsets)?, RdGroupMetadata::from_port(group)?);
        // SAFETY: everything is alive, and copied.
        let error = unsafe {
            let millis = super::timeout_millis(timeout);
            bindings::rd_kafka_send_offsets_to_transaction(self.rk(), list.as_ptr(), group.as_ptr(), millis)
        };
        flagged(error, "adding offsets to the transaction")
    }

    fn commit(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        let deadline = Deadline::after(timeout);
        self.drain(&deadline)?;
        // SAFETY: the client is alive.
        let error = unsafe { bindings::rd_kafka_commit_transaction(self.rk(), deadline.millis().max(1)) };
        match (flagged(error, "committing a transaction"), self.take_failure()) {
            (Ok(()), _) => {
                self.recycle();
                Ok(())
            }
            (Err(error), Some(failure)) => {
                Err(KafkaError::new(error.kind, format!("{}; the first record that failed: {failure}", error.message)))
            }
            // To a caller "retriable" says that nothing was done, which nobody knows here.
            (Err(error), None) if error.kind == KafkaErrorKind::Retriable => {
                Err(KafkaError::new(KafkaErrorKind::Timeout, error.message))
            }
            (Err(error), None) => Err(error),
        }
    }

    fn abort(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        let deadline = Deadline::after(timeout);
        loop {
            // SAFETY: the client is alive; an abort that was not completed in time is gone on with by the next call.
            let error = unsafe { bindings::rd_kafka_abort_transaction(self.rk(), deadline.millis_at_most(STEP).max(1)) };
            self.read_reports(Duration::ZERO);
            match flagged(error, "aborting a transaction") {
                Err(error) if error.kind == KafkaErrorKind::Timeout && !deadline.has_passed() => {}
                result => break result?,
            }
        }
        drop(self.take_failure());
        if self.has_gap {
            return self.replace_client(&deadline);
        }
        self.recycle();
        Ok(())
    }

    fn doubtful(&self) -> bool {
        self.context().watch.is_doubtful()
    }

    fn acknowledged(&self, topic: &Arc<str>, partition: i32) -> Option<i64> {
        self.client.destinations.acknowledged(topic, partition)
    }
}

/// The result of a transactional call.
fn flagged(error: *mut rd_kafka_error_t, doing: &str) -> Result<(), KafkaError> {
    // SAFETY: the error came from a call just now, and nobody else frees it.
    unsafe { Flagged::take(error) }.map_or(Ok(()), |error| Err(error.transactional(doing)))
}

/// The first record of a report that was not delivered. One that was purged was not meant to be any more.
///
/// SAFETY: the report is alive, and is one of deliveries.
unsafe fn first_failure(report: &Event) -> Option<KafkaError> {
    const PURGED: [i32; 2] = [Code::RD_KAFKA_RESP_ERR__PURGE_QUEUE as i32, Code::RD_KAFKA_RESP_ERR__PURGE_INFLIGHT as i32];
    // SAFETY: promised by the caller; messages live as long as their report.
    unsafe {
        while let Some(message) = bindings::rd_kafka_event_message_next(report.as_ptr()).as_ref() {
            let code = delivery_code(message);
            if code != 0 && !PURGED.contains(&code) {
                return Some(undelivered(message, code));
            }
        }
    }
    None
}

/// What became of a record; 0 is delivered. Read as a number, since a broker may send any.
///
/// SAFETY: the message is alive.
pub(super) unsafe fn delivery_code(message: *const rd_kafka_message_t) -> i32 {
    // SAFETY: promised by the caller.
    unsafe { (&raw const (*message).err).cast::<i32>().read() }
}

/// The error of a record that was not delivered.
///
/// SAFETY: the message is alive.
pub(super) unsafe fn undelivered(message: *const rd_kafka_message_t, code: i32) -> KafkaError {
    // SAFETY: promised by the caller; a message has a topic.
    let (topic, partition) = unsafe { (text(bindings::rd_kafka_topic_name((*message).rkt)), (*message).partition) };
    from_code(code, &format!("delivering a record to {topic}-{partition}"))
}
