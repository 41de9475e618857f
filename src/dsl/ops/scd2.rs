//! `scd2`: each record takes its place in the history of its key, and the versions that differ for it are told.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use highwater_state::{StoreId, StoreKind};

use super::history::{History, Span, differences};
use super::keep::NULL_KEY;
use super::repartition::meeting;
use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::KStream;
use crate::dsl::scd2::{Scd2, Version, Versioned};
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::{Data, SharedSerde};
use crate::task::TaskCore;
use crate::task::dead_letter::Late;
use crate::task::edge::{Forward, Outlet};
use crate::task::times::TimeId;
use crate::topology::Role;

/// The reason of a record that is older than what can still change.
const BEYOND_HISTORY: &str = "beyond_history";

struct Historian<K, V> {
    store: StoreId,
    time: TimeId,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    within: Duration,
    late: Option<Arc<str>>,
    buffers: Buffers,
    outlet: Outlet<Versioned<K>, Option<Version<V>>>,
}

/// What the change at hand is made of; kept for its memory.
#[derive(Default)]
struct Buffers {
    /// The history before it.
    stored: Vec<u8>,
    /// The value that it brings.
    value: BytesMut,
}

impl<K: Data, V: Data> Forward<K, Option<V>> for Historian<K, V> {
    fn forward(&mut self, record: Record<K, Option<V>>, core: &mut TaskCore) -> Result<(), ProcessError> {
        if self.key.is_null(&record.key) {
            core.ruling.end_branch(NULL_KEY);
            return Ok(());
        }
        let stream_time = core.times.advance(self.time, record.timestamp);
        let oldest = stream_time.minus(self.within);
        if record.timestamp < oldest {
            self.turn_away(record.timestamp, oldest, stream_time, core);
            return Ok(());
        }
        let mut buffers = std::mem::take(&mut self.buffers);
        let told = self.change(&record, oldest, &mut buffers, core);
        self.buffers = buffers;
        for (from_ms, version) in told? {
            let at = Versioned { key: record.key.clone(), valid_from: Timestamp::from_millis(from_ms) };
            self.outlet.forward(Record::new(at, version, record.timestamp), core)?;
        }
        Ok(())
    }
}

/// Versions to tell, by their beginnings; one that is no more has none.
type Told<V> = Vec<(i64, Option<Version<V>>)>;

impl<K: Data, V: Data> Historian<K, V> {
    /// One read and one write of the store; what is to be told of it.
    fn change(
        &self,
        record: &Record<K, Option<V>>,
        oldest: Timestamp,
        Buffers { stored, value: bytes }: &mut Buffers,
        core: &mut TaskCore,
    ) -> Result<Told<V>, ProcessError> {
        let TaskCore { state, scratch, ruling, .. } = core;
        scratch.key.clear();
        self.key.encode(&record.key, &mut scratch.key)?;
        stored.clear();
        let before = match state.get(self.store, &scratch.key)? {
            Some(found) => {
                stored.extend_from_slice(&found);
                History::read(stored)?
            }
            None => History::default(),
        };
        let value = record.value.as_ref().filter(|value| !self.value.is_null(value));
        bytes.clear();
        value.map(|value| self.value.encode(value, bytes)).transpose()?;
        let mut after = before.clone();
        after.set(record.timestamp.as_millis(), value.map(|_| &bytes[..]));
        let decode = |span: Span<'_>| -> Result<Version<V>, ProcessError> {
            Ok(Version { value: self.value.decode(span.value)?, valid_to: span.to_ms.map(Timestamp::from_millis) })
        };
        let told = differences(&before.versions(), &after.versions());
        let told = told.into_iter().map(|(from_ms, span)| Ok((from_ms, span.map(decode).transpose()?)));
        let told = told.collect::<Result<Told<V>, ProcessError>>()?;
        after.forget_before(oldest.as_millis());
        if after.is_empty() {
            state.delete(self.store, &scratch.key)?;
        } else {
            scratch.value.clear();
            after.write(&mut scratch.value);
            state.put(self.store, &scratch.key, &scratch.value)?;
        }
        ruling.take_effect();
        Ok(told)
    }

    #[cold]
    fn turn_away(&self, timestamp: Timestamp, oldest: Timestamp, stream_time: Timestamp, core: &mut TaskCore) {
        let by_millis = oldest.as_millis() - timestamp.as_millis();
        let place = ("oldest", oldest.as_millis().to_string());
        core.turn_away(self.late.as_ref(), &Late { reason: BEYOND_HISTORY, by_millis, stream_time, place });
    }
}

pub(crate) fn scd2<K: Data, V: Data>(
    stream: KStream<'_, K, Option<V>>,
    options: Scd2<K, V>,
) -> KStream<'_, Versioned<K>, Option<Version<V>>> {
    let stream = meeting(stream, &options.name, &options.key, &options.value);
    let builder = stream.builder;
    let store = builder.declare_store(&options.name, StoreKind::KeyValue);
    let late = options.late.as_ref().map(|topic| builder.declare_late_topic(topic));
    let next = builder.add(NodeSpec {
        name: Some(options.name.to_string()),
        operator: "scd2",
        role: Role::Operator,
        parents: vec![stream.node],
        stores: vec![store],
        instantiate: Arc::new(move |task, node| {
            let operator = Historian {
                store: task.store(store),
                time: task.time(&options.name),
                key: options.key.clone(),
                value: options.value.clone(),
                within: options.within,
                late: late.as_ref().map(|topic| task.topics.name(topic)),
                buffers: Buffers::default(),
                outlet: task.outlet::<Versioned<K>, Option<Version<V>>>(node),
            };
            task.operator::<K, Option<V>>(node, operator);
            Ok(())
        }),
    });
    KStream { key_changed: true, ..next }
}
