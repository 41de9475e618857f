//! From the C client's error codes to the kinds of [`KafkaError`]. What is done about a kind is decided elsewhere.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char, c_int};

use rdkafka::bindings::{
    self, rd_kafka_ConfigResource_t, rd_kafka_error_t, rd_kafka_event_t, rd_kafka_resp_err_t as Code, rd_kafka_t,
    rd_kafka_topic_result_t,
};

use crate::kafka::{KafkaError, KafkaErrorKind};

/// Declared again with plain numbers: a broker may answer with a code that is no member of the bindings' enum, and an enum with
/// a foreign value is undefined behaviour.
mod raw {
    use rdkafka::bindings::{rd_kafka_ConfigResource_t, rd_kafka_error_t, rd_kafka_event_t, rd_kafka_topic_result_t};

    use super::{c_char, c_int};

    unsafe extern "C" {
        pub(super) fn rd_kafka_error_code(error: *const rd_kafka_error_t) -> c_int;
        pub(super) fn rd_kafka_err2str(code: c_int) -> *const c_char;
        pub(super) fn rd_kafka_event_error(event: *mut rd_kafka_event_t) -> c_int;
        pub(super) fn rd_kafka_topic_result_error(result: *const rd_kafka_topic_result_t) -> c_int;
        pub(super) fn rd_kafka_ConfigResource_error(resource: *const rd_kafka_ConfigResource_t) -> c_int;
    }
}

/// What the code alone says about what to do; a call may know better.
pub(super) fn kind_of(code: i32) -> KafkaErrorKind {
    use KafkaErrorKind as Kind;
    match code {
        c if is_fenced(c) => Kind::Fenced,
        c if any(c, TIMEOUTS) => Kind::Timeout,
        c if any(c, RETRIABLE) => Kind::Retriable,
        c if any(c, UNKNOWN_TOPIC) => Kind::UnknownTopic,
        c if any(c, OUT_OF_RANGE) => Kind::OffsetOutOfRange,
        c if any(c, REFUSED) => Kind::RecordRefused,
        c if any(c, DENIED) => Kind::Denied,
        c if any(c, CONFIG) => Kind::Config,
        _ => Kind::Fatal,
    }
}

/// Whether somebody else has taken over what this client stands for.
pub(super) fn is_fenced(code: i32) -> bool {
    any(code, FENCED)
}

fn any(code: i32, codes: &[Code]) -> bool {
    codes.iter().any(|known| *known as i32 == code)
}

const FENCED: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__FENCED,
    Code::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
    Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    Code::RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_UNRELEASED_INSTANCE_ID,
];

const TIMEOUTS: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__TIMED_OUT,
    Code::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
    Code::RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
    Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
];

const RETRIABLE: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    Code::RD_KAFKA_RESP_ERR__RESOLVE,
    Code::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
    Code::RD_KAFKA_RESP_ERR__WAIT_COORD,
    Code::RD_KAFKA_RESP_ERR__WAIT_CACHE,
    Code::RD_KAFKA_RESP_ERR__IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR__QUEUE_FULL,
    Code::RD_KAFKA_RESP_ERR__RETRY,
    Code::RD_KAFKA_RESP_ERR__NODE_UPDATE,
    Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    Code::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
    Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
    Code::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
    Code::RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
    Code::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    Code::RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    Code::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
];

const UNKNOWN_TOPIC: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
    Code::RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    // What a lookup of leaders ends with where there is no such partition.
    Code::RD_KAFKA_RESP_ERR__NOENT,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID,
];

const OUT_OF_RANGE: &[Code] = &[Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET];

const REFUSED: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    Code::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
    Code::RD_KAFKA_RESP_ERR_INVALID_RECORD,
    Code::RD_KAFKA_RESP_ERR_INVALID_MSG,
    Code::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
];

