//! What is counted at the door: names, meanings, and handles. A request is counted once, when it is answered.

use std::time::Duration;

use axum::http::StatusCode;
use highwater::Timestamp;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::rejection::Reason;

/// Requests, by status.
const REQUESTS: &str = "shoppulse_collect_requests_total";
/// Events, by what became of them.
const EVENTS: &str = "shoppulse_collect_events_total";
/// Bytes of bodies, unpacked.
const BODY_BYTES: &str = "shoppulse_collect_body_bytes_total";
/// From a request's head to its answer.
const REQUEST_SECONDS: &str = "shoppulse_collect_request_duration_seconds";
/// Connections.
const CONNECTIONS: &str = "shoppulse_collect_connections";
/// Bytes of bodies that are held.
const HELD_BYTES: &str = "shoppulse_collect_held_bytes";
/// Write keys in force.
const WRITE_KEYS: &str = "shoppulse_collect_write_keys";

/// Tells the installed recorder what the metrics mean. Once, at start.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests of SDKs, by the status that they were answered with.");
    describe_counter!(
        EVENTS,
        "Events of answered requests: `accepted`, or `dead_lettered` with the reason, once acknowledged; `unacknowledged` is what was queued, and may come again."
    );
    describe_counter!(BODY_BYTES, "Bytes of request bodies, unpacked.");
    describe_histogram!(REQUEST_SECONDS, "From a request's head to its answer, which waits for all in-sync replicas.");
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_gauge!(HELD_BYTES, "Bytes of request bodies that wait for their answer.");
    describe_gauge!(WRITE_KEYS, "Write keys in force.");
}

/// What became of the events of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    /// By reason; a batch has few that are wrong.
    pub(super) dead_lettered: Vec<Reason>,
}

/// Counts an answered request.
pub(super) fn answered(status: StatusCode, began: Timestamp, ended: Timestamp) {
    counter!(REQUESTS, "status" => status.as_u16().to_string()).increment(1);
    let took = Duration::from_millis(ended.as_millis().saturating_sub(began.as_millis()).max(0) as u64);
    histogram!(REQUEST_SECONDS).record(took.as_secs_f64());
}

/// Counts what a request brought, and whether all of it was acknowledged.
pub(super) fn queued(tally: &Tally, body_bytes: usize, acknowledged: bool) {
    counter!(BODY_BYTES).increment(body_bytes as u64);
    if !acknowledged {
        let all = tally.accepted + tally.dead_lettered.len() as u64;
        counter!(EVENTS, "outcome" => "unacknowledged", "reason" => "").increment(all);
        return;
    }
    counter!(EVENTS, "outcome" => "accepted", "reason" => "").increment(tally.accepted);
    for reason in &tally.dead_lettered {
        counter!(EVENTS, "outcome" => "dead_lettered", "reason" => reason.as_str()).increment(1);
    }
}

/// Shows what is held now.
pub(super) fn held(connections: usize, held_bytes: usize) {
    gauge!(CONNECTIONS).set(connections as f64);
    gauge!(HELD_BYTES).set(held_bytes as f64);
}

/// Shows how many keys are in force.
pub(super) fn write_keys(count: usize) {
    gauge!(WRITE_KEYS).set(count as f64);
}
