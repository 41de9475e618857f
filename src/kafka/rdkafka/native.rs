//! A handle of the C client, destroyed in bounded time when its last user is gone.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_t, rd_kafka_type_t};

use super::config::{Conf, Settings};
use super::context::Context;
use super::ending::within;
use super::errors::text;
use super::{consumer, logging, sender, watch};
use crate::kafka::{KafkaError, KafkaErrorKind};

/// How long the end of a client is waited for. It takes some milliseconds where nothing is in its way.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// What a handle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Consumer,
    Producer,
    Sender,
    Admin,
}

impl Role {
    fn produces(self) -> bool {
        matches!(self, Self::Producer | Self::Sender)
    }
}

/// A handle and the context of its callbacks.
///
/// Fetched messages keep it alive, since they cannot be freed without it.
#[derive(Debug)]
pub(super) struct Native {
    /// Taken on drop.
    handle: Option<Handle>,
}

/// Destroys the client on drop, and then frees the context.
#[derive(Debug)]
struct Handle {
    rk: NonNull<rd_kafka_t>,
    role: Role,
    context: Box<Context>,
}

// SAFETY: handles of the C client may be used from any thread, and so may the context.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Native {
    pub(super) fn new(
        role: Role,
        settings: &Settings,
        user: &BTreeMap<String, String>,
        client_id: &str,
    ) -> Result<Self, KafkaError> {
        let conf = settings.build(user)?;
        let context = Box::new(Context::new(client_id));
        install_callbacks(role, &conf, &context);
        // An administrator is a consumer that never joins: when a group's coordinator has moved, the C client (2.12) looks the new
        // one up through the consumer group of the asking client, and crashes where that has none.
        let kind = if role.produces() { rd_kafka_type_t::RD_KAFKA_PRODUCER } else { rd_kafka_type_t::RD_KAFKA_CONSUMER };
        let mut error: [c_char; 512] = [0; 512];
        let raw_conf = conf.into_raw();
        // SAFETY: the configuration is complete, the buffer as large as said, and the context outlives the handle: see `Drop`.
        let rk = unsafe { bindings::rd_kafka_new(kind, raw_conf, error.as_mut_ptr(), error.len()) };
        let Some(rk) = NonNull::new(rk) else {
            // SAFETY: a handle that was not made has not taken the configuration, and has written why.
            let why = unsafe {
                bindings::rd_kafka_conf_destroy(raw_conf);
                text(error.as_ptr())
            };
            return Err(KafkaError::new(KafkaErrorKind::Config, format!("the Kafka client {client_id:?}: {why}")));
        };
        Ok(Self { handle: Some(Handle { rk, role, context }) })
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("taken on drop only")
    }

    pub(super) fn as_ptr(&self) -> *mut rd_kafka_t {
        self.handle().rk.as_ptr()
    }

    pub(super) fn context(&self) -> &Context {
        &self.handle().context
    }
}

fn install_callbacks(role: Role, conf: &Conf, context: &Context) {
    let opaque = std::ptr::from_ref(context).cast_mut().cast::<c_void>();
    // SAFETY: the configuration is alive, the functions are `'static`, and each callback gets the context as its opaque, the
    // interceptors the watch in it.
    unsafe {
        bindings::rd_kafka_conf_set_opaque(conf.as_ptr(), opaque);
        bindings::rd_kafka_conf_set_log_cb(conf.as_ptr(), Some(logging::on_log));
        bindings::rd_kafka_conf_set_error_cb(conf.as_ptr(), Some(logging::on_error));
        match role {
            Role::Consumer => bindings::rd_kafka_conf_set_rebalance_cb(conf.as_ptr(), Some(consumer::on_rebalance)),
            Role::Producer => {
                // Only where reports are events does a flush wait without looking at the clock.
                bindings::rd_kafka_conf_set_events(conf.as_ptr(), bindings::RD_KAFKA_EVENT_DR);
                let watch = std::ptr::from_ref(&context.watch).cast_mut().cast::<c_void>();
                bindings::rd_kafka_conf_interceptor_add_on_new(conf.as_ptr(), c"highwater".as_ptr(), Some(watch::on_new), watch);
            }
            Role::Sender => bindings::rd_kafka_conf_set_dr_msg_cb(conf.as_ptr(), Some(sender::on_delivery)),
            Role::Admin => (),
        }
    }
}

impl Drop for Native {
    /// Waits for the client's end. Not for ever if it consumes: its end waits for its group and its threads, and may never come. One
    /// that produces points into its owner's memory until it has ended.
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        if handle.role.produces() {
            return drop(handle);
        }
        let client = handle.context.client_id.clone();
        if within(END_PATIENCE, move || drop(handle)).is_none() {
            tracing::warn!(client, "a Kafka client does not end; going on without it");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the last use. Purged records wait for nothing, and without a consumer's close no broker is waited for: a
        // member that leaves in order has been closed before. The context goes only after the client's threads have ended.
        unsafe {
            if self.role.produces() {
                let all = bindings::RD_KAFKA_PURGE_F_QUEUE
                    | bindings::RD_KAFKA_PURGE_F_INFLIGHT
                    | bindings::RD_KAFKA_PURGE_F_NON_BLOCKING;
                bindings::rd_kafka_purge(self.rk.as_ptr(), all);
            }
            bindings::rd_kafka_destroy_flags(self.rk.as_ptr(), bindings::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }
}
