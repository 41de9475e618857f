//! Settings of topics.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_AlterConfigOpType_t as AlterOp, rd_kafka_ConfigResource_t, rd_kafka_ResourceType_t as Resource,
    rd_kafka_admin_op_t as Op, rd_kafka_event_t,
};

use super::request::{Request, no_options, pointers};
use super::topics::Freed;
use crate::kafka::rdkafka::deadline::Deadline;
use crate::kafka::rdkafka::errors::{Flagged, c_string, config_resource_code, from_code, text};
use crate::kafka::rdkafka::native::Native;
use crate::kafka::rdkafka::queue::Queue;
use crate::kafka::{KafkaError, KafkaErrorKind};

const SPREAD_PAUSE: Duration = Duration::from_millis(20);
const SPREAD_TIMEOUT: Duration = Duration::from_secs(2);

/// The settings of a topic in force.
pub(super) fn describe(client: &Native, topic: &str, timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError> {
    let resource = resource_of(topic)?;
    let doing = format!("reading the settings of topic {topic}");
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, &doing, timeout).run(
        no_options,
        // SAFETY: everything is alive; the resource is copied.
        |rk, options, queue| unsafe {
            let mut raw = resource.0;
            bindings::rd_kafka_DescribeConfigs(rk, &raw mut raw, 1, options, queue);
        },
        |answer| read_config(answer, &doing),
    )
}

fn read_config(answer: *mut rd_kafka_event_t, doing: &str) -> Result<BTreeMap<String, String>, KafkaError> {
    let mut config = BTreeMap::new();
    // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
    unsafe {
        let mut count = 0;
        let resources = bindings::rd_kafka_DescribeConfigs_result_resources(
            bindings::rd_kafka_event_DescribeConfigs_result(answer),
            &raw mut count,
        );
        for resource in pointers(resources, count) {
            check_resource(*resource, doing)?;
            let mut count = 0;
            let entries = bindings::rd_kafka_ConfigResource_configs(*resource, &raw mut count);
            for entry in pointers(entries, count) {
                let value = bindings::rd_kafka_ConfigEntry_value(*entry);
                if !value.is_null() {
                    config.insert(text(bindings::rd_kafka_ConfigEntry_name(*entry)), text(value));
                }
            }
        }
    }
    Ok(config)
}

/// Sets settings of a topic, leaves the others as they are, and waits a little for brokers to show it: they learn of it shortly
/// after the controller has answered.
pub(super) fn alter(
    client: &Native,
    topic: &str,
    config: &BTreeMap<String, String>,
    timeout: Duration,
) -> Result<(), KafkaError> {
    let (deadline, pause) = (Deadline::after(timeout.min(SPREAD_TIMEOUT)), Queue::new(client));
    set(client, topic, config, timeout)?;
    // A value may be spelt in more than one way, so nothing is concluded from a difference.
    while !deadline.has_passed() {
        let shown = describe(client, topic, deadline.remaining())?;
        if config.iter().all(|(key, value)| shown.get(key) == Some(value)) {
            break;
        }
        pause.poll(SPREAD_PAUSE);
    }
    Ok(())
}

fn set(client: &Native, topic: &str, config: &BTreeMap<String, String>, timeout: Duration) -> Result<(), KafkaError> {
    if config.is_empty() {
        return Ok(());
    }
    let resource = resource_of(topic)?;
    let doing = format!("changing the settings of topic {topic}");
    for (key, value) in config {
        let (key, value) = (c_string(key)?, c_string(value)?);
        // SAFETY: everything is alive; the strings are copied.
        let error = unsafe {
            let set = AlterOp::RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET;
            Flagged::take(bindings::rd_kafka_ConfigResource_add_incremental_config(resource.0, key.as_ptr(), set, value.as_ptr()))
        };
        if let Some(error) = error {
            return Err(error.plain(&doing));
        }
    }
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS, &doing, timeout).run(
        no_options,
        // SAFETY: everything is alive; the resource is copied.
        |rk, options, queue| unsafe {
            let mut raw = resource.0;
            bindings::rd_kafka_IncrementalAlterConfigs(rk, &raw mut raw, 1, options, queue);
        },
        // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
        |answer| unsafe {
            let mut count = 0;
            let result = bindings::rd_kafka_event_IncrementalAlterConfigs_result(answer);
            let resources = bindings::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
            pointers(resources, count).iter().try_for_each(|resource| check_resource(*resource, &doing))
        },
    )
}

fn resource_of(topic: &str) -> Result<Freed<rd_kafka_ConfigResource_t>, KafkaError> {
    let name = c_string(topic)?;
    // SAFETY: the name is alive and copied.
    let resource = unsafe { bindings::rd_kafka_ConfigResource_new(Resource::RD_KAFKA_RESOURCE_TOPIC, name.as_ptr()) };
    if resource.is_null() {
        return Err(KafkaError::new(KafkaErrorKind::Config, format!("{topic:?} is no topic's name")));
    }
    Ok(Freed(resource, bindings::rd_kafka_ConfigResource_destroy))
}

/// SAFETY: the resource is alive.
unsafe fn check_resource(resource: *const rd_kafka_ConfigResource_t, doing: &str) -> Result<(), KafkaError> {
    // SAFETY: promised by the caller.
    let (code, why) = unsafe { (config_resource_code(resource), text(bindings::rd_kafka_ConfigResource_error_string(resource))) };
    if code == 0 {
        return Ok(());
    }
    Err(KafkaError::new(from_code(code, "").kind, format!("{doing}: {why}")))
}
