//! Every setting: its name, what values it takes, its default, what it does. The manual's table is made from it.

use std::fmt::Write as _;

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in a file; `a.b` is `b` in section `[a]`.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its value if nobody sets it; empty: none.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Text that is not to be shown; `<name>_file` names a file that holds it.
    Secret,
    /// Letters, digits, `.`, `_`, `-`: it becomes part of topics' names.
    Name,
    /// Names, separated by commas.
    Names,
    /// A whole number from … to ….
    Number(i64, i64),
    /// One of these.
    OneOf(&'static [&'static str]),
    /// `host:port`.
    Address,
    /// `host:port`, several separated by commas.
    Addresses,
    /// An address that begins with `http://` or `https://`.
    Url,
}

impl Key {
    /// Its name in the environment.
    pub fn variable(&self) -> String {
        variable(self.name)
    }
}

/// A setting's name in the environment.
pub(super) fn variable(name: &str) -> String {
    format!("{}{}", super::layers::PREFIX, name.replace('.', "__").to_uppercase())
}

/// Under this, any property of the C client.
pub(super) const PROPERTIES: &str = "kafka.properties.";

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about }
}

const ANY_MS: Kind = Kind::Number(0, 86_400_000);
const SOME_MS: Kind = Kind::Number(1, 86_400_000);
/// Up to ten years.
const HOURS: Kind = Kind::Number(1, 87_600);

