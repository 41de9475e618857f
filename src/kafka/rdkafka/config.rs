//! Settings of the C clients: our defaults, the user's properties over them, and what no property may change.
//!
//! Pure until [`Settings::build`]: which property wins is decided on maps.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::fmt::Display;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings::{self, rd_kafka_conf_res_t, rd_kafka_conf_t};

use super::errors::{c_string, text};
use super::timeout_millis;
use crate::kafka::{ConsumerSettings, Isolation, KafkaError, KafkaErrorKind, ProducerSettings, ReaderSettings, SenderSettings};

/// A client's properties. Fixed ones carry the guarantees: a user's property may repeat one, never change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    defaults: BTreeMap<&'static str, String>,
    fixed: BTreeMap<&'static str, String>,
}

/// Other names that the C client knows the fixed properties by.
const ALIASES: [(&str, &str); 2] = [("metadata.broker.list", "bootstrap.servers"), ("request.required.acks", "acks")];

/// The largest record that is sent: what dead-letter topics take. Other topics say themselves if they take less.
const RECORD_MAX_BYTES: usize = 2 << 20;
const KIB: usize = 1024;
/// How long a topic may be unknown to some broker after it was created. One that is unknown for longer is not there.
pub(super) const TOPIC_SPREAD: Duration = Duration::from_secs(5);
/// The C client's own bounds of `queued.max.messages.kbytes` and `fetch.max.bytes`.
const QUEUE_MAX_KIB: usize = 2_097_151;
const FETCH_MAX_BYTES: usize = 50 << 20;
const FETCH_MIN_BYTES: usize = 1 << 20;
/// What the C client keeps beside a queued record's bytes, roughly.
const RECORD_OVERHEAD_BYTES: usize = 512;

impl Settings {
    /// What every client needs.
    fn client(bootstrap_servers: &str, client_id: &str) -> Self {
        let mut settings = Self::default();
        settings.fix("bootstrap.servers", bootstrap_servers);
        settings.set("client.id", client_id);
        // Brokers may ask clients for statistics about them; nobody asked us.
        settings.set("enable.metrics.push", false);
        settings.set("socket.keepalive.enable", true);
        settings.set("socket.nagle.disable", true);
        settings.set("reconnect.backoff.max.ms", 2_000);
        settings.set("log.connection.close", false);
        settings
    }

    /// A client that administers a group, or is of one because it has to be of some. It never joins, and sees positions as they are
    /// now, whatever transactions are pending.
    pub(super) fn group(bootstrap_servers: &str, group_id: &str) -> Self {
        let mut settings = Self::client(bootstrap_servers, "highwater-admin");
        settings.fix("group.id", group_id);
        settings.fix("enable.auto.commit", false);
        settings.fix("isolation.level", "read_uncommitted");
        settings
    }

    pub(super) fn consumer(bootstrap_servers: &str, wanted: &ConsumerSettings) -> Self {
        let mut settings = Self::client(bootstrap_servers, &wanted.client_id);
        settings.fetch(wanted.queue_max_bytes, wanted.isolation);
        let session = timeout_millis(wanted.session_timeout);
        settings.fix("group.id", &wanted.group_id);
        if let Some(instance_id) = &wanted.instance_id {
            settings.fix("group.instance.id", instance_id);
        }
        settings.fix("group.protocol", "classic");
        settings.fix("partition.assignment.strategy", "cooperative-sticky");
        settings.set("session.timeout.ms", session);
        settings.set("heartbeat.interval.ms", (session / 3).clamp(1, 1_000));
        settings.set("max.poll.interval.ms", session.max(300_000));
        settings
    }

    /// A reader assigns itself. The C client wants a group's name for that, which no broker ever sees a member of.
    pub(super) fn reader(bootstrap_servers: &str, wanted: &ReaderSettings) -> Self {
        let mut settings = Self::client(bootstrap_servers, &wanted.client_id);
        settings.fetch(wanted.queue_max_bytes, wanted.isolation);
        settings.fix("group.id", &wanted.client_id);
        settings
    }

