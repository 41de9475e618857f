//! The C client's log lines and error events, passed on to `tracing` under the target `librdkafka`.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::bindings::{rd_kafka_name, rd_kafka_t};

use super::context::Context;
use super::deadline::Deadline;
use super::errors::{kind_of, text, text_of};
use crate::kafka::{KafkaError, KafkaErrorKind};

/// A client that has lost its brokers says so many times a second.
const REPEAT_AFTER: Duration = Duration::from_secs(10);

/// Lets one event pass in ten seconds and counts the others.
#[derive(Debug, Default)]
pub(super) struct RateLimit(Mutex<Option<(Deadline, u64)>>);

impl RateLimit {
    /// How many were held back since the last that passed, if this one may pass.
    pub(super) fn pass(&self) -> Option<u64> {
        let mut state = self.0.lock().expect("no panic while the lock is held");
        match &mut *state {
            Some((quiet_until, held_back)) if !quiet_until.has_passed() => {
                *held_back += 1;
                None
            }
            _ => Some(state.replace((Deadline::after(REPEAT_AFTER), 0)).map_or(0, |(_, held_back)| held_back)),
        }
    }
}

/// Called by the client's own threads.
///
/// SAFETY: as the C client calls it: a live handle and strings that end with a zero.
pub(super) unsafe extern "C" fn on_log(rk: *const rd_kafka_t, level: c_int, facility: *const c_char, line: *const c_char) {
    // SAFETY: promised by the client; it has no handle yet while one is being made.
    let (client, facility, line) =
        unsafe { (if rk.is_null() { String::new() } else { text(rd_kafka_name(rk)) }, text(facility), text(line)) };
    match (level, facility.as_str()) {
        // Properties of the user are given to every kind of client; each warns about those of the others.
        (_, "CONFWARN") => tracing::debug!(target: "librdkafka", client, facility, "{line}"),
        (0..=3, _) => tracing::error!(target: "librdkafka", client, facility, "{line}"),
        (4, _) => tracing::warn!(target: "librdkafka", client, facility, "{line}"),
        (5 | 6, _) => tracing::info!(target: "librdkafka", client, facility, "{line}"),
        _ => tracing::debug!(target: "librdkafka", client, facility, "{line}"),
    }
}

/// Called from the owner's polls. Most errors here are informational: the client goes on by itself, or says so by a fatal error,
/// which each call returns. That a topic is gone or something forbidden is kept for the next poll: it is told in no other way.
///
/// SAFETY: as the C client calls it, with the context that the client was made with.
pub(super) unsafe extern "C" fn on_error(_rk: *mut rd_kafka_t, code: c_int, reason: *const c_char, opaque: *mut c_void) {
    // SAFETY: the context outlives the client, and the reason is a string.
    let (context, reason) = unsafe { (&*opaque.cast::<Context>(), text(reason)) };
    report(context, code, &reason);
    let kind = kind_of(code);
    if matches!(kind, KafkaErrorKind::UnknownTopic | KafkaErrorKind::Denied) {
        let mut told = context.told_error.lock().expect("no panic while the lock is held");
        told.get_or_insert_with(|| KafkaError::new(kind, reason));
    }
}

/// Logs a transient error, not more often than helps.
pub(super) fn report(context: &Context, code: i32, reason: &str) {
    let Some(held_back) = context.transient_errors.pass() else { return };
    let (client, error) = (context.client_id.as_str(), text_of(code));
    if matches!(kind_of(code), KafkaErrorKind::Retriable | KafkaErrorKind::Timeout) {
        tracing::warn!(target: "librdkafka", client, %error, held_back, "{reason}");
    } else {
        tracing::error!(target: "librdkafka", client, %error, held_back, "{reason}");
    }
}

#[cfg(test)]
mod tests {
    use super::RateLimit;

    #[test]
    fn the_first_event_passes_and_the_next_are_counted() {
        let limit = RateLimit::default();
        assert_eq!(limit.pass(), Some(0));
        assert_eq!(limit.pass(), None);
        assert_eq!(limit.pass(), None);
        assert_eq!(limit.0.lock().unwrap().unwrap().1, 2);
    }
}
