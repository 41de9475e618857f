//! The topologies against the oracle: generated traffic through the test driver, and its rows against the oracle's.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use highwater::kafka::StoredRecord;
use highwater::serde::Decode;
use highwater::testing::{OutputRecord, header_texts};
use highwater::{Headers, Topology, TopologyTestDriver};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shoppulse::pipelines::{clean, customers, orders, sessions};
use shoppulse::schemas::Schemas;
use shoppulse_avro::{
    CleanEvent, CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey, OrderFact, OrderFactKey, QualityKey, QualityRow,
    SessionKey, SessionRow, TopicRecord,
};
use shoppulse_oracle::{Actual, InputRecord, OutputRow, Traffic, TrafficSettings, compare, expect};

const PARTITIONS: i32 = 4;

/// Runs one topology over the records that it reads.
struct Run {
    driver: TopologyTestDriver,
}

impl Run {
    fn new(topology: &Topology) -> Self {
        Self { driver: TopologyTestDriver::with_partitions(topology, PARTITIONS).committing_by_hand() }
    }

    fn send(&mut self, record: &InputRecord) {
        let mut headers = Headers::new();
        for (key, value) in &record.headers {
            headers.push(key.as_str(), value.clone().map(Bytes::from));
        }
        let stored =
            StoredRecord { key: record.key.clone().map(Bytes::from), value: record.value.clone().map(Bytes::from), headers };
        self.driver.input(&record.topic).partition(record.partition).send_record(record.timestamp_ms, stored);
    }

    fn outputs(&mut self, topic: &str) -> Vec<OutputRecord> {
        self.driver.output(topic).read_raw()
    }
}

/// Decodes output records and shows them to the oracle.
struct Judge {
    schemas: Schemas,
    actual: Actual,
}

impl Judge {
    fn observe<K, V>(&mut self, topic: &str, outputs: &[OutputRecord])
    where
        K: TopicRecord + Serialize + DeserializeOwned,
        V: TopicRecord + Serialize + DeserializeOwned,
    {
        let (keys, values) =
            (self.schemas.serde::<K>().expect("a key schema"), self.schemas.serde::<V>().expect("a value schema"));
        for output in outputs {
            let key: K = keys.decode(output.record.key.as_deref().expect("a key")).expect("the key can be decoded");
            let value: Option<V> =
                output.record.value.as_deref().map(|bytes| values.decode(bytes).expect("the value can be decoded"));
            self.show(topic, output, json(&key), value.as_ref().map(json));
        }
    }

    fn observe_clean(&mut self, outputs: &[OutputRecord]) {
        let values = self.schemas.serde::<CleanEvent>().expect("a value schema");
        for output in outputs {
            let value: CleanEvent =
                values.decode(output.record.value.as_deref().expect("a value")).expect("the value can be decoded");
            self.show("clean.events", output, text(output.record.key.as_ref()), Some(json(&value)));
        }
    }

    fn observe_raw(&mut self, topic: &str, outputs: &[OutputRecord]) {
        for output in outputs {
            self.show(topic, output, text(output.record.key.as_ref()), Some(Value::Null));
        }
    }

    fn show(&mut self, topic: &str, output: &OutputRecord, key: Value, value: Option<Value>) {
        assert_stamped(topic, output, value.as_ref());
        let row = OutputRow { topic: topic.to_owned(), key, value };
        self.actual.observe(output.partition, row, &header_texts(&output.record.headers));
    }
}

/// Rule 7: an event is stamped with when it occurred, a row with when it was updated.
fn assert_stamped(topic: &str, output: &OutputRecord, value: Option<&Value>) {
    let column = if topic == "clean.events" { "occurred_at" } else { "updated_at" };
    if let Some(micros) = value.and_then(|value| value[column].as_i64()) {
        assert_eq!(output.timestamp.as_millis(), micros.div_euclid(1_000).max(0), "{topic}: {value:?}");
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("rows are JSON")
}

fn text(bytes: Option<&Bytes>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// All four topologies over these records; every `commit_every` records a commit and a second of wall-clock time.
fn run_all(records: &[InputRecord], commit_every: usize, schemas: &Schemas) -> Actual {
    let build =
        |build: fn(&Schemas) -> Result<Topology, highwater::Error>| Run::new(&build(schemas).expect("the topology is right"));
    let mut runs = [build(clean::build), build(sessions::build), build(orders::build), build(customers::build)];
    let mut outputs: BTreeMap<String, Vec<OutputRecord>> = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        let run = match &*record.topic {
            "raw.events" => 0,
            "cdc.shop.public.customers" => 3,
            _ => 2,
        };
        runs[run].send(record);
        if index % commit_every == commit_every - 1 {
            step(&mut runs, &mut outputs, false);
        }
    }
    step(&mut runs, &mut outputs, true);
    let mut judge = Judge { schemas: schemas.clone(), actual: Actual::new().with_partitions(PARTITIONS) };
    judge.observe_clean(&outputs["clean.events"]);
    judge.observe::<SessionKey, SessionRow>("curated.sessions", &outputs["curated.sessions"]);
    judge.observe::<OrderFactKey, OrderFact>("curated.order_facts", &outputs["curated.order_facts"]);
    judge.observe::<CustomerKey, CustomerRow>("curated.customers", &outputs["curated.customers"]);
    judge.observe::<CustomerVersionKey, CustomerVersion>("curated.customer_history", &outputs["curated.customer_history"]);
    judge.observe::<QualityKey, QualityRow>("ops.quality", &outputs["ops.quality"]);
    judge.observe_raw("late.events", &outputs["late.events"]);
    judge.observe_raw("dlq.shoppulse", &outputs["dlq.shoppulse"]);
    judge.actual
}

/// Commits, hands clean events on to sessions, and gathers what came out.
fn step(runs: &mut [Run; 4], outputs: &mut BTreeMap<String, Vec<OutputRecord>>, last: bool) {
    for index in 0..runs.len() {
        let run = &mut runs[index];
        run.driver.advance_wall_clock(Duration::from_secs(1));
        if last {
            run.driver.drain();
        } else {
            run.driver.commit();
        }
        for topic in [
            "clean.events",
            "curated.sessions",
            "curated.order_facts",
            "curated.customers",
            "curated.customer_history",
            "ops.quality",
            "late.events",
            "dlq.shoppulse",
        ] {
            let fresh = runs[index].outputs(topic);
            if topic == "clean.events" {
                for event in &fresh {
                    let record = event.record.clone();
                    runs[1].driver.input(topic).partition(event.partition).send_record(event.timestamp.as_millis(), record);
                }
            }
            outputs.entry(topic.to_owned()).or_default().extend(fresh);
        }
    }
}

fn assert_equals_the_oracle(records: &[InputRecord], commit_every: usize) {
    let schemas = Schemas::in_memory();
    let actual = run_all(records, commit_every, &schemas);
    let differences = compare(&expect(records), &actual);
    let shown: Vec<String> = differences.iter().take(25).map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{} differences, among them:\n{}", differences.len(), shown.join("\n"));
}

// covers: R6, R7, R12, R26, R43, R44
#[test]
fn generated_traffic_becomes_the_rows_that_the_oracle_expects() {
    for seed in 1..=3 {
        let records: Vec<InputRecord> = Traffic::new(TrafficSettings::test(20_000, seed)).collect();
        assert_equals_the_oracle(&records, 997);
    }
}