const DENIED: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__AUTHENTICATION,
    Code::RD_KAFKA_RESP_ERR__SSL,
    Code::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    Code::RD_KAFKA_RESP_ERR_SECURITY_DISABLED,
];

const CONFIG: &[Code] = &[
    Code::RD_KAFKA_RESP_ERR__INVALID_ARG,
    Code::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
    Code::RD_KAFKA_RESP_ERR_INVALID_CONFIG,
    Code::RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
    Code::RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
    Code::RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT,
    Code::RD_KAFKA_RESP_ERR_INVALID_REQUEST,
    Code::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    Code::RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    Code::RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
    Code::RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
    Code::RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
    Code::RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
    Code::RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
];

/// The client's words for a code.
pub(super) fn text_of(code: i32) -> Cow<'static, str> {
    // SAFETY: any number is a legal argument, and the answer is a string that lives as long as the program (or, for a number
    // that the client does not know, as long as this thread's next eight calls: it is copied here).
    let text = unsafe { text(raw::rd_kafka_err2str(code)) };
    Cow::Owned(text)
}

/// An error of this code, with what was being done.
pub(super) fn from_code(code: i32, doing: &str) -> KafkaError {
    KafkaError::new(kind_of(code), format!("{doing}: {}", text_of(code)))
}

/// Success, or the error of this code.
pub(super) fn check(code: Code, doing: &str) -> Result<(), KafkaError> {
    if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR { Ok(()) } else { Err(from_code(code as i32, doing)) }
}

/// What an error object of the C client says.
#[derive(Clone, Debug)]
pub(super) struct Flagged {
    pub(super) code: i32,
    pub(super) text: String,
    pub(super) fatal: bool,
    pub(super) requires_abort: bool,
    pub(super) retriable: bool,
}

impl Flagged {
    /// Reads and frees it; `None` is success.
    ///
    /// SAFETY: `error` is null or an error object that nobody else frees.
    pub(super) unsafe fn take(error: *mut rd_kafka_error_t) -> Option<Self> {
        if error.is_null() {
            return None;
        }
        // SAFETY: the object is alive until it is destroyed below, and its strings are copied before.
        unsafe {
            let flagged = Self {
                code: raw::rd_kafka_error_code(error),
                text: text(bindings::rd_kafka_error_string(error)),
                fatal: bindings::rd_kafka_error_is_fatal(error) != 0,
                requires_abort: bindings::rd_kafka_error_txn_requires_abort(error) != 0,
                retriable: bindings::rd_kafka_error_is_retriable(error) != 0,
            };
            bindings::rd_kafka_error_destroy(error);
            Some(flagged)
        }
    }

    /// By the code, for calls that are no part of a transaction.
    pub(super) fn plain(&self, doing: &str) -> KafkaError {
        let kind = match kind_of(self.code) {
            KafkaErrorKind::Fatal if self.retriable && !self.fatal => KafkaErrorKind::Retriable,
            kind => kind,
        };
        KafkaError::new(kind, format!("{doing}: {}", self.text))
    }

    /// By the flags, for calls of a transaction. An error without a flag is fatal: to go on after one has lost records before.
    pub(super) fn transactional(&self, doing: &str) -> KafkaError {
        use KafkaErrorKind as Kind;
        let by_code = kind_of(self.code);
        let kind = match by_code {
            Kind::Fenced | Kind::Denied | Kind::Config => by_code,
            _ if self.fatal => Kind::Fatal,
            _ if self.requires_abort => Kind::Abortable,
            Kind::Timeout => Kind::Timeout,
            _ if self.retriable => Kind::Retriable,
            _ => Kind::Fatal,
        };
        KafkaError::new(kind, format!("{doing}: {}", self.text))
    }
}

/// The code of an error object that somebody else frees; 0 for none.
///
/// SAFETY: `error` is null or alive.
pub(super) unsafe fn code_of(error: *const rd_kafka_error_t) -> i32 {
    // SAFETY: a null pointer is "no error" to the client too.
    unsafe { raw::rd_kafka_error_code(error) }
}

