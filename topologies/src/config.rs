//! The configuration: defaults, under a file, under the environment, under flags. Checked whole before anything starts, so
//! that one start shows all that is wrong.
//!
//! `keys` is the list of all settings, `layers` reads where values come from, `values` checks and reads them. Environment and
//! files are read here and nowhere else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use highwater::runtime::ProcessingGuarantee;
use highwater::serde::avro::RegistryAuth;

mod collect;
mod instance;
mod keys;
mod layers;
mod problem;
mod values;

pub use collect::CollectConfig;
pub use instance::instance_id;
pub use keys::{KEYS, Key, Kind, settings_table};
pub use layers::Sources;
pub use problem::{Problem, Problems};

use values::Values;

/// The file that is read if none is named.
pub const DEFAULT_FILE: &str = "shoppulse.toml";

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// The first part of all names of groups, internal topics and transactions.
    pub application_id: String,
    /// Names this process among those that share the work; `None`: a name kept in the state directory.
    pub instance_id: Option<String>,
    /// Where task state lives.
    pub state_dir: PathBuf,
    /// Which topologies run; empty means all.
    pub topologies: Vec<String>,
    /// Stream threads of each topology.
    pub threads: usize,
    /// What is promised about each record.
    pub guarantee: ProcessingGuarantee,
    /// How often to commit.
    pub commit_interval: Duration,
    /// What the process may use of memory.
    pub memory_budget_bytes: u64,
    /// Partitions of topics that we create.
    pub partitions: i32,
    /// Copies of topics that we create.
    pub replication_factor: i32,
    /// How often a curated row is written at most.
    pub emit_every: Duration,
    /// The cluster.
    pub kafka: KafkaConfig,
    /// The schema registry.
    pub registry: RegistryConfig,
    /// Where health and metrics are served.
    pub http: HttpConfig,
    /// How the collector behaves.
    pub collect: CollectConfig,
    /// How long external topics keep records.
    pub retention: Retention,
    /// How payment exports are read.
    pub payments: PaymentsConfig,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Logs.
    pub log: LogConfig,
}

/// How to reach the cluster.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// Brokers to ask first.
    pub bootstrap_servers: String,
    /// How long the first answer may take.
    pub connect_timeout: Duration,
    /// How long any other call may take.
    pub request_timeout: Duration,
    /// The C client's own properties.
    pub properties: BTreeMap<String, String>,
}

/// How to reach the schema registry.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Its address.
    pub url: String,
    /// How to prove who we are.
    pub auth: RegistryAuth,
    /// How long a call may take.
    pub timeout: Duration,
}

/// Where health and metrics are served.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Host and port.
    pub listen: String,
    /// Whether somebody chose it: then no other will do.
    pub is_chosen: bool,
}

/// How long topics of the outside world keep records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `raw.*` and `cdc.*`.
    pub raw: Duration,
    /// `clean.events`.
    pub clean: Duration,
    /// `late.*` and `dlq.*`.
    pub failed: Duration,
    /// `ops.quality`.
    pub quality: Duration,
}

/// How payment exports are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentsConfig {
    /// Lines in one transaction.
    pub chunk_lines: usize,
    /// Columns of Stripe's reports that may hold an order's id.
    pub stripe_order_columns: Vec<String>,
    /// Columns of Adyen's reports that may hold an order's id.
    pub adyen_order_columns: Vec<String>,
    /// The zone of Stripe's times that have none.
    pub stripe_time_zone: String,
    /// More abbreviations of time zones.
    pub time_zones: String,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A silent member's work moves after this.
    pub session: Duration,
    /// A silent transaction is aborted after this.
    pub transaction: Duration,
    /// A thread gives up after failing for so long.
    pub give_up_after: Duration,
    /// Silent inputs let the wall clock close what is due after this.
    pub idle_after: Duration,
    /// A task with several inputs waits for the silent one for so long.
    pub task_idle: Duration,
    /// State that was not confirmed for so long is rebuilt.
    pub state_max_age: Duration,
}

