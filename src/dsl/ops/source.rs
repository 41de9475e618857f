//! Sources: bytes become typed records with an event time.

use std::sync::Arc;
use std::time::Duration;

use crate::dsl::builder::{NodeSpec, StreamsBuilder};
use crate::dsl::kstream::KStream;
use crate::dsl::ktable::KTable;
use crate::dsl::materialized::Materialized;
use crate::dsl::ops::keep::{Keep, upsert};
use crate::dsl::options::{Consumed, TimestampExtractor};
use crate::kafka::FetchedRecord;
use crate::processor::ProcessError;
use crate::record::{Headers, Record, Timestamp};
use crate::serde::{Data, NullableSerde, SerdeError, SharedSerde};
use crate::task::TaskCore;
use crate::task::dead_letter::ORIGIN_HEADER;
use crate::task::edge::{Outlet, SourceEntry};
use crate::topology::{Role, SourceSpec, TopicName};

/// How the bytes of one input topic become records.
pub(crate) struct Decoding<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) extractor: Option<TimestampExtractor<K, V>>,
    pub(crate) max_future_skew: Option<Duration>,
    pub(crate) internal: bool,
}

impl<K, V> Clone for Decoding<K, V> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            value: self.value.clone(),
            extractor: self.extractor.clone(),
            max_future_skew: self.max_future_skew,
            internal: self.internal,
        }
    }
}

impl<K: Data, V: Data> Decoding<K, V> {
    fn decode(&self, fetched: &FetchedRecord) -> Result<Record<K, V>, ProcessError> {
        let key = match fetched.key() {
            Some(bytes) => self.key.decode(bytes),
            None => self.key.decode_null().map_err(|error| SerdeError::new("bad_key", error.message)),
        }?;
        let value = match fetched.value() {
            Some(bytes) => self.value.decode(bytes),
            None => self.value.decode_null(),
        }?;
        let timestamp = self.extractor.as_ref().map_or(fetched.timestamp, |extract| extract(&key, &value, fetched.timestamp));
        if timestamp < Timestamp::from_millis(0) {
            return Err(ProcessError::rejected("bad_timestamp", format!("its time is {timestamp} ms, before 1970")));
        }
        self.guard_future(timestamp, fetched.timestamp)?;
        Ok(Record { key, value, timestamp, headers: self.headers(fetched) })
    }

    /// Refuses an event time too far ahead of the record's arrival, where that is known.
    fn guard_future(&self, timestamp: Timestamp, arrival: Timestamp) -> Result<(), ProcessError> {
        match self.max_future_skew {
            Some(skew) if arrival >= Timestamp::from_millis(0) && timestamp > arrival.plus(skew) => Err(ProcessError::rejected(
                "future_timestamp",
                format!("its time is {timestamp} ms, more than {} ms after it arrived at {arrival} ms", skew.as_millis()),
            )),
            _ => Ok(()),
        }
    }

    fn headers(&self, fetched: &FetchedRecord) -> Headers {
        let headers = fetched.headers();
        if !self.internal || headers.is_empty() {
            return headers;
        }
        headers.iter().filter(|header| &*header.key != ORIGIN_HEADER).cloned().collect()
    }
}

struct Source<K, V> {
    decoding: Decoding<K, V>,
    loaded: Option<Record<K, V>>,
    outlet: Outlet<K, V>,
}

impl<K: Data, V: Data> SourceEntry for Source<K, V> {
    fn load(&mut self, record: &FetchedRecord) -> Result<Timestamp, ProcessError> {
        let decoded = self.decoding.decode(record)?;
        Ok(self.loaded.insert(decoded).timestamp)
    }

    fn fire(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let record = self.loaded.take().expect("a record is fired after it was loaded");
        self.outlet.forward(record, core)
    }

    fn clear(&mut self) {
        self.loaded = None;
    }
}

pub(crate) fn stream<K: Data, V: Data>(builder: &StreamsBuilder, options: Consumed<K, V>) -> KStream<'_, K, V> {
    let name = options.topic.to_string();
    let spec = SourceSpec {
        topic: TopicName::External(options.topic),
        reset: options.reset,
        lead: options.lead,
        subtopology: options.subtopology,
    };
    let decoding = Decoding {
        key: options.key,
        value: options.value,
        extractor: options.extractor,
        max_future_skew: options.max_future_skew,
        internal: false,
    };
    source(builder, name, spec, decoding)
}

/// A topic whose records without a value delete.
pub(crate) fn table<K: Data, V: Data>(
    builder: &StreamsBuilder,
    source: Consumed<K, V>,
    options: Materialized<K, V>,
) -> KTable<'_, K, V> {
    let extractor = source.extractor.map(|extract| -> TimestampExtractor<K, Option<V>> {
        Arc::new(move |key, value, timestamp| value.as_ref().map_or(timestamp, |value| extract(key, value, timestamp)))
    });
    let value: SharedSerde<Option<V>> = Arc::new(NullableSerde(source.value));
    let source = Consumed {
        topic: source.topic,
        key: source.key,
        value,
        reset: source.reset,
        lead: source.lead,
        subtopology: source.subtopology,
        extractor,
        max_future_skew: source.max_future_skew,
    };
    upsert(stream(builder, source), Keep::new("table", options))
}

/// Records a source node.
pub(crate) fn source<K: Data, V: Data>(
    builder: &StreamsBuilder,
    name: String,
    spec: SourceSpec,
    decoding: Decoding<K, V>,
) -> KStream<'_, K, V> {
    let topic = spec.topic.clone();
    builder.add(NodeSpec {
        name: Some(name),
        operator: "source",
        role: Role::Source(spec),
        parents: Vec::new(),
        stores: Vec::new(),
        instantiate: Arc::new(move |task, node| {
            let outlet = task.outlet::<K, V>(node);
            let topic = Arc::from(topic.on_cluster(task.application));
            let source = Source { decoding: decoding.clone(), loaded: None, outlet };
            task.wiring.sources.push((topic, Box::new(source)));
            Ok(())
        }),
    })
}
