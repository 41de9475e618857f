//! Settings of `collect`.

use std::path::PathBuf;
use std::time::Duration;

use super::values::Values;
use crate::collect::ClientIp;

/// How the collector behaves.
#[derive(Clone)]
pub struct CollectConfig {
    /// The file of write keys; `None`: not set.
    pub keys_file: Option<PathBuf>,
    /// Keys the pseudonyms of users; empty: not set.
    pub key_secret: String,
    /// Threads that serve.
    pub threads: usize,
    /// Connections at once.
    pub connections_max: usize,
    /// The longest body, packed and unpacked.
    pub body_max_bytes: usize,
    /// Events of one request.
    pub batch_max_events: usize,
    /// The longest record, key and value.
    pub event_max_bytes: usize,
    /// How deep an event may nest.
    pub nesting_max_levels: usize,
    /// Bodies that are held at once.
    pub bodies_max_bytes: usize,
    /// Records that wait to be acknowledged.
    pub queue_max_bytes: usize,
    /// How long records wait for company.
    pub linger: Duration,
    /// How long records may wait to be acknowledged.
    pub acknowledge_timeout: Duration,
    /// How long a head, a body or a handshake may take to come.
    pub read_timeout: Duration,
    /// What `Retry-After` says.
    pub retry_after_seconds: u32,
    /// Whose address is kept.
    pub client_ip: ClientIp,
    /// Proxies whose word on addresses counts.
    pub trusted_proxy_hops: usize,
    /// Pages that may send.
    pub cors_origins: String,
    /// The chain of certificates, for TLS.
    pub tls_certificate_file: Option<PathBuf>,
    /// The private key, for TLS.
    pub tls_key_file: Option<PathBuf>,
}

impl CollectConfig {
    pub(super) fn of(values: &Values) -> Self {
        let size = |name: &str| values.number(name) as usize;
        let path = |name: &str| values.optional(name).map(PathBuf::from);
        Self {
            keys_file: path("collect.keys_file"),
            key_secret: values.text("collect.key_secret"),
            threads: size("collect.http_threads"),
            connections_max: size("collect.connections_max"),
            body_max_bytes: size("collect.body_max_bytes"),
            batch_max_events: size("collect.batch_max_events"),
            event_max_bytes: size("collect.event_max_bytes"),
            nesting_max_levels: size("collect.nesting_max_levels"),
            bodies_max_bytes: size("collect.bodies_max_bytes"),
            queue_max_bytes: size("collect.queue_max_bytes"),
            linger: values.millis("collect.linger_ms"),
            acknowledge_timeout: values.millis("collect.acknowledge_timeout_ms"),
            read_timeout: values.millis("collect.read_timeout_ms"),
            retry_after_seconds: values.number("collect.retry_after_seconds") as u32,
            client_ip: match &*values.text("collect.client_ip") {
                "always" => ClientIp::Always,
                "never" => ClientIp::Never,
                _ => ClientIp::Browsers,
            },
            trusted_proxy_hops: size("collect.trusted_proxy_hops"),
            cors_origins: values.text("collect.cors_origins"),
            tls_certificate_file: path("collect.tls_certificate_file"),
            tls_key_file: path("collect.tls_key_file"),
        }
    }
}

impl std::fmt::Debug for CollectConfig {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectConfig").field("keys_file", &self.keys_file).finish_non_exhaustive()
    }
}