    fn fetch(&mut self, queue_max_bytes: usize, isolation: Isolation) {
        self.fix("enable.auto.commit", false);
        self.fix("enable.auto.offset.store", false);
        self.fix("auto.offset.reset", "error");
        self.fix("enable.partition.eof", true);
        self.fix("check.crcs", true);
        self.fix(
            "isolation.level",
            match isolation {
                Isolation::ReadCommitted => "read_committed",
                Isolation::ReadUncommitted => "read_uncommitted",
            },
        );
        self.set("queued.max.messages.kbytes", (queue_max_bytes / KIB).clamp(1, QUEUE_MAX_KIB));
        self.set("fetch.max.bytes", queue_max_bytes.clamp(FETCH_MIN_BYTES, FETCH_MAX_BYTES));
        // By default fetching pauses for a second when the queue has filled up.
        self.set("fetch.queue.backoff.ms", 10);
        // An empty answer is how the end of a partition is learnt.
        self.set("fetch.wait.max.ms", 100);
        self.set("fetch.error.backoff.ms", 100);
        // So that a deleted topic is told within seconds.
        self.set("topic.metadata.refresh.interval.ms", 10_000);
        self.set("topic.metadata.propagation.max.ms", timeout_millis(TOPIC_SPREAD));
    }

    pub(super) fn producer(bootstrap_servers: &str, wanted: &ProducerSettings) -> Self {
        let mut settings = Self::client(bootstrap_servers, &wanted.client_id);
        settings.produce(wanted.linger, wanted.queue_max_bytes);
        if let Some(transactional_id) = &wanted.transactional_id {
            settings.fix("transactional.id", transactional_id);
            settings.set("transaction.timeout.ms", timeout_millis(wanted.transaction_timeout));
        }
        // A report per record would cost as much as sending it.
        settings.fix("delivery.report.only.error", true);
        settings
    }

    pub(super) fn sender(bootstrap_servers: &str, wanted: &SenderSettings) -> Self {
        let mut settings = Self::client(bootstrap_servers, &wanted.client_id);
        settings.produce(wanted.linger, wanted.queue_max_bytes);
        settings.fix("delivery.report.only.error", false);
        settings.set("message.timeout.ms", timeout_millis(wanted.delivery_timeout).max(1));
        settings
    }

    fn produce(&mut self, linger: Duration, queue_max_bytes: usize) {
        self.fix("enable.idempotence", true);
        self.fix("acks", "all");
        self.set("linger.ms", timeout_millis(linger));
        self.set("compression.type", "lz4");
        self.set("message.max.bytes", RECORD_MAX_BYTES);
        self.set("queue.buffering.max.kbytes", (queue_max_bytes / KIB).clamp(1, i32::MAX as usize));
        self.set("queue.buffering.max.messages", (queue_max_bytes / RECORD_OVERHEAD_BYTES).clamp(10_000, 2_000_000));
    }

    fn set(&mut self, key: &'static str, value: impl Display) {
        self.defaults.insert(key, value.to_string());
    }

    fn fix(&mut self, key: &'static str, value: impl Display) {
        self.fixed.insert(key, value.to_string());
    }

    /// The properties in force, or which of the user's contradicts a guarantee.
    fn resolve<'a>(&'a self, user: &'a BTreeMap<String, String>) -> Result<BTreeMap<&'a str, &'a str>, KafkaError> {
        let mut properties: BTreeMap<&str, &str> = self.defaults.iter().map(|(key, value)| (*key, value.as_str())).collect();
        for (key, value) in user {
            let key = ALIASES.iter().find(|(alias, _)| alias == key).map_or(key.as_str(), |(_, name)| name);
            if let Some(fixed) = self.fixed.get(key)
                && !same(key, fixed, value)
            {
                return Err(KafkaError::new(
                    KafkaErrorKind::Config,
                    format!(
                        "the Kafka property `{key}` is {value:?}, but what is promised rests on {fixed:?}: remove the property"
                    ),
                ));
            }
            properties.insert(key, value);
        }
        properties.extend(self.fixed.iter().map(|(key, value)| (*key, value.as_str())));
        Ok(properties)
    }

    /// The C client's own configuration object.
    pub(super) fn build(&self, user: &BTreeMap<String, String>) -> Result<Conf, KafkaError> {
        let mut conf = Conf::new();
        for (key, value) in self.resolve(user)? {
            conf.set(key, value)?;
        }
        Ok(conf)
    }
}

/// `acks` has two spellings for the same.
fn same(key: &str, fixed: &str, value: &str) -> bool {
    fixed.eq_ignore_ascii_case(value) || (key == "acks" && value == "-1")
}

/// A configuration object of the C client; freed on drop unless a client took it.
#[derive(Debug)]
pub(super) struct Conf(NonNull<rd_kafka_conf_t>);

