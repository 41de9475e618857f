//! The whole `shoppulse` binary on a real Kafka with a real schema registry. What the rules mean is the oracle's to say; how the
//! engine behaves inside is tested elsewhere.

#[expect(dead_code, reason = "other tests, which share this module, need more of it")]
mod cluster;
mod enduring;
mod payments;
mod process;
#[path = "../support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
mod starts;
mod traffic;
mod whole_shop;

use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::Kafka;
use highwater::time::{Clock as _, SystemClock};
use shoppulse_oracle::{Actual, InputRecord, Traffic, TrafficSettings, compare, expect};

use cluster::{Cluster, one_at_a_time};
use process::Process;

const RECORDS: usize = 200_000;
const PARTITIONS: i32 = 4;
/// How long two processes may take for all records.
const END_WITHIN: Duration = Duration::from_mins(5);
const REQUEST: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(100);
const OUTPUTS: [&str; 8] = [
    "clean.events",
    "curated.sessions",
    "curated.order_facts",
    "curated.customers",
    "curated.customer_history",
    "ops.quality",
    "late.events",
    "dlq.shoppulse",
];

#[test]
fn rows_equal_the_oracle_through_a_kill_of_one_of_two_processes() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(3);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let records: Vec<InputRecord> = Traffic::new(TrafficSettings::test(RECORDS, 7)).collect();
    traffic::produce(&cluster.kafka(), &records);

    let run = ["run", "--until-end"];
    let mut first = Process::start(cluster.shoppulse("one", &run), cluster.log("one"));
    let mut second = Process::start(cluster.shoppulse("two", &run), cluster.log("two"));
    let raw = records.iter().filter(|record| record.topic == "raw.events").count() as i64;
    wait_for_position(&cluster, raw / 4, &mut first);
    kill_in_open_transaction(&cluster, "two", &mut second);
    let seen = wait_for_position(&cluster, 0, &mut first);
    assert!(seen < raw, "there was work left when the process was killed: {seen} of {raw} raw events were done");
    let mut second = Process::start(cluster.shoppulse("two", &run), cluster.log("two-again"));
    let ended = [first.wait(END_WITHIN), second.wait(END_WITHIN)];
    let said = [first.last_words(), second.last_words()].join("\n\nThe one that came back:\n");
    assert_eq!(ended, [Some(0), Some(0)], "both end well. The one that stayed:\n{said}");

    check(&cluster, &records);
}

#[test]
fn sigterm_leaves_within_ten_seconds() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(1);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let records: Vec<InputRecord> = Traffic::new(TrafficSettings::test(5_000, 7)).collect();
    traffic::produce(&cluster.kafka(), &records);
    let mut process = Process::start(cluster.shoppulse("one", &["run"]), cluster.log("one"));
    wait_for_position(&cluster, 1, &mut process);
    process.terminate();
    assert_eq!(process.wait(Duration::from_secs(10)), Some(0), "it leaves in order and in time:\n{}", process.last_words());
}

/// Kills a process with SIGKILL while a transaction of its is open and has output in it: it stands still while that is looked up.
fn kill_in_open_transaction(cluster: &Cluster, instance: &str, process: &mut Process) {
    const ATTEMPTS: usize = 20;
    for _ in 0..ATTEMPTS {
        process.pause();
        let open = cluster.open_transactions();
        if open.iter().any(|id| id.contains(&format!("-{instance}-"))) {
            return process.kill();
        }
        process.resume();
        SystemClock.sleep(POLL_EVERY);
    }
    panic!("no transaction of {instance} was open at any of {ATTEMPTS} moments:\n{}", process.last_words());
}

/// Waits until the first topology has committed so many raw events; tells how many it has.
fn wait_for_position(cluster: &Cluster, wanted: i64, process: &mut Process) -> i64 {
    const ATTEMPTS: usize = 1_200;
    let mut admin = cluster.kafka().admin().expect("an admin client");
    let partitions: Vec<_> = (0..PARTITIONS).map(|partition| TopicPartition::new("raw.events", partition)).collect();
    for _ in 0..ATTEMPTS {
        // Before its first member has joined, the group may be unknown.
        let positions = admin.group_offsets("shoppulse-clean", &partitions, REQUEST).unwrap_or_default();
        let done = positions.into_iter().flatten().map(|position| position.offset).sum();
        if done >= wanted {
            return done;
        }
        assert_eq!(process.exit_code(), None, "it has ended too early:\n{}", process.last_words());
        SystemClock.sleep(POLL_EVERY);
    }
    panic!("{wanted} raw events were not done within two minutes:\n{}", process.last_words());
}

/// What the topics hold equals what the oracle expects of these records, row for row.
fn check(cluster: &Cluster, records: &[InputRecord]) {
    let differences = compare(&expect(records), &read_outputs(cluster));
    let shown: Vec<String> = differences.iter().take(25).map(ToString::to_string).collect();
    assert!(differences.is_empty(), "{} differences, among them:\n{}", differences.len(), shown.join("\n"));
}

fn read_outputs(cluster: &Cluster) -> Actual {
    let mut actual = Actual::new().with_partitions(PARTITIONS);
    for topic in OUTPUTS {
        let printed = cluster.succeed(&["tail", topic, "--from-beginning", "--until-end"]);
        for line in printed.lines() {
            actual.observe_line(line).expect("a line of `tail` is JSON");
        }
    }
    actual
}
