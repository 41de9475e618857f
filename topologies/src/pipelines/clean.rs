//! `clean`: events are validated, their time is corrected, and each passes once.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use highwater::dsl::Dedup;
use highwater::processor::{Context, ProcessError, Processor, ProcessorSupplier, TaskContext};
use highwater::serde::avro::AvroSerde;
use highwater::serde::{Decode, Encode, Serde, SerdeError, StringSerde};
use highwater::{Error, Produced, Record, Timestamp, Topology};
use shoppulse_avro::CleanEvent;

use super::{builder, micros, raw};
use crate::events::RawEvent;
use crate::schemas::Schemas;
use crate::topic_names::{CLEAN_EVENTS, LATE_EVENTS, RAW_EVENTS};

/// How far behind an event may be and still be told from a repetition of another.
const DEDUP_WITHIN: Duration = Duration::from_hours(24);
/// A resend's corrected time can differ, so memory is longer than the horizon.
const DEDUP_MEMORY_HOURS: u32 = 25;

/// Validate → correct the time → let each event pass once → `clean.events`.
///
/// Late events go to `late.events`, bad ones to the dead letters. Repetitions meet because both topics are partitioned by the
/// same key bytes into equally many partitions.
pub fn build(schemas: &Schemas) -> Result<Topology, Error> {
    let builder = builder("clean", schemas)?;
    builder.equal_partitions(RAW_EVENTS, CLEAN_EVENTS);
    let once = Dedup::by(|_: &String, event: &ValidEvent| event.id)
        .within(DEDUP_WITHIN)
        .memory_hours(DEDUP_MEMORY_HOURS)
        .store("seen-events")
        .late_to(LATE_EVENTS)
        .reason("message_id");
    builder
        .stream(raw(RAW_EVENTS).subtopology("events"))
        .process("validate", Validation { rows: schemas.serde()? })
        .dedup(once)
        .to(Produced::with(CLEAN_EVENTS, Arc::new(StringSerde), Arc::new(ValidEventSerde)));
    builder.build()
}

/// An event that may pass: what identifies it, and its row of `clean.events` as bytes.
#[derive(Clone, Debug)]
struct ValidEvent {
    id: u128,
    row: Bytes,
}

/// Writes the row; `clean` never reads one.
#[derive(Debug)]
struct ValidEventSerde;

impl Encode<ValidEvent> for ValidEventSerde {
    fn encode(&self, event: &ValidEvent, out: &mut BytesMut) -> Result<(), SerdeError> {
        out.extend_from_slice(&event.row);
        Ok(())
    }
}

impl Decode<ValidEvent> for ValidEventSerde {
    fn decode(&self, _: &[u8]) -> Result<ValidEvent, SerdeError> {
        Err(SerdeError::new("internal", "valid events are written, never read"))
    }
}

impl Serde<ValidEvent> for ValidEventSerde {}

/// Makes validators.
struct Validation {
    rows: Arc<AvroSerde<CleanEvent>>,
}

/// Validates an event and makes its row, which it encodes while the event's text is still borrowed.
struct Validator {
    rows: Arc<AvroSerde<CleanEvent>>,
    buffer: BytesMut,
}

impl ProcessorSupplier<Option<Bytes>, Option<Bytes>> for Validation {
    type Processor = Validator;

    fn create(&self, _: &mut TaskContext<'_>) -> Validator {
        Validator { rows: Arc::clone(&self.rows), buffer: BytesMut::new() }
    }
}

impl Processor<Option<Bytes>, Option<Bytes>> for Validator {
    type KeyOut = String;
    type ValueOut = ValidEvent;

    fn process(
        &mut self,
        record: Record<Option<Bytes>, Option<Bytes>>,
        cx: &mut Context<'_, String, ValidEvent>,
    ) -> Result<(), ProcessError> {
        let event = RawEvent::parse(record.key.as_deref(), record.value.as_deref())?;
        let (key, id, occurred) = (event.key.to_owned(), event.event_id(), Timestamp::from_millis(event.times.occurred_ms));
        self.rows.encode_as(&event.into_clean(micros(cx.now())), &mut self.buffer)?;
        let row = self.buffer.split().freeze();
        cx.forward(Record { key, value: ValidEvent { id, row }, timestamp: occurred, headers: record.headers })
    }
}