impl Conf {
    pub(super) fn new() -> Self {
        // SAFETY: takes nothing and allocates.
        let conf = unsafe { bindings::rd_kafka_conf_new() };
        Self(NonNull::new(conf).expect("the C client aborts rather than return null"))
    }

    /// Sets a property; an unknown one, or a value that does not fit, is an error that names it.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), KafkaError> {
        let mut error: [c_char; 512] = [0; 512];
        let (key_c, value_c) = (c_string(key)?, c_string(value)?);
        // SAFETY: the object and the strings are alive, and the buffer is as large as said.
        let result = unsafe {
            bindings::rd_kafka_conf_set(self.0.as_ptr(), key_c.as_ptr(), value_c.as_ptr(), error.as_mut_ptr(), error.len())
        };
        if result == rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
            return Ok(());
        }
        // SAFETY: on failure the buffer holds a string.
        let why = unsafe { text(error.as_ptr()) };
        Err(KafkaError::new(KafkaErrorKind::Config, format!("the Kafka property `{key}`: {why}")))
    }

    pub(super) fn as_ptr(&self) -> *mut rd_kafka_conf_t {
        self.0.as_ptr()
    }

    /// Gives it away to a client.
    pub(super) fn into_raw(self) -> *mut rd_kafka_conf_t {
        let conf = self.0.as_ptr();
        std::mem::forget(self);
        conf
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: nobody else has it.
        unsafe { bindings::rd_kafka_conf_destroy(self.0.as_ptr()) }
    }
}

/// The version of the C client, for logs.
pub(super) fn client_version() -> String {
    // SAFETY: a constant string.
    unsafe { CStr::from_ptr(bindings::rd_kafka_version_str()) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer() -> Settings {
        Settings::producer(
            "localhost:1",
            &ProducerSettings {
                transactional_id: Some("t".to_owned()),
                client_id: "c".to_owned(),
                transaction_timeout: Duration::from_secs(10),
                linger: Duration::from_millis(5),
                queue_max_bytes: 32 << 20,
            },
        )
    }

    fn user(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_users_property_wins_over_a_default_and_not_over_a_guarantee() {
        let settings = producer();
        let overridden = user("linger.ms", "50");
        assert_eq!(settings.resolve(&overridden).unwrap()["linger.ms"], "50");
        for (key, value) in [("acks", "all"), ("acks", "-1"), ("enable.idempotence", "TRUE"), ("request.required.acks", "-1")] {
            assert!(settings.resolve(&user(key, value)).is_ok(), "{key}={value} changes nothing");
        }
        for (key, value) in [("acks", "1"), ("enable.idempotence", "false"), ("request.required.acks", "0")] {
            let error = settings.resolve(&user(key, value)).unwrap_err();
            assert_eq!(error.kind, KafkaErrorKind::Config);
            assert!(error.message.contains("remove the property"), "{error}");
        }
    }

    #[test]
    fn an_unknown_property_or_a_value_that_does_not_fit_is_named() {
        for (key, value) in [("linger.sm", "5"), ("linger.ms", "soon"), ("linger.ms", "a\0b")] {
            let error = producer().build(&user(key, value)).unwrap_err();
            assert_eq!(error.kind, KafkaErrorKind::Config);
            assert!(error.message.contains(if value.contains('\0') { "zero byte" } else { key }), "{error}");
        }
    }

    #[test]
    fn every_kind_of_client_gets_properties_that_the_c_client_knows() {
        let reader = ReaderSettings { client_id: "r".to_owned(), queue_max_bytes: 0, isolation: Isolation::ReadUncommitted };
        let consumer = ConsumerSettings {
            group_id: "g".to_owned(),
            instance_id: Some("i".to_owned()),
            client_id: "c".to_owned(),
            queue_max_bytes: usize::MAX,
            session_timeout: Duration::from_secs(10),
            isolation: Isolation::ReadCommitted,
        };
        let sender = SenderSettings {
            client_id: "s".to_owned(),
            topics: Vec::new(),
            linger: Duration::from_millis(5),
            delivery_timeout: Duration::from_secs(8),
            queue_max_bytes: 1 << 20,
        };
        let sender = Settings::sender("h:1", &sender);
        let all = [
            producer(),
            sender,
            Settings::group("h:1", "g"),
            Settings::reader("h:1", &reader),
            Settings::consumer("h:1", &consumer),
        ];
        for settings in all {
            settings.build(&BTreeMap::new()).unwrap();
        }
    }
}
