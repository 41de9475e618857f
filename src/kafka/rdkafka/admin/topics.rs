//! Topics: creating, deleting, describing them.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_DeleteTopic_t, rd_kafka_NewTopic_t, rd_kafka_TopicDescription_t, rd_kafka_admin_op_t as Op, rd_kafka_event_t,
    rd_kafka_resp_err_t as Code, rd_kafka_topic_result_t,
};

use super::request::{Request, no_options, pointers};
use crate::kafka::rdkafka::errors::{c_string, check, code_of, from_code, text, topic_result_code};
use crate::kafka::rdkafka::native::Native;
use crate::kafka::{KafkaError, KafkaErrorKind, NewTopic, TopicDescription};

const UNKNOWN_TOPIC: i32 = Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART as i32;
const EXISTS_ALREADY: i32 = Code::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS as i32;

/// Topics' descriptions, in the order of `names`.
pub(super) fn describe(client: &Native, names: &[&str], timeout: Duration) -> Result<Vec<Option<TopicDescription>>, KafkaError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names_c: Vec<CString> = names.iter().map(|name| c_string(name)).collect::<Result<_, _>>()?;
    let mut pointers_c: Vec<*const c_char> = names_c.iter().map(|name| name.as_ptr()).collect();
    let collection = {
        // SAFETY: the names are alive; they are copied.
        let raw = unsafe { bindings::rd_kafka_TopicCollection_of_topic_names(pointers_c.as_mut_ptr(), pointers_c.len()) };
        Freed(raw, bindings::rd_kafka_TopicCollection_destroy)
    };
    let described = Request::new(client, Op::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, "describing topics", timeout).run(
        no_options,
        // SAFETY: everything is alive; the collection is copied.
        |rk, options, queue| unsafe { bindings::rd_kafka_DescribeTopics(rk, collection.0, options, queue) },
        read_descriptions,
    )?;
    Ok(names.iter().map(|name| described.get(*name).cloned()).collect())
}

fn read_descriptions(answer: *mut rd_kafka_event_t) -> Result<BTreeMap<String, TopicDescription>, KafkaError> {
    let mut described = BTreeMap::new();
    // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
    unsafe {
        let mut count = 0;
        let topics = bindings::rd_kafka_DescribeTopics_result_topics(
            bindings::rd_kafka_event_DescribeTopics_result(answer),
            &raw mut count,
        );
        for topic in pointers(topics, count) {
            let name = text(bindings::rd_kafka_TopicDescription_name(*topic));
            match code_of(bindings::rd_kafka_TopicDescription_error(*topic)) {
                0 => {
                    described.insert(name.clone(), description(name, *topic));
                }
                UNKNOWN_TOPIC => (),
                code => return Err(from_code(code, &format!("describing topic {name}"))),
            }
        }
    }
    Ok(described)
}

/// SAFETY: the topic's description is alive.
unsafe fn description(name: String, topic: *const rd_kafka_TopicDescription_t) -> TopicDescription {
    let (mut partitions, mut replicas) = (0, 0);
    // SAFETY: promised by the caller; what it holds lives as long.
    unsafe {
        let of_partitions = bindings::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        if let Some(first) = pointers(of_partitions, partitions).first() {
            bindings::rd_kafka_TopicPartitionInfo_replicas(*first, &raw mut replicas);
        }
        TopicDescription {
            name: Arc::from(name),
            id: uuid(bindings::rd_kafka_TopicDescription_topic_id(topic)),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            replication_factor: i32::try_from(replicas).unwrap_or(i32::MAX),
        }
    }
}

/// SAFETY: the id is alive.
unsafe fn uuid(id: *const bindings::rd_kafka_Uuid_t) -> [u8; 16] {
    // SAFETY: promised by the caller.
    let (high, low) =
        unsafe { (bindings::rd_kafka_Uuid_most_significant_bits(id), bindings::rd_kafka_Uuid_least_significant_bits(id)) };
    ((u128::from(high.cast_unsigned()) << 64) | u128::from(low.cast_unsigned())).to_be_bytes()
}