/// All settings, in the order of the manual.
pub const KEYS: &[Key] = &[
    key("application_id", Kind::Name, "shoppulse", "first part of the names of groups, internal topics and transactions"),
    key(
        "instance_id",
        Kind::Name,
        "",
        "names this process among those that share the work, stable across restarts; by default a value kept in the state directory",
    ),
    key("state_dir", Kind::Text, "shoppulse-state", "directory of task state; one process at a time uses it"),
    key("topologies", Kind::Names, "", "which topologies run; all by default"),
    key("threads", Kind::Number(1, 256), "1", "stream threads of each topology"),
    key(
        "processing_guarantee",
        Kind::OneOf(&["exactly_once", "at_least_once"]),
        "exactly_once",
        "what is promised about each record",
    ),
    key("commit_interval_ms", Kind::Number(1, 60_000), "200", "how often results are committed and become visible"),
    key("emit_every_ms", ANY_MS, "30000", "how often one curated row is written at most"),
    key(
        "memory_budget_bytes",
        Kind::Number(1, i64::MAX),
        "1073741824",
        "what the process may use of memory; about half of a container's limit",
    ),
    key("partitions", Kind::Number(1, 10_000), "6", "partitions of the topics that are created, external and internal"),
    key("replication_factor", Kind::Number(-1, 100), "-1", "copies of the topics that are created; -1 is the broker's default"),
    key("kafka.bootstrap_servers", Kind::Addresses, "localhost:9092", "brokers to ask first"),
    key("kafka.connect_timeout_ms", SOME_MS, "30000", "how long the first answer of a broker may take at start"),
    key("kafka.request_timeout_ms", SOME_MS, "30000", "how long any other request may take"),
    key(
        "kafka.properties.*",
        Kind::Text,
        "",
        "any property of librdkafka, as in `\"security.protocol\" = \"ssl\"`; in the environment its dots are `__`; `<property>_file` names a file that holds the value",
    ),
    key(
        "schema_registry.url",
        Kind::Url,
        "http://localhost:8081",
        "the schema registry's address, with the API's path if it has one",
    ),
    key("schema_registry.user", Kind::Text, "", "user name, or API key"),
    key("schema_registry.password", Kind::Secret, "", "password, or API secret"),
    key("schema_registry.token", Kind::Secret, "", "bearer token, instead of user and password"),
    key("schema_registry.timeout_ms", SOME_MS, "10000", "how long a call may take"),
    key(
        "http.listen",
        Kind::Address,
        "127.0.0.1:8080",
        "where `run` serves health and metrics, and `collect` everything; port 0 takes a free one; if nobody sets it and the port is taken, `run` takes another one",
    ),
    key(
        "collect.keys_file",
        Kind::Text,
        "",
        "file of write keys, a line `write_key = \"shop_id\"` for each; read again when it changes; `collect` needs it",
    ),
    key(
        "collect.key_secret",
        Kind::Secret,
        "",
        "keys the pseudonyms of users in keys of records; the same in every collector and for ever; `collect` needs it",
    ),
    key("collect.http_threads", Kind::Number(1, 256), "2", "threads of `collect` that serve requests"),
    key("collect.connections_max", Kind::Number(1, 1_000_000), "10000", "connections at once; others wait to be accepted"),
    key(
        "collect.body_max_bytes",
        Kind::Number(1_000, 2_000_000),
        "1048576",
        "longest request body, packed and unpacked; SDKs send up to 512 KB",
    ),
    key("collect.batch_max_events", Kind::Number(1, 100_000), "10000", "events of one request"),
    key(
        "collect.event_max_bytes",
        Kind::Number(1_000, 524_288),
        "524288",
        "longest record, key and value; a longer one is a dead letter, `too_large`",
    ),
    key(
        "collect.nesting_max_levels",
        Kind::Number(1, 127),
        "127",
        "how deep an event may nest; a deeper one is a dead letter, `not_json`",
    ),
    key(
        "collect.bodies_max_bytes",
        Kind::Number(1_000_000, i64::MAX),
        "134217728",
        "bodies that wait for their answer; beyond it requests are answered with 429",
    ),
    key(
        "collect.queue_max_bytes",
        Kind::Number(1_000_000, i64::MAX),
        "134217728",
        "records that wait for brokers; beyond it requests are answered with 429",
    ),
    key("collect.linger_ms", Kind::Number(0, 1_000), "5", "how long records wait for others to travel with"),
    key(
        "collect.acknowledge_timeout_ms",
        Kind::Number(100, 300_000),
        "8000",
        "how long brokers may take to acknowledge; then the request is answered with 429; less than SDKs wait (10 s)",
    ),
    key(
        "collect.read_timeout_ms",
        Kind::Number(100, 600_000),
        "30000",
        "how long a request's head, its body and a TLS handshake may take to come; an idle connection is closed after as long",
    ),
    key("collect.retry_after_seconds", Kind::Number(1, 3_600), "1", "what `Retry-After` says with 429"),
    key(
        "collect.client_ip",
        Kind::OneOf(&["browsers", "always", "never"]),
        "browsers",
        "whose address is kept with events, as `clientIp`: of requests that come from a page, of all, of none",
    ),
    key(
        "collect.trusted_proxy_hops",
        Kind::Number(0, 16),
        "0",
        "how many proxies stand before `collect` whose `X-Forwarded-For` counts",
    ),
    key("collect.cors_origins", Kind::Text, "*", "origins of pages that may send, separated by commas; `*`: any"),
    key("collect.tls_certificate_file", Kind::Text, "", "chain of certificates in PEM, for TLS; read again when it changes"),
    key("collect.tls_key_file", Kind::Text, "", "private key in PEM, for TLS"),
    key(
        "session_timeout_ms",
        Kind::Number(1_000, 1_800_000),
        "30000",
        "how long a member of a group may be silent before its work moves",
    ),
    key(
        "transaction_timeout_ms",
        Kind::Number(1_000, 900_000),
        "10000",
        "how long a broker lets a silent transaction live; bounds what others wait for after a crash",
    ),
    key("give_up_after_ms", SOME_MS, "300000", "how long a dependency may stay away before the process ends with 69"),
    key("idle_after_ms", SOME_MS, "60000", "silence of all inputs after which the wall clock closes what is due"),
    key("task_idle_ms", ANY_MS, "0", "how long a task with several inputs waits for the one that is silent"),
    key(
        "state_max_age_hours",
        HOURS,
        "20",
        "local state that was not confirmed for so long is rebuilt; less than the `delete.retention.ms` of changelogs",
    ),
    key("topics.raw_retention_hours", HOURS, "72", "how long raw.* and cdc.* keep records"),
    key(
        "topics.clean_retention_hours",
        HOURS,
        "120",
        "how long clean.events keeps records; at least raw retention + 24 h + 1 day",
    ),
    key("topics.failed_retention_hours", HOURS, "720", "how long late.* and dlq.* keep records"),
    key("topics.quality_retention_hours", HOURS, "720", "how long ops.quality keeps counts"),
    key("payments.chunk_lines", Kind::Number(1, 100_000), "5000", "lines that `load-payments` writes in one transaction"),
    key(
        "payments.stripe_order_columns",
        Kind::Text,
        crate::exports::STRIPE_ORDER_COLUMNS,
        "columns that may hold an order's id, separated by commas; the first that holds something counts",
    ),
    key("payments.adyen_order_columns", Kind::Text, crate::exports::ADYEN_ORDER_COLUMNS, "the same in Adyen's reports"),
    key(
        "payments.stripe_time_zone",
        Kind::Text,
        "UTC",
        "zone of Stripe's times where a report has no `_utc` column, as an abbreviation or an offset like `+01:00`",
    ),
    key(
        "payments.time_zones",
        Kind::Text,
        "",
        "more abbreviations of time zones, as in `IST=+05:30,AST=-04:00`; they go before those that are known",
    ),
    key("log", Kind::Text, "info", "log level, or directives such as `info,highwater=debug`"),
    key("log_format", Kind::OneOf(&["auto", "text", "json"]), "auto", "how log lines look; auto: text on a terminal, else JSON"),
];

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The manual's table of all settings, in Markdown.
pub fn settings_table() -> String {
    let mut table = String::from("| setting | in the environment | values | default | what it does |\n|---|---|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let variable = key.variable().replace('*', "…");
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{}` | `{variable}` | {} | {default} | {} |", key.name, key.kind.values(), key.about);
    }
    table
}

impl Kind {
    /// What values it takes, for the manual and for messages.
    pub(super) fn values(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "text, or `…_file`: a file that holds it".to_owned(),
            Self::Name => "letters, digits, `.`, `_`, `-`".to_owned(),
            Self::Names => "names, separated by commas".to_owned(),
            Self::Number(min, i64::MAX) => format!("a whole number of {min} or more"),
            Self::Number(min, max) => format!("a whole number from {min} to {max}"),
            Self::OneOf(choices) => choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(" or "),
            Self::Address => "`host:port`".to_owned(),
            Self::Addresses => "`host:port`, separated by commas".to_owned(),
            Self::Url => "an address that begins with `http://` or `https://`".to_owned(),
        }
    }
}
