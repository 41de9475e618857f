//! The verdict: what came out, read from the cluster, against what the oracle makes of the same input.

use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use highwater::kafka::memory::{LoggedRecord, MemoryCluster};
use highwater::serde::Decode as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shoppulse_avro::{
    CleanEvent, CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey, OrderFact, OrderFactKey, QualityKey, QualityRow,
    SessionKey, SessionRow, TopicRecord,
};
use shoppulse_oracle::{Actual, Difference, InputRecord, OutputRow, compare, expect};

use super::crew::Tally;
use super::{DemoArgs, PARTITIONS};
use crate::exit::Failure;
use crate::schemas::Schemas;
use crate::topic_names as topics;

/// Differences that are shown; more are only counted.
const SHOWN_MAX: usize = 8;

/// What the demo found.
#[derive(Debug)]
pub struct Verdict {
    sabotaged: bool,
    wall: Duration,
    tally: Tally,
    checks: Vec<Check>,
    differences: Vec<Difference>,
}

/// One topic, compared.
#[derive(Debug)]
struct Check {
    topic: &'static str,
    what: &'static str,
    expected: usize,
    actual: usize,
    differences: usize,
}

/// Reads the output topics and compares.
pub(super) fn judge(
    args: &DemoArgs,
    cluster: &MemoryCluster,
    schemas: &Schemas,
    records: &[InputRecord],
    tally: &Tally,
    wall: Duration,
) -> Result<Verdict, Failure> {
    let expected = expect(records);
    let mut reading = Reading { cluster, schemas, actual: Actual::new().with_partitions(PARTITIONS) };
    let clean = reading.clean()?;
    reading.rows::<SessionKey, SessionRow>(topics::SESSIONS)?;
    reading.rows::<OrderFactKey, OrderFact>(topics::ORDER_FACTS)?;
    reading.rows::<CustomerKey, CustomerRow>(topics::CUSTOMERS)?;
    reading.rows::<CustomerVersionKey, CustomerVersion>(topics::CUSTOMER_HISTORY)?;
    reading.rows::<QualityKey, QualityRow>(topics::QUALITY)?;
    let late = reading.bytes(topics::LATE_EVENTS);
    let dead = reading.bytes(topics::DEAD_LETTERS);
    let actual = reading.actual;
    let differences = compare(&expected, &actual);
    let table = |topic| (expected.tables.get(topic).map_or(0, std::collections::BTreeMap::len), actual.rows(topic));
    let counts = [
        (topics::CLEAN_EVENTS, "events, each once", (expected.clean_events.len(), clean)),
        (topics::SESSIONS, "sessions", table(topics::SESSIONS)),
        (topics::ORDER_FACTS, "order facts", table(topics::ORDER_FACTS)),
        (topics::CUSTOMERS, "customers", table(topics::CUSTOMERS)),
        (topics::CUSTOMER_HISTORY, "customer versions", table(topics::CUSTOMER_HISTORY)),
        (topics::LATE_EVENTS, "late events", (expected.late_events.len(), late)),
        (topics::DEAD_LETTERS, "dead letters, with their reasons", (expected.dead_letters.len(), dead)),
        (topics::QUALITY, "counts of the books", (expected.quality.len(), actual.rows(topics::QUALITY))),
    ];
    let check = |(topic, what, (expected, actual)): (&'static str, &'static str, (usize, usize))| {
        let differences = differences.iter().filter(|difference| difference.topic == topic).count();
        Check { topic, what, expected, actual, differences }
    };
    let checks = counts.into_iter().map(check).collect();
    Ok(Verdict { sabotaged: args.sabotage, wall, tally: tally.clone(), checks, differences })
}

/// Reads output topics as a committed reader sees them, and shows them to the oracle.
struct Reading<'a> {
    cluster: &'a MemoryCluster,
    schemas: &'a Schemas,
    actual: Actual,
}