/// Creates topics; one that exists already is no error.
pub(super) fn create(client: &Native, topics: &[NewTopic], timeout: Duration) -> Result<(), KafkaError> {
    if topics.is_empty() {
        return Ok(());
    }
    let new: Vec<Freed<rd_kafka_NewTopic_t>> = topics.iter().map(new_topic).collect::<Result<_, _>>()?;
    let mut raw: Vec<*mut rd_kafka_NewTopic_t> = new.iter().map(|topic| topic.0).collect();
    let raw = raw.as_mut_ptr();
    let request = Request::new(client, Op::RD_KAFKA_ADMIN_OP_CREATETOPICS, "creating topics", timeout);
    request.run(
        no_options,
        // SAFETY: everything is alive; the topics are copied.
        |rk, options, queue| unsafe { bindings::rd_kafka_CreateTopics(rk, raw, new.len(), options, queue) },
        // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
        |answer| unsafe {
            let mut count = 0;
            let result = bindings::rd_kafka_event_CreateTopics_result(answer);
            let results = bindings::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
            check_topics(pointers(results, count), EXISTS_ALREADY, "creating topic")
        },
    )
}

fn new_topic(topic: &NewTopic) -> Result<Freed<rd_kafka_NewTopic_t>, KafkaError> {
    let name = c_string(&topic.name)?;
    let mut error: [c_char; 256] = [0; 256];
    // SAFETY: the name is alive and copied, and the buffer as large as said.
    let (raw, why) = unsafe {
        let (buffer, size) = (error.as_mut_ptr(), error.len());
        let raw = bindings::rd_kafka_NewTopic_new(name.as_ptr(), topic.partitions, topic.replication_factor, buffer, size);
        (raw, text(error.as_ptr()))
    };
    let Some(raw) = NonNull::new(raw) else {
        return Err(KafkaError::new(KafkaErrorKind::Config, format!("topic {}: {why}", topic.name)));
    };
    let new = Freed(raw.as_ptr(), bindings::rd_kafka_NewTopic_destroy);
    for (key, value) in &topic.config {
        let (key_c, value_c) = (c_string(key)?, c_string(value)?);
        // SAFETY: everything is alive; the strings are copied.
        let code = unsafe { bindings::rd_kafka_NewTopic_set_config(new.0, key_c.as_ptr(), value_c.as_ptr()) };
        check(code, &format!("topic {}: {key}", topic.name))?;
    }
    Ok(new)
}

/// Deletes topics; one that does not exist is no error.
pub(super) fn delete(client: &Native, names: &[&str], timeout: Duration) -> Result<(), KafkaError> {
    if names.is_empty() {
        return Ok(());
    }
    let mut doomed: Vec<Freed<rd_kafka_DeleteTopic_t>> = Vec::with_capacity(names.len());
    for name in names {
        let name = c_string(name)?;
        // SAFETY: the name is alive and copied.
        doomed.push(Freed(unsafe { bindings::rd_kafka_DeleteTopic_new(name.as_ptr()) }, bindings::rd_kafka_DeleteTopic_destroy));
    }
    let mut raw: Vec<*mut rd_kafka_DeleteTopic_t> = doomed.iter().map(|topic| topic.0).collect();
    let raw = raw.as_mut_ptr();
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_DELETETOPICS, "deleting topics", timeout).run(
        no_options,
        // SAFETY: everything is alive; the topics are copied.
        |rk, options, queue| unsafe { bindings::rd_kafka_DeleteTopics(rk, raw, doomed.len(), options, queue) },
        // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
        |answer| unsafe {
            let mut count = 0;
            let result = bindings::rd_kafka_event_DeleteTopics_result(answer);
            let results = bindings::rd_kafka_DeleteTopics_result_topics(result, &raw mut count);
            check_topics(pointers(results, count), UNKNOWN_TOPIC, "deleting topic")
        },
    )
}

/// The first topic that failed, unless it is already as wished.
///
/// SAFETY: the results are alive.
unsafe fn check_topics(results: &[*const rd_kafka_topic_result_t], as_wished: i32, doing: &str) -> Result<(), KafkaError> {
    for result in results {
        // SAFETY: promised by the caller.
        let (code, name, why) = unsafe {
            (
                topic_result_code(*result),
                text(bindings::rd_kafka_topic_result_name(*result)),
                text(bindings::rd_kafka_topic_result_error_string(*result)),
            )
        };
        if code != 0 && code != as_wished {
            let error = from_code(code, "");
            return Err(KafkaError::new(error.kind, format!("{doing} {name}: {why}")));
        }
    }
    Ok(())
}

/// An object of the C client and what frees it.
pub(super) struct Freed<T>(pub(super) *mut T, pub(super) unsafe extern "C" fn(*mut T));

impl<T> Drop for Freed<T> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the object is ours, and the function is the one for it.
            unsafe { (self.1)(self.0) }
        }
    }
}
