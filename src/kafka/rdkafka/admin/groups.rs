//! Groups: who is in them, and what each member has.

use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    self, rd_kafka_admin_op_t as Op, rd_kafka_event_t, rd_kafka_group_info, rd_kafka_group_list, rd_kafka_resp_err_t as Code,
};

use super::request::{Request, no_options, pointers};
use crate::kafka::rdkafka::errors::{c_string, check, code_of, from_code, text};
use crate::kafka::rdkafka::native::Native;
use crate::kafka::rdkafka::timeout_millis;
use crate::kafka::{GroupMember, KafkaError};
use crate::record::TopicPartition;

const NO_SUCH_GROUP: i32 = Code::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND as i32;

/// How many members a group has.
pub(super) fn members(client: &Native, group: &str, timeout: Duration) -> Result<usize, KafkaError> {
    let group_c = c_string(group)?;
    let doing = format!("describing group {group}");
    Request::new(client, Op::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, &doing, timeout).run(
        no_options,
        // SAFETY: everything is alive; the name is copied.
        |rk, options, queue| unsafe {
            let mut name = group_c.as_ptr();
            bindings::rd_kafka_DescribeConsumerGroups(rk, &raw mut name, 1, options, queue);
        },
        |answer| read_members(answer, &doing),
    )
}

fn read_members(answer: *mut rd_kafka_event_t, doing: &str) -> Result<usize, KafkaError> {
    // SAFETY: the answer is alive, and is one of this kind; what it holds lives as long.
    unsafe {
        let mut count = 0;
        let result = bindings::rd_kafka_event_DescribeConsumerGroups_result(answer);
        let groups = bindings::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let mut members = 0;
        for group in pointers(groups.cast_const(), count) {
            match code_of(bindings::rd_kafka_ConsumerGroupDescription_error(*group)) {
                0 => members += bindings::rd_kafka_ConsumerGroupDescription_member_count(*group),
                NO_SUCH_GROUP => {}
                code => return Err(from_code(code, doing)),
            }
        }
        Ok(members)
    }
}

/// The members of a settled group. By the C client's older call, which waits for its answers itself and leaves none under way.
pub(super) fn assignment(client: &Native, group: &str, timeout: Duration) -> Result<Option<Vec<GroupMember>>, KafkaError> {
    let group_c = c_string(group)?;
    let mut list: *const rd_kafka_group_list = ptr::null();
    // SAFETY: client and name are alive; the list is ours when the call succeeds.
    let code =
        unsafe { bindings::rd_kafka_list_groups(client.as_ptr(), group_c.as_ptr(), &raw mut list, timeout_millis(timeout)) };
    check(code, &format!("describing group {group}"))?;
    // SAFETY: the list is alive until it is destroyed below, and everything read from it is copied.
    unsafe {
        let groups = std::slice::from_raw_parts((*list).groups, usize::try_from((*list).group_cnt).unwrap_or(0));
        let found = groups.iter().find_map(|info| settled_members(info));
        bindings::rd_kafka_group_list_destroy(list);
        Ok(found)
    }
}

/// SAFETY: the group is alive.
unsafe fn settled_members(group: &rd_kafka_group_info) -> Option<Vec<GroupMember>> {
    // SAFETY: promised by the caller; strings and bytes are as long as the client says.
    unsafe {
        if text(group.state) != "Stable" {
            return None;
        }
        let members = std::slice::from_raw_parts(group.members, usize::try_from(group.member_cnt).unwrap_or(0));
        let member = |member: &bindings::rd_kafka_group_member_info| {
            let size = usize::try_from(member.member_assignment_size).unwrap_or(0);
            let bytes = std::slice::from_raw_parts(member.member_assignment.cast::<u8>(), size);
            Some(GroupMember { client_id: text(member.client_id), partitions: assigned(bytes)? })
        };
        members.iter().map(member).collect()
    }
}

/// What an assignment of Kafka's consumer protocol says: a version, then topics with their partitions.
fn assigned(bytes: &[u8]) -> Option<Vec<TopicPartition>> {
    let mut rest = bytes.get(2..)?;
    let mut partitions = Vec::new();
    for _ in 0..take_i32(&mut rest)? {
        let (size, behind) = rest.split_first_chunk::<2>()?;
        let (name, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        rest = behind;
        let topic: Arc<str> = Arc::from(std::str::from_utf8(name).ok()?);
        for _ in 0..take_i32(&mut rest)? {
            partitions.push(TopicPartition::new(Arc::clone(&topic), take_i32(&mut rest)?));
        }
    }
    Some(partitions)
}

fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(i32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_members_get_it() {
        let mut bytes = vec![0, 1, 0, 0, 0, 2];
        bytes.extend(b"\0\x01a\0\0\0\x02\0\0\0\x03\0\0\0\x05");
        bytes.extend(b"\0\x02bc\0\0\0\x01\0\0\0\0");
        bytes.extend([0xff; 4]);
        let expected = [("a", 3), ("a", 5), ("bc", 0)].map(|(topic, partition)| TopicPartition::new(topic, partition));
        assert_eq!(assigned(&bytes), Some(expected.to_vec()));
        assert_eq!(assigned(&bytes[..12]), None);
    }
}
