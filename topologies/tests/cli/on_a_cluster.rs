//! An operator's days on a real cluster, in order: topics are made, data is processed, tailed, reset; and what is said where something
//! is wrong. One test, since the topics are the same for all.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{Admin, Kafka as _, NewTopic, Outgoing, ProducerSettings, partition_for_key};
use highwater::time::{Clock as _, SystemClock};
use highwater::{Headers, Timestamp};
use serde_json::{Value, json};

use crate::real_kafka::RealKafka;
use crate::shoppulse::Shoppulse;

const PATIENCE: Duration = Duration::from_secs(30);
const VISITORS: usize = 10;
const EVENTS: usize = 100;

/// A cluster and a registry.
struct Cluster(RealKafka);

impl Cluster {
    fn kafka(&self) -> RdKafka {
        RdKafka::new(self.0.bootstrap_servers(), BTreeMap::new()).unwrap()
    }

    fn admin(&self) -> Box<dyn Admin> {
        self.kafka().admin().unwrap()
    }

    fn produce(&self, topic: &str, records: impl Iterator<Item = (String, Vec<u8>)>) {
        let settings = ProducerSettings {
            transactional_id: None,
            client_id: "test".to_owned(),
            transaction_timeout: PATIENCE,
            linger: Duration::from_millis(5),
            queue_max_bytes: 1 << 24,
        };
        let mut producer = self.kafka().producer(&settings).unwrap();
        let topic: Arc<str> = Arc::from(topic);
        for (key, value) in records {
            let record = Outgoing {
                topic: &topic,
                partition: partition_for_key(key.as_bytes(), 2),
                key: Some(key.as_bytes()),
                value: Some(&value),
                timestamp: began(),
                headers: &Headers::new(),
                track: false,
            };
            producer.send(&record, PATIENCE).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }
}

/// An hour before the test: older records would fall to the topics' retention.
fn began() -> Timestamp {
    static BEGAN: OnceLock<Timestamp> = OnceLock::new();
    *BEGAN.get_or_init(|| SystemClock.now().minus(Duration::from_hours(1)))
}

/// Page views, each sent twice, and a record that is none.
fn events() -> impl Iterator<Item = (String, Vec<u8>)> {
    let event = |number: usize| {
        let visitor = format!("v{}", number % VISITORS);
        let time = began().plus(Duration::from_secs(number as u64)).as_millis();
        let time = chrono::DateTime::from_timestamp_millis(time).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let event = json!({
            "type": "page", "messageId": format!("m{number}"), "shopId": "s", "writeKey": "w", "anonymousId": visitor,
            "receivedAt": time, "sentAt": time, "timestamp": time, "properties": {"n": 9_007_199_254_740_993_i64},
        });
        (format!("s|{visitor}"), event.to_string().into_bytes())
    };
    (0..EVENTS).chain(0..EVENTS).map(event).chain([("s|v0".to_owned(), b"no json".to_vec())])
}

#[test]
fn an_operators_days() {
    // covers: R45, R48
    let cluster = Cluster(RealKafka::up(&[]));
    let dir = tempfile::tempdir().unwrap();
    let shoppulse = Shoppulse::with_state(&dir.path().join("state"))
        .set("KAFKA__BOOTSTRAP_SERVERS", cluster.0.bootstrap_servers())
        .set("SCHEMA_REGISTRY__URL", cluster.0.registry_url());
    topics_are_made(&shoppulse);
    a_first_start_needs_the_registry(&shoppulse, &dir.path().join("other"));
    a_bounded_run_processes_all_there_is(&cluster, &shoppulse);
    a_later_start_does_without_the_registry(&cluster, &shoppulse);
    a_service_is_healthy_and_leaves_when_asked(&cluster, &shoppulse);
    a_reset_starts_anew_with_newer_rows(&shoppulse);
    what_does_not_fit_is_refused(&cluster, &shoppulse);
}

fn topics_are_made(shoppulse: &Shoppulse) {
    shoppulse.say(&["run", "--until-end"]).expect(78, &["`raw.events`", "do not exist", "topics apply --execute"]);
    shoppulse.say(&["doctor"]).expect(1, &["FAIL  topic raw.events: does not exist", "ok    brokers: 1 at", "ok    registry"]);
    shoppulse.say(&["topics", "apply"]).expect(0, &["create   raw.events  partitions=2", "nothing was changed: add --execute"]);
    shoppulse.say(&["topics", "apply", "--execute"]).expect(0, &["create   clean.events"]);
    let plan = shoppulse.say(&["topics", "plan"]).expect(0, &[]).stdout;
    assert!(plan.lines().all(|line| line.starts_with("ok ")), "{plan}");
    let unlike = shoppulse.clone().set("TOPICS__FAILED_RETENTION_HOURS", "24").set("PARTITIONS", "3").say(&["topics", "plan"]);
    unlike.expect(
        0,
        &[
            "differs  dlq.shoppulse  retention.ms=2592000000, should be 86400000",
            "differs  raw.events  partitions=2, should be 3",
        ],
    );
    let short = shoppulse.clone().set("TOPICS__CLEAN_RETENTION_HOURS", "100").say(&["topics", "plan"]);
    short.expect(78, &["must outlive a replay of raw.events: 72 h + 24 h of lateness + 24 h = 120 h"]);
    shoppulse.say(&["doctor"]).expect(0, &["ok    topic raw.events", "ok    disk"]);
}

fn a_first_start_needs_the_registry(shoppulse: &Shoppulse, state: &std::path::Path) {
    let away = shoppulse.clone().set("SCHEMA_REGISTRY__URL", "http://127.0.0.1:9").set("STATE_DIR", state.to_str().unwrap());
    away.say(&["run", "--until-end"]).expect(69, &["the schema registry at http://127.0.0.1:9 does not answer"]);
    let small = shoppulse.clone().set("MEMORY_BUDGET_BYTES", "120000000");
    small
        .say(&["run", "--until-end"])
        .expect(78, &["`memory_budget_bytes`", "14 tasks with 14 input partitions", "raise the budget to"]);
}

fn a_bounded_run_processes_all_there_is(cluster: &Cluster, shoppulse: &Shoppulse) {
    cluster.produce("raw.events", events());
    let run = shoppulse.say(&["run", "--until-end"]).expect(
        0,
        &[
            "in   shoppulse-clean  raw.events  201  dead_lettered/not_json=1  duplicate/message_id=100  processed=100",
            "in   shoppulse-sessions  clean.events  100  processed=100",
            "out  shoppulse-clean  clean.events  100",
            "out  shoppulse-sessions  curated.sessions  10",
            "s per million records",
            "MiB of memory",
        ],
    );
    assert_eq!(run.stdout, "", "results only on stdout, and a run has none");
    tail_shows_what_is_there(shoppulse);
    shoppulse
        .say(&["state", "inspect"])
        .expect(0, &["shoppulse-clean  clean.events_1", "seen-events  dedup  changelog_position="]);
    let one = shoppulse.say(&["state", "inspect", "--task", "clean.events_0"]).expect(0, &["clean.events_0"]);
    assert!(!one.stdout.contains("clean.events_1"), "{one:?}");
}

fn tail(shoppulse: &Shoppulse, topic: &str) -> Vec<Value> {
    shoppulse.say(&["tail", topic, "--from-beginning", "--until-end"]).expect(0, &[]).json()
}

fn tail_shows_what_is_there(shoppulse: &Shoppulse) {
    let raw = tail(shoppulse, "raw.events");
    assert_eq!(raw.len(), 2 * EVENTS + 1);
    assert_eq!(raw[0]["value"]["properties"]["n"], json!(9_007_199_254_740_993_i64));
    assert_eq!(raw[0]["timestamp"], json!(began().as_millis()));
    let dead = tail(shoppulse, "dlq.shoppulse");
    let [dead] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!((&dead["key"], &dead["value"]), (&json!("s|v0"), &json!("no json")));
    assert_eq!((&dead["headers"]["dlq.reason"], &dead["headers"]["dlq.topic"]), (&json!("not_json"), &json!("raw.events")));
    let sessions = tail(shoppulse, "curated.sessions");
    assert_eq!(sessions.len(), VISITORS);
    for session in &sessions {
        assert_eq!(session["key"]["session_id"], session["value"]["session_id"]);
        assert_eq!((&session["value"]["page_views"], &session["value"]["is_deleted"]), (&json!(10), &json!(false)));
        assert!(session["value"]["user_id"].is_null() && session["value"]["order_ids"].is_array());
    }
    let max = shoppulse.say(&["tail", "raw.events", "--from-beginning", "--max", "3"]).expect(0, &[]);
    assert_eq!(max.json().len(), 3);
    assert_eq!(shoppulse.say(&["tail", "raw.events", "--until-end"]).expect(0, &[]).stdout, "", "nothing comes from now on");
    shoppulse.say(&["tail", "no.such.topic"]).expect(78, &["`no.such.topic` does not exist"]);
    a_reader_who_leaves_ends_the_tail_quietly(shoppulse);
}

fn a_reader_who_leaves_ends_the_tail_quietly(shoppulse: &Shoppulse) {
    let mut tail = shoppulse.start(&["tail", "raw.events", "--from-beginning", "--until-end"]);
    drop(tail.stdout.take());
    let ended = tail.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

fn a_later_start_does_without_the_registry(cluster: &Cluster, shoppulse: &Shoppulse) {
    // covers: R49
    cluster.0.script(["registry", "stop"]);
    shoppulse.say(&["run", "--until-end"]).expect(0, &["0 records in", "going on with the schema ids of an earlier start"]);
    shoppulse.say(&["tail", "curated.sessions", "--from-beginning", "--until-end"]).expect(69, &["the schema registry at"]);
    cluster.0.script(["registry", "start"]);
}

/// A running service that is killed if the test fails.
struct Service {
    child: Option<Child>,
    address: String,
}

impl Service {
    fn start(shoppulse: &Shoppulse) -> Self {
        let mut child = shoppulse.clone().set("LOG", "info").set("LOG_FORMAT", "json").start(&["run"]);
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = log.find_map(|line| {
            let line: Value = serde_json::from_str(&line).expect("log lines are JSON");
            line["http"].as_str().map(str::to_owned)
        });
        // Nobody reads the rest, but a full pipe would stop the process.
        std::thread::spawn(move || log.for_each(drop));
        Self { child: Some(child), address: address.expect("the log says where HTTP is served") }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split_whitespace().nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn await_page(&self, path: &str, shows: impl Fn(u16, &str) -> bool) -> String {
        for _ in 0..300 {
            let (status, body) = self.get(path);
            if shows(status, &body) {
                return body;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        panic!("{path}: {:?}", self.get(path));
    }

    /// Asks it to end; its exit code.
    fn terminate(mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
        }
    }
}

fn a_service_is_healthy_and_leaves_when_asked(cluster: &Cluster, shoppulse: &Shoppulse) {
    let service = Service::start(shoppulse);
    service.await_page("/readyz", |status, _| status == 200);
    assert_eq!(service.get("/livez"), (200, "ok\n".to_owned()));
    let tasks = service.await_page("/tasks", |_, body| body.matches("\"phase\":\"running\"").count() == 14);
    assert!(serde_json::from_str::<Value>(&tasks).unwrap()[0]["task"].is_string());
    assert!(service.get("/topology").1.contains("raw.events"));
    // What needs a failure, or a changelog to read, is not there.
    let rare = [highwater::metrics::ABORTS, highwater::metrics::RESTORE_REMAINING];
    let promised: Vec<&str> =
        highwater::metrics::ALL.iter().map(|metric| metric.name).filter(|name| !rare.contains(name)).collect();
    let missing = |page: &str| promised.iter().filter(|name| !page.contains(&format!("# HELP {name} "))).count();
    cluster.produce("raw.payments", [("s|x".to_owned(), b"no json".to_vec())].into_iter());
    let page = service.await_page("/metrics", |_, page| missing(page) == 0);
    let line = r#"highwater_records_total{application="shoppulse-orders",topic="raw.payments",outcome="dead_lettered",reason="not_json"} 1"#;
    assert!(page.contains(line), "{page}");
    shoppulse.say(&["run"]).expect(78, &["used by another process"]);
    shoppulse.say(&["reset", "--to-earliest"]).expect(1, &["epoch   raise from 0 to 1", "has 1 members"]);
    assert_eq!(service.terminate(), Some(0));
}

fn a_reset_starts_anew_with_newer_rows(shoppulse: &Shoppulse) {
    let before = tail(shoppulse, "curated.sessions");
    shoppulse.say(&["reset", "--to-datetime", "2026-09-20"]).expect(2, &["a time with an offset"]);
    shoppulse.say(&["reset", "--to-earliest", "--execute"]).expect(
        0,
        &[
            "epoch   raise from 0 to 1 in shoppulse-control",
            "delete  topic shoppulse-clean-seen-events-changelog",
            "set     group shoppulse-clean  raw.events-0 to 0",
            "done",
        ],
    );
    assert_eq!(tail(shoppulse, "shoppulse-control")[0]["value"], json!("1"));
    shoppulse.say(&["state", "inspect"]).expect(0, &["no state in"]);
    shoppulse
        .say(&["run", "--until-end"])
        .expect(0, &["raw.events  201  dead_lettered/not_json=1  duplicate/message_id=100  processed=100"]);
    let after = tail(shoppulse, "curated.sessions");
    let version = |row: &Value| row["value"]["row_version"].as_i64().unwrap();
    assert!(before.iter().all(|row| version(row) < 1 << 40));
    let newest = after.iter().filter(|row| version(row) > 1 << 40).count();
    assert_eq!(newest, VISITORS, "all rows are there again, newer than before");
}

fn what_does_not_fit_is_refused(cluster: &Cluster, shoppulse: &Shoppulse) {
    // covers: R8, R26
    let mut admin = cluster.admin();
    let policy = |policy: &str| BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]);
    admin.alter_topic_config("cdc.shop.public.orders", &policy("compact"), PATIENCE).unwrap();
    shoppulse.say(&["run", "--until-end"]).expect(78, &["`cdc.shop.public.orders` has cleanup.policy=compact", "topics apply"]);
    shoppulse.say(&["topics", "apply", "--execute"]).expect(0, &["cleanup.policy=compact, should be delete"]);

    let changelog = "shoppulse-sessions-sessions-changelog";
    admin.alter_topic_config(changelog, &policy("delete"), PATIENCE).unwrap();
    shoppulse.say(&["run", "--until-end"]).expect(78, &[changelog, "cleanup.policy=delete and needs compact", "kafka-configs"]);
    admin.alter_topic_config(changelog, &policy("compact"), PATIENCE).unwrap();

    admin.delete_topics(&["clean.events"], PATIENCE).unwrap();
    let other = NewTopic { name: "clean.events".to_owned(), partitions: 3, replication_factor: 1, config: BTreeMap::new() };
    admin.create_topics(&[other], PATIENCE).unwrap();
    shoppulse.say(&["run", "--until-end", "--topologies", "clean"]).expect(78, &["raw.events", "clean.events", "2", "3"]);
    shoppulse.say(&["doctor"]).expect(1, &["FAIL  partitions"]);
}
