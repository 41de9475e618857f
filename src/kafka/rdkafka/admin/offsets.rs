//! Offsets of logs and of groups, and the trimming of logs.

use std::ptr;
use std::slice;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_IsolationLevel_t as Level, rd_kafka_OffsetSpec_t as Spec, rd_kafka_admin_op_t as Op, rd_kafka_event_t,
};

use super::request::{Options, Request, no_options, pointers};
use crate::kafka::rdkafka::errors::{Flagged, c_string, code_of, from_code};
use crate::kafka::rdkafka::native::Native;
use crate::kafka::rdkafka::partitions::{PartitionList, elements, first_error};
use crate::kafka::{CommittedOffset, Isolation, KafkaError, OffsetSpec};
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

/// Which of a group's positions are wanted while a transaction may still change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kafka::rdkafka) enum Pending {
    /// Those that no pending transaction can change any more: asked again until there is none.
    Await,
    /// Those of now.
    Ignore,
}

/// A group's committed positions, in the order of `partitions`.
pub(in crate::kafka::rdkafka) fn group_offsets(
    client: &Native,
    group: &str,
    partitions: &[TopicPartition],
    pending: Pending,
    timeout: Duration,
) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
    let stable = i32::from(pending == Pending::Await);
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let (group_c, list) = (c_string(group)?, PartitionList::of(partitions)?);
    let doing = format!("fetching the offsets of group {group}");
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, &doing, timeout).run(
        // SAFETY: the options are alive.
        |options| unsafe { Flagged::take(bindings::rd_kafka_AdminOptions_set_require_stable_offsets(options.as_ptr(), stable)) },
        // SAFETY: everything is alive; group and list are copied.
        |rk, options, queue| unsafe {
            let mut request = bindings::rd_kafka_ListConsumerGroupOffsets_new(group_c.as_ptr(), list.as_ptr());
            bindings::rd_kafka_ListConsumerGroupOffsets(rk, &raw mut request, 1, options, queue);
            bindings::rd_kafka_ListConsumerGroupOffsets_destroy(request);
        },
        |answer| read_group_offsets(answer, partitions, &doing),
    )
}

fn read_group_offsets(
    answer: *mut rd_kafka_event_t,
    partitions: &[TopicPartition],
    doing: &str,
) -> Result<Vec<Option<CommittedOffset>>, KafkaError> {
    let mut found = vec![None; partitions.len()];
    // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
    unsafe {
        let mut count = 0;
        let groups = bindings::rd_kafka_ListConsumerGroupOffsets_result_groups(
            bindings::rd_kafka_event_ListConsumerGroupOffsets_result(answer),
            &raw mut count,
        );
        for group in pointers(groups, count) {
            check_group(*group, doing)?;
            for element in elements(bindings::rd_kafka_group_result_partitions(*group)) {
                first_error([element].into_iter(), doing)?;
                let partition = element.partition();
                for (index, _) in partitions.iter().enumerate().filter(|(_, asked)| **asked == partition) {
                    found[index] = element.committed();
                }
            }
        }
    }
    Ok(found)
}

/// SAFETY: the result is alive.
unsafe fn check_group(group: *const bindings::rd_kafka_group_result_t, doing: &str) -> Result<(), KafkaError> {
    // SAFETY: promised by the caller.
    let code = unsafe { code_of(bindings::rd_kafka_group_result_error(group)) };
    if code == 0 { Ok(()) } else { Err(from_code(code, doing)) }
}

/// Sets positions of a group without members.
pub(super) fn alter_group_offsets(
    client: &Native,
    group: &str,
    offsets: &[(TopicPartition, CommittedOffset)],
    timeout: Duration,
) -> Result<(), KafkaError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let (group_c, list) = (c_string(group)?, PartitionList::with_committed(offsets)?);
    let doing = format!("setting the offsets of group {group} (it must have no members)");
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, &doing, timeout).run(
        no_options,
        // SAFETY: everything is alive; group and list are copied.
        |rk, options, queue| unsafe {
            let mut request = bindings::rd_kafka_AlterConsumerGroupOffsets_new(group_c.as_ptr(), list.as_ptr());
            bindings::rd_kafka_AlterConsumerGroupOffsets(rk, &raw mut request, 1, options, queue);
            bindings::rd_kafka_AlterConsumerGroupOffsets_destroy(request);
        },
        // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
        |answer| unsafe {
            let mut count = 0;
            let result = bindings::rd_kafka_event_AlterConsumerGroupOffsets_result(answer);
            let groups = bindings::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &raw mut count);
            pointers(groups, count).iter().try_for_each(|group| {
                check_group(*group, &doing)?;
                first_error(elements(bindings::rd_kafka_group_result_partitions(*group)), &doing)
            })
        },
    )
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
