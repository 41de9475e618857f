//! Operators without memory: filter, map and their kin, peek, merge.

use std::sync::Arc;

use super::transform::transform;
use crate::dsl::builder::NodeSpec;
use crate::dsl::kstream::KStream;
use crate::dsl::ops::keep::NULL_VALUE;
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::Data;
use crate::task::TaskCore;
use crate::task::edge::{Forward, Outlet};
use crate::topology::Role;

/// The reason in the books of a record that a filter left out.
const FILTERED: &str = "filter";

pub(crate) fn filter<K: Data, V: Data>(
    stream: KStream<'_, K, V>,
    keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
) -> KStream<'_, K, V> {
    transform(stream, "filter", move |record: Record<K, V>, outlet, core| {
        if keep(&record.key, &record.value) {
            outlet.forward(record, core)
        } else {
            core.ruling.end_branch(FILTERED);
            Ok(())
        }
    })
}

pub(crate) fn map<K: Data, V: Data, K2: Data, V2: Data>(
    stream: KStream<'_, K, V>,
    f: impl Fn(K, V) -> Result<(K2, V2), ProcessError> + Send + Sync + 'static,
) -> KStream<'_, K2, V2> {
    let mapped = transform(stream, "map", move |record: Record<K, V>, outlet, core| {
        let (key, value) = f(record.key, record.value)?;
        outlet.forward(Record { key, value, timestamp: record.timestamp, headers: record.headers }, core)
    });
    KStream { key_changed: true, ..mapped }
}

pub(crate) fn map_values<K: Data, V: Data, V2: Data>(
    stream: KStream<'_, K, V>,
    f: impl Fn(&K, V) -> Result<V2, ProcessError> + Send + Sync + 'static,
) -> KStream<'_, K, V2> {
    transform(stream, "map_values", move |record: Record<K, V>, outlet, core| {
        let value = f(&record.key, record.value)?;
        outlet.forward(Record { key: record.key, value, timestamp: record.timestamp, headers: record.headers }, core)
    })
}

pub(crate) fn flat_map<K: Data, V: Data, K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)>>(
    stream: KStream<'_, K, V>,
    f: impl Fn(K, V) -> I + Send + Sync + 'static,
) -> KStream<'_, K2, V2> {
    let mapped = transform(stream, "flat_map", move |record: Record<K, V>, outlet, core| {
        let (timestamp, headers) = (record.timestamp, record.headers);
        forward_all(f(record.key, record.value), outlet, core, |(key, value)| Record {
            key,
            value,
            timestamp,
            headers: headers.clone(),
        })
    });
    KStream { key_changed: true, ..mapped }
}

pub(crate) fn flat_map_values<K: Data, V: Data, V2: Data, I: IntoIterator<Item = V2>>(
    stream: KStream<'_, K, V>,
    f: impl Fn(&K, V) -> I + Send + Sync + 'static,
) -> KStream<'_, K, V2> {
    transform(stream, "flat_map_values", move |record: Record<K, V>, outlet, core| {
        let (key, timestamp, headers) = (record.key, record.timestamp, record.headers);
        forward_all(f(&key, record.value), outlet, core, |value| Record {
            key: key.clone(),
            value,
            timestamp,
            headers: headers.clone(),
        })
    })
}

fn forward_all<T, K2: Data, V2: Data>(
    items: impl IntoIterator<Item = T>,
    outlet: &Outlet<K2, V2>,
    core: &mut TaskCore,
    record: impl Fn(T) -> Record<K2, V2>,
) -> Result<(), ProcessError> {
    let mut none = true;
    for item in items {
        none = false;
        outlet.forward(record(item), core)?;
    }
    if none {
        core.ruling.end_branch(FILTERED);
    }
    Ok(())
}

pub(crate) fn select_key<K: Data, V: Data, K2: Data>(
    stream: KStream<'_, K, V>,
    f: impl Fn(&K, &V) -> K2 + Send + Sync + 'static,
) -> KStream<'_, K2, V> {
    let keyed = transform(stream, "select_key", move |record: Record<K, V>, outlet, core| {
        let key = f(&record.key, &record.value);
        outlet.forward(Record { key, value: record.value, timestamp: record.timestamp, headers: record.headers }, core)
    });
    KStream { key_changed: true, ..keyed }
}

pub(crate) fn peek<K: Data, V: Data>(
    stream: KStream<'_, K, V>,
    look: impl Fn(&K, &V) + Send + Sync + 'static,
) -> KStream<'_, K, V> {
    transform(stream, "peek", move |record: Record<K, V>, outlet, core| {
        look(&record.key, &record.value);
        outlet.forward(record, core)
    })
}

pub(crate) fn present<K: Data, V: Data>(stream: KStream<'_, K, Option<V>>) -> KStream<'_, K, V> {
    transform(stream, "present", |record: Record<K, Option<V>>, outlet, core| {
        if let Some(value) = record.value {
            outlet.forward(Record { key: record.key, value, timestamp: record.timestamp, headers: record.headers }, core)
        } else {
            core.ruling.end_branch(NULL_VALUE);
            Ok(())
        }
    })
}

pub(crate) fn with_timestamp<K: Data, V: Data>(
    stream: KStream<'_, K, V>,
    f: impl Fn(&K, &V) -> Result<Timestamp, ProcessError> + Send + Sync + 'static,
) -> KStream<'_, K, V> {
    transform(stream, "with_timestamp", move |record: Record<K, V>, outlet, core| {
        let timestamp = f(&record.key, &record.value)?;
        if timestamp < Timestamp::from_millis(0) {
            return Err(ProcessError::rejected("bad_timestamp", format!("its time is {timestamp} ms, before 1970")));
        }
        outlet.forward(Record { timestamp, ..record }, core)
    })
}

/// Takes what two parents send.
struct Merge<K, V>(Outlet<K, V>);

impl<K: Data, V: Data> Forward<K, V> for Merge<K, V> {
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.0.forward(record, core)
    }
}

pub(crate) fn merge<'b, K: Data, V: Data>(one: KStream<'b, K, V>, other: KStream<'b, K, V>) -> KStream<'b, K, V> {
    let merged = one.builder.add(NodeSpec {
        name: None,
        operator: "merge",
        role: Role::Operator,
        parents: vec![one.node, other.node],
        stores: Vec::new(),
        instantiate: Arc::new(|task, node| {
            for port in 0..2 {
                let inlet = std::rc::Rc::new(std::cell::RefCell::new(Merge(task.outlet::<K, V>(node))));
                task.set_inlet::<K, V>(node, port, inlet);
            }
            Ok(())
        }),
    });
    KStream { key_changed: one.key_changed || other.key_changed, ..merged }
}
