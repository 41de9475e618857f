//! What a client's callbacks need: one per client, at an address that does not change while the client lives.

use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr};

use rdkafka::bindings::rd_kafka_queue_t;

use super::logging::RateLimit;
use super::watch::Watch;
use crate::kafka::{KafkaError, Rebalance};

/// The callbacks' side of a client. Callbacks run on the owner's thread (within its polls) or on the client's own threads.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) client_id: String,
    /// Transient errors already logged.
    pub(super) transient_errors: RateLimit,
    /// What the group decided and nobody has been told yet.
    pub(super) rebalances: Mutex<Vec<Rebalance>>,
    /// The consumer is closing: rebalances are answered at once, by the callback.
    pub(super) closing: AtomicBool,
    /// The queue that a waiting poll waits on, so that a rebalance ends the wait.
    pub(super) queue: AtomicPtr<rd_kafka_queue_t>,
    /// An error that only the error callback was told, and that the owner has to know.
    pub(super) told_error: Mutex<Option<KafkaError>>,
    /// What a producer's requests to coordinators have come to.
    pub(super) watch: Watch,
}

impl Context {
    pub(super) fn new(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            transient_errors: RateLimit::default(),
            rebalances: Mutex::default(),
            closing: AtomicBool::new(false),
            queue: AtomicPtr::new(ptr::null_mut()),
            told_error: Mutex::default(),
            watch: Watch::default(),
        }
    }
}
