//! Repartition: sinks to an internal topic and the source behind it, so that equal keys meet.

use std::sync::Arc;

use super::sink::{Encoding, sink};
use super::source::{Decoding, source};
use crate::dsl::builder::StreamsBuilder;
use crate::dsl::kstream::KStream;
use crate::dsl::options::Repartitioned;
use crate::serde::{Data, NullableSerde, SharedSerde};
use crate::topology::{OffsetReset, SourceSpec, TopicName};

pub(crate) fn repartition<'b, K: Data, V: Data>(
    builder: &'b StreamsBuilder,
    streams: impl IntoIterator<Item = KStream<'b, K, V>>,
    options: Repartitioned<K, V>,
) -> KStream<'b, K, V> {
    let name = builder.declare_repartition(&options.name, options.partitions);
    let topic = TopicName::Repartition(name);
    let encoding = Encoding { key: options.key.clone(), value: options.value.clone(), partitioner: None, carries_origin: true };
    for stream in streams {
        sink(stream, topic.clone(), encoding.clone());
    }
    let decoding = Decoding { key: options.key, value: options.value, extractor: None, max_future_skew: None, internal: true };
    let spec = SourceSpec { topic, reset: OffsetReset::Earliest, lead: options.lead, subtopology: None };
    source(builder, format!("{}-repartition", options.name), spec, decoding)
}

/// A stream whose equal keys are in one partition, through a topic if keys have changed. A record without a value stays one.
pub(crate) fn meeting<'b, K: Data, V: Data>(
    stream: KStream<'b, K, Option<V>>,
    topic: &str,
    key: &SharedSerde<K>,
    value: &SharedSerde<V>,
) -> KStream<'b, K, Option<V>> {
    if !stream.key_changed {
        return stream;
    }
    stream.repartition(Repartitioned::with(topic, key.clone(), Arc::new(NullableSerde(value.clone()))))
}