impl Reading<'_> {
    fn rows<K, V>(&mut self, topic: &str) -> Result<(), Failure>
    where
        K: TopicRecord + Serialize + DeserializeOwned,
        V: TopicRecord + Serialize + DeserializeOwned,
    {
        let (keys, values) = (self.schemas.serde::<K>()?, self.schemas.serde::<V>()?);
        for logged in self.cluster.read_committed(topic) {
            let key: K =
                keys.decode(logged.record.key.as_deref().unwrap_or_default()).map_err(|error| undecodable(topic, &error))?;
            let value: Option<V> = logged
                .record
                .value
                .as_deref()
                .map(|bytes| values.decode(bytes))
                .transpose()
                .map_err(|error| undecodable(topic, &error))?;
            self.show(topic, &logged, json(&key), value.as_ref().map(json));
        }
        Ok(())
    }

    fn clean(&mut self) -> Result<usize, Failure> {
        let values = self.schemas.serde::<CleanEvent>()?;
        let logged = self.cluster.read_committed(topics::CLEAN_EVENTS);
        for record in &logged {
            let bytes = record.record.value.as_deref().unwrap_or_default();
            let value: CleanEvent = values.decode(bytes).map_err(|error| undecodable(topics::CLEAN_EVENTS, &error))?;
            self.show(topics::CLEAN_EVENTS, record, Value::String(record.key_text().to_owned()), Some(json(&value)));
        }
        Ok(logged.len())
    }

    fn bytes(&mut self, topic: &str) -> usize {
        let logged = self.cluster.read_committed(topic);
        for record in &logged {
            let key =
                record.record.key.as_deref().map_or(Value::Null, |key| Value::String(String::from_utf8_lossy(key).into_owned()));
            self.show(topic, record, key, Some(Value::Null));
        }
        logged.len()
    }

    fn show(&mut self, topic: &str, logged: &LoggedRecord, key: Value, value: Option<Value>) {
        let row = OutputRow { topic: topic.to_owned(), key, value };
        self.actual.observe(logged.partition, row, &highwater::testing::header_texts(&logged.record.headers));
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("rows have text keys and plain values")
}

fn undecodable(topic: &str, error: &highwater::serde::SerdeError) -> Failure {
    Failure::failed(format!("a record of {topic} cannot be decoded: {error}"))
}

impl Verdict {
    /// Whether everything is as expected.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }

    /// The differences, as sentences.
    pub fn differences(&self) -> impl Iterator<Item = String> {
        self.differences.iter().map(ToString::to_string)
    }

    /// Writes it to stdout.
    pub fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{self}")?;
        out.flush()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThe books (records by topology and outcome)")?;
        for ((topology, outcome, reason), count) in &self.tally.outcomes {
            writeln!(f, "  {topology:<10} {outcome:<14} {reason:<22} {count:>9}")?;
        }
        writeln!(f, "\nWhat came out, against what the generator's oracle expects")?;
        for check in &self.checks {
            let mark = if check.differences == 0 { '✔' } else { '✘' };
            writeln!(f, "  {mark} {:<26} {:>9} of {:>9} {}", check.topic, check.actual, check.expected, check.what)?;
        }
        for difference in self.differences.iter().take(SHOWN_MAX) {
            writeln!(f, "      {difference}")?;
        }
        if self.differences.len() > SHOWN_MAX {
            writeln!(f, "      … and {} more differences", self.differences.len() - SHOWN_MAX)?;
        }
        let Tally { commits, crashes, .. } = &self.tally;
        writeln!(f, "\n{commits} commits, {crashes} crash, {:.1} s", self.wall.as_secs_f64())?;
        self.sentence(f)?;
        write!(f, "{LOOK_FURTHER}")
    }
}

impl Verdict {
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.holds(), self.sabotaged) {
            (true, false) => {
                writeln!(f, "VERDICT: holds. Every row, count and dead letter is as expected; nothing is lost or doubled.")
            }
            (false, false) => writeln!(f, "VERDICT: does not hold. {} differences: this is a bug.", self.differences.len()),
            (false, true) => writeln!(
                f,
                "VERDICT: does not hold, as it should: exactly-once was switched off (positions were committed apart from outputs), \
                 and the crash doubled records: {} differences.",
                self.differences.len()
            ),
            (true, true) => writeln!(
                f,
                "VERDICT: holds although a guarantee was broken on purpose: the crash hit no open work; run it again."
            ),
        }
    }
}

/// Where to go from here.
const LOOK_FURTHER: &str = "
To look further, run the same on a real Kafka, which is durable and can be reached from outside:
  eval \"$(dev/kafka up)\"
  bin/shoppulse topics apply --execute
  bin/shoppulse run                    # or: run --until-end
  bin/shoppulse tail curated.sessions --from-beginning
";
