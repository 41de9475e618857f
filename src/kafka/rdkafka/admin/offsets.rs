//! Offsets of logs, and the trimming of logs.

use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_IsolationLevel_t as Level, rd_kafka_OffsetSpec_t as Spec, rd_kafka_admin_op_t as Op, rd_kafka_event_t,
};

use super::request::{Options, Request, no_options, pointers};
use crate::kafka::rdkafka::errors::Flagged;
use crate::kafka::rdkafka::native::Native;
use crate::kafka::rdkafka::partitions::{PartitionList, elements, first_error};
use crate::kafka::{Isolation, KafkaError, OffsetSpec};
use crate::record::TopicPartition;

/// Looks offsets up, in the order of `partitions`.
pub(in crate::kafka::rdkafka) fn list_offsets(
    client: &Native,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
    timeout: Duration,
) -> Result<Vec<i64>, KafkaError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let (wanted, isolation) = match spec {
        OffsetSpec::Earliest => (Spec::RD_KAFKA_OFFSET_SPEC_EARLIEST as i64, Isolation::ReadUncommitted),
        OffsetSpec::Latest(isolation) => (Spec::RD_KAFKA_OFFSET_SPEC_LATEST as i64, isolation),
        // Negative numbers have other meanings.
        OffsetSpec::At(time) => (time.as_millis().max(0), Isolation::ReadUncommitted),
    };
    let list = PartitionList::with_offsets(partitions.iter().map(|partition| (partition, wanted)))?;
    let request = Request::new(client, Op::RD_KAFKA_ADMIN_OP_LISTOFFSETS, "looking offsets up", timeout);
    let found = request.run(
        |options| set_isolation(options, isolation),
        // SAFETY: everything is alive; the list is copied.
        |rk, options, queue| unsafe { bindings::rd_kafka_ListOffsets(rk, list.as_ptr(), options, queue) },
        |answer| read_offsets(answer, partitions),
    )?;
    if !found.contains(&None) {
        return Ok(found.into_iter().flatten().collect());
    }
    // No record is that young: the end is what the port promises.
    let ends = list_offsets(client, partitions, OffsetSpec::Latest(Isolation::ReadUncommitted), request.deadline.remaining())?;
    Ok(found.into_iter().zip(ends).map(|(found, end)| found.unwrap_or(end)).collect())
}

fn set_isolation(options: &Options, isolation: Isolation) -> Option<Flagged> {
    let level = match isolation {
        Isolation::ReadCommitted => Level::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
        Isolation::ReadUncommitted => Level::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
    };
    // SAFETY: the options are alive.
    unsafe { Flagged::take(bindings::rd_kafka_AdminOptions_set_isolation_level(options.as_ptr(), level)) }
}

fn read_offsets(answer: *mut rd_kafka_event_t, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, KafkaError> {
    let mut found = vec![None; partitions.len()];
    // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
    unsafe {
        let mut count = 0;
        let infos =
            bindings::rd_kafka_ListOffsets_result_infos(bindings::rd_kafka_event_ListOffsets_result(answer), &raw mut count);
        for info in pointers(infos, count) {
            let element = bindings::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
            let list = bindings::rd_kafka_topic_partition_list_s { cnt: 1, size: 1, elems: element.cast_mut() };
            for element in elements(&raw const list) {
                first_error([element].into_iter(), "looking up an offset of")?;
                let partition = element.partition();
                for (index, _) in partitions.iter().enumerate().filter(|(_, asked)| **asked == partition) {
                    found[index] = (element.offset() >= 0).then(|| element.offset());
                }
            }
        }
    }
    Ok(found)
}

/// Trims logs.
pub(super) fn delete_records(client: &Native, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<(), KafkaError> {
    if before.is_empty() {
        return Ok(());
    }
    let list = PartitionList::with_offsets(before.iter().map(|(partition, offset)| (partition, *offset)))?;
    let doing = "trimming";
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_DELETERECORDS, doing, timeout).run(
        no_options,
        // SAFETY: everything is alive; the list is copied.
        |rk, options, queue| unsafe {
            let mut request = bindings::rd_kafka_DeleteRecords_new(list.as_ptr());
            bindings::rd_kafka_DeleteRecords(rk, slice::from_mut(&mut request).as_mut_ptr(), 1, options, queue);
            bindings::rd_kafka_DeleteRecords_destroy(request);
        },
        // SAFETY: the answer is alive, and is one of this kind.
        |answer| unsafe {
            let result = bindings::rd_kafka_event_DeleteRecords_result(answer);
            let trimmed = if result.is_null() { ptr::null() } else { bindings::rd_kafka_DeleteRecords_result_offsets(result) };
            first_error(elements(trimmed), doing)
        },
    )
}
