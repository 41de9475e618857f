//! Groups: who is in them.

use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_admin_op_t as Op, rd_kafka_event_t, rd_kafka_resp_err_t as Code};

use super::request::{Request, no_options, pointers};
use crate::kafka::KafkaError;
use crate::kafka::rdkafka::errors::{c_string, code_of, from_code};
use crate::kafka::rdkafka::native::Native;

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
