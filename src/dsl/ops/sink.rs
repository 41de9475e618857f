//! Sinks: typed records become bytes and wait in the outbox.

use std::sync::Arc;

use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::KStream;
use crate::dsl::ops::keep::NULL_KEY;
use crate::dsl::options::{Partitioner, Produced};
use crate::error::Error;
use crate::kafka::partition_for_key;
use crate::processor::ProcessError;
use crate::record::Record;
use crate::serde::{Data, SharedSerde};
use crate::task::TaskCore;
use crate::task::dead_letter::ORIGIN_HEADER;
use crate::task::edge::Forward;
use crate::task::outbox::Destination;
use crate::topology::{Role, TaskBuilder, TopicName};

/// How records of one output topic become bytes.
pub(crate) struct Encoding<K, V> {
    pub(crate) key: SharedSerde<K>,
    pub(crate) value: SharedSerde<V>,
    pub(crate) partitioner: Option<Partitioner<K, V>>,
    /// Whether records carry where they came from: repartition topics do.
    pub(crate) carries_origin: bool,
}

impl<K, V> Clone for Encoding<K, V> {
    fn clone(&self) -> Self {
        let Self { key, value, partitioner, carries_origin } = self;
        Self { key: key.clone(), value: value.clone(), partitioner: partitioner.clone(), carries_origin: *carries_origin }
    }
}

struct Sink<K, V> {
    topic: Arc<str>,
    partitions: i32,
    encoding: Encoding<K, V>,
}

impl<K: Data, V: Data> Forward<K, V> for Sink<K, V> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Encoding { key, value, partitioner, carries_origin } = &self.encoding;
        let outbox = &mut core.outbox;
        let key_start = outbox.end();
        let has_key = !key.is_null(&record.key);
        if has_key {
            key.encode(&record.key, outbox.arena())?;
        } else if *carries_origin {
            // Behind a repartition equal keys meet; a record without one meets nobody.
            core.ruling.end_branch(NULL_KEY);
            return Ok(());
        }
        let value_start = outbox.end();
        let has_value = !value.is_null(&record.value);
        if has_value {
            value.encode(&record.value, outbox.arena())?;
        }
        let key_bytes = outbox.slice(key_start..value_start);
        let partition = match partitioner {
            Some(place) => place(&record.key, &record.value, key_bytes, self.partitions),
            None if has_key => partition_for_key(key_bytes, self.partitions),
            None => core.id.partition % self.partitions,
        };
        let mut headers = record.headers;
        if *carries_origin && let Some(input) = &core.input {
            headers.push(ORIGIN_HEADER, Some(input.origin.to_header()));
        }
        let to = Destination { topic: &self.topic, partition, timestamp: record.timestamp, headers, track: false };
        let end = outbox.end();
        outbox.stage(to, has_key.then_some(key_start..value_start), has_value.then_some(value_start..end));
        core.ruling.take_effect();
        Ok(())
    }
}

pub(crate) fn to<K: Data, V: Data>(stream: KStream<'_, K, V>, options: Produced<K, V>) {
    let encoding = Encoding { key: options.key, value: options.value, partitioner: options.partitioner, carries_origin: false };
    sink(stream, TopicName::External(options.topic), encoding);
}

/// Records a sink node.
pub(crate) fn sink<K: Data, V: Data>(stream: KStream<'_, K, V>, topic: TopicName, encoding: Encoding<K, V>) {
    let to = topic.clone();
    let _: KStream<'_, K, V> = stream.builder.add(NodeSpec {
        name: None,
        operator: "sink",
        role: Role::Sink(topic),
        parents: vec![stream.node],
        stores: Vec::new(),
        instantiate: Arc::new(move |task, node| {
            let (topic, partitions) = resolve(task, &to)?;
            task.operator::<K, V>(node, Sink { topic, partitions, encoding: encoding.clone() });
            Ok(())
        }),
    });
}

/// The topic's name on the cluster, and how many partitions it has.
pub(crate) fn resolve(task: &TaskBuilder<'_>, topic: &TopicName) -> Result<(Arc<str>, i32), Error> {
    let name = topic.on_cluster(task.application);
    let partitions = task.topics.partitions(&name);
    let partitions = partitions.ok_or_else(|| Error::config(format!("topic `{name}` does not exist: create it")))?;
    Ok((task.topics.name(&name), partitions))
}