/// The code of a whole answer.
///
/// SAFETY: the event is alive.
pub(super) unsafe fn event_code(event: *mut rd_kafka_event_t) -> i32 {
    // SAFETY: promised by the caller.
    unsafe { raw::rd_kafka_event_error(event) }
}

/// The code of one topic's result.
///
/// SAFETY: the result is alive.
pub(super) unsafe fn topic_result_code(result: *const rd_kafka_topic_result_t) -> i32 {
    // SAFETY: promised by the caller.
    unsafe { raw::rd_kafka_topic_result_error(result) }
}

/// The code of one resource's result.
///
/// SAFETY: the resource is alive.
pub(super) unsafe fn config_resource_code(resource: *const rd_kafka_ConfigResource_t) -> i32 {
    // SAFETY: promised by the caller.
    unsafe { raw::rd_kafka_ConfigResource_error(resource) }
}

/// The fatal error that made a client useless, if one did.
pub(super) fn fatal_of(rk: *mut rd_kafka_t) -> Option<KafkaError> {
    let mut buffer: [c_char; 512] = [0; 512];
    // SAFETY: the handle is alive, and the client writes at most the size that it is told, with a final zero.
    let (code, text) = unsafe {
        let code = bindings::rd_kafka_fatal_error(rk, buffer.as_mut_ptr(), buffer.len());
        (code, text(buffer.as_ptr()))
    };
    if code == Code::RD_KAFKA_RESP_ERR_NO_ERROR {
        return None;
    }
    let kind = if is_fenced(code as i32) { KafkaErrorKind::Fenced } else { KafkaErrorKind::Fatal };
    Some(KafkaError::new(kind, format!("the client has failed: {text}")))
}

/// A C string's text; empty for null.
///
/// SAFETY: `string` is null or points to a string that ends with a zero.
pub(super) unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// A name for the C client.
pub(super) fn c_string(name: &str) -> Result<CString, KafkaError> {
    CString::new(name).map_err(|_| KafkaError::new(KafkaErrorKind::Config, format!("{name:?} contains a zero byte")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_to_do() {
        let table = [
            (Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH as i32, KafkaErrorKind::Fenced),
            (Code::RD_KAFKA_RESP_ERR__TRANSPORT as i32, KafkaErrorKind::Retriable),
            (Code::RD_KAFKA_RESP_ERR__TIMED_OUT as i32, KafkaErrorKind::Timeout),
            (Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE as i32, KafkaErrorKind::RecordRefused),
            (Code::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32, KafkaErrorKind::OffsetOutOfRange),
            (Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED as i32, KafkaErrorKind::Denied),
            (29_999, KafkaErrorKind::Fatal),
        ];
        for (code, kind) in table {
            assert_eq!(kind_of(code), kind, "{code} {}", text_of(code));
        }
    }

    #[test]
    fn in_a_transaction_an_error_without_a_flag_is_fatal() {
        let error = |code: Code, fatal, requires_abort, retriable| {
            Flagged { code: code as i32, text: String::new(), fatal, requires_abort, retriable }.transactional("x").kind
        };
        let table = [
            (error(Code::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, false, false, false), KafkaErrorKind::Fatal),
            (error(Code::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, false, false, true), KafkaErrorKind::Retriable),
            (error(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, false, false, true), KafkaErrorKind::Timeout),
            (error(Code::RD_KAFKA_RESP_ERR__TIMED_OUT, false, true, false), KafkaErrorKind::Abortable),
            (error(Code::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, true, false, false), KafkaErrorKind::Fatal),
            (error(Code::RD_KAFKA_RESP_ERR__FENCED, true, false, false), KafkaErrorKind::Fenced),
        ];
        for (kind, expected) in table {
            assert_eq!(kind, expected);
        }
    }
}