/// What is logged, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or directives as `tracing` has them.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Config {
    /// Reads and checks all settings.
    ///
    /// ```
    /// use shoppulse::config::{Config, Sources};
    ///
    /// let sources = Sources { environment: vec![("SHOPPULSE__THREADS".into(), "4".into())], ..Sources::default() };
    /// assert_eq!(Config::load(&sources)?.threads, 4);
    ///
    /// let sources = Sources { environment: vec![("SHOPPULSE__TREADS".into(), "4".into())], ..Sources::default() };
    /// let problems = Config::load(&sources).unwrap_err().to_string();
    /// assert!(problems.contains("SHOPPULSE__THREADS"), "{problems}");
    /// # Ok::<(), shoppulse::config::Problems>(())
    /// ```
    pub fn load(sources: &Sources) -> Result<Self, Problems> {
        let values = Values::check(layers::read(sources)?)?;
        Ok(Self {
            application_id: values.text("application_id"),
            instance_id: values.optional("instance_id"),
            state_dir: PathBuf::from(values.text("state_dir")),
            topologies: values.list("topologies"),
            threads: values.number("threads") as usize,
            guarantee: match &*values.text("processing_guarantee") {
                "at_least_once" => ProcessingGuarantee::AtLeastOnce,
                _ => ProcessingGuarantee::ExactlyOnce,
            },
            commit_interval: values.millis("commit_interval_ms"),
            memory_budget_bytes: values.number("memory_budget_bytes") as u64,
            partitions: values.number("partitions") as i32,
            replication_factor: values.number("replication_factor") as i32,
            emit_every: values.millis("emit_every_ms"),
            kafka: KafkaConfig {
                bootstrap_servers: values.text("kafka.bootstrap_servers"),
                connect_timeout: values.millis("kafka.connect_timeout_ms"),
                request_timeout: values.millis("kafka.request_timeout_ms"),
                properties: values.properties(),
            },
            registry: RegistryConfig {
                url: values.text("schema_registry.url"),
                auth: registry_auth(&values),
                timeout: values.millis("schema_registry.timeout_ms"),
            },
            http: HttpConfig { listen: values.text("http.listen"), is_chosen: values.is_set("http.listen") },
            collect: CollectConfig::of(&values),
            retention: Retention {
                raw: values.hours("topics.raw_retention_hours"),
                clean: values.hours("topics.clean_retention_hours"),
                failed: values.hours("topics.failed_retention_hours"),
                quality: values.hours("topics.quality_retention_hours"),
            },
            payments: PaymentsConfig {
                chunk_lines: values.number("payments.chunk_lines") as usize,
                stripe_order_columns: values.list("payments.stripe_order_columns"),
                adyen_order_columns: values.list("payments.adyen_order_columns"),
                stripe_time_zone: values.text("payments.stripe_time_zone"),
                time_zones: values.text("payments.time_zones"),
            },
            timeouts: Timeouts {
                session: values.millis("session_timeout_ms"),
                transaction: values.millis("transaction_timeout_ms"),
                give_up_after: values.millis("give_up_after_ms"),
                idle_after: values.millis("idle_after_ms"),
                task_idle: values.millis("task_idle_ms"),
                state_max_age: values.hours("state_max_age_hours"),
            },
            log: LogConfig {
                filter: values.text("log"),
                format: match &*values.text("log_format") {
                    "text" => LogFormat::Text,
                    "json" => LogFormat::Json,
                    _ => LogFormat::Auto,
                },
            },
        })
    }

    /// Settings of a topology's application.
    pub fn settings(&self, instance_id: &str, epoch: i64, limits: highwater::runtime::Limits) -> highwater::runtime::Settings {
        highwater::runtime::Settings {
            instance_id: instance_id.to_owned(),
            threads: self.threads,
            guarantee: self.guarantee,
            commit_interval: self.commit_interval,
            internal_partitions: self.partitions,
            replication_factor: self.replication_factor,
            epoch,
            create_topics_hint: "run `shoppulse topics apply --execute`".to_owned(),
            session_timeout: self.timeouts.session,
            transaction_timeout: self.timeouts.transaction,
            request_timeout: self.kafka.request_timeout,
            give_up_after: self.timeouts.give_up_after,
            idle_after: self.timeouts.idle_after,
            task_idle: self.timeouts.task_idle,
            state_max_age: self.timeouts.state_max_age,
            limits,
            ..highwater::runtime::Settings::new(self.application_id.clone(), self.state_dir.clone())
        }
    }

    /// The directory of a topology's state.
    pub fn application_dir(&self, topology: &str) -> PathBuf {
        self.state_dir.join(self.application(topology))
    }

    /// `<application_id>-<topology>`: a topology's group and the first part of its names.
    pub fn application(&self, topology: &str) -> String {
        format!("{}-{topology}", self.application_id)
    }

    /// The topic that holds the epoch of row versions.
    pub fn control_topic(&self) -> String {
        format!("{}-control", self.application_id)
    }
}

fn registry_auth(values: &Values) -> RegistryAuth {
    match (values.optional("schema_registry.user"), values.optional("schema_registry.token")) {
        (Some(user), _) => {
            RegistryAuth::Basic { user, password: values.optional("schema_registry.password").unwrap_or_default() }
        }
        (None, Some(token)) => RegistryAuth::Bearer(token),
        (None, None) => RegistryAuth::None,
    }
}

/// A file's text, for settings that name one.
fn read_file(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests;
