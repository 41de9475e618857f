//! Unmodified SDKs against a real `collect` and a real Kafka: what was acknowledged is there, and what came twice counts once, although
//! the collector is killed and the broker stopped while they send. What the collector answers to which request is tested beside its code.

#[expect(dead_code, reason = "the end-to-end tests, whose module it is, use more of it")]
#[path = "../e2e/cluster.rs"]
mod cluster;
mod installed;
#[path = "../e2e/process.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod process;
#[path = "../support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use highwater::time::{Clock as _, SystemClock};
use serde_json::Value;

use cluster::{Cluster, one_at_a_time};
use installed::Sdks;
use process::Process;

pub(crate) const PARTITIONS: i32 = 4;
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(100);
const WRITE_KEY: &str = "wk_test";
const SHOP: &str = "shop-1";
/// Events of each SDK, and milliseconds between two: they send for longer than it takes to break things.
const EVENTS: usize = 280;
const PACE_MS: u64 = 50;
/// How long everything that SDKs have sent may take to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(100);

/// A collector at an address that stays the same when it is started again.
struct Door<'a> {
    cluster: &'a Cluster,
    address: SocketAddr,
    process: Process,
}

impl<'a> Door<'a> {
    fn open(cluster: &'a Cluster) -> Self {
        std::fs::write(cluster.path("keys.toml"), format!("{WRITE_KEY} = \"{SHOP}\"\n")).expect("keys can be written");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = free.local_addr().expect("it has an address");
        drop(free);
        let process = Self::start(cluster, address, "collect-1");
        Self { cluster, address, process }
    }

    fn start(cluster: &Cluster, address: SocketAddr, log: &str) -> Process {
        let listen = address.to_string();
        let mut command = cluster.shoppulse("collect", &["collect", "--listen", &listen]);
        command
            .env("SHOPPULSE__COLLECT__KEYS_FILE", cluster.path("keys.toml"))
            .env("SHOPPULSE__COLLECT__KEY_SECRET", "a test's secret")
            // So that a broker that is away is told within the test's time.
            .env("SHOPPULSE__COLLECT__ACKNOWLEDGE_TIMEOUT_MS", "1500");
        let mut process = Process::start(command, cluster.log(log));
        wait_until("the collector is ready", &mut process, || {
            wire::get(address, "/readyz").is_some_and(|answer| answer.status == 200)
        });
        process
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// As a power cut, and back a second later.
    fn kill_and_start(&mut self) {
        self.process.kill();
        SystemClock.sleep(Duration::from_secs(1));
        self.process = Self::start(self.cluster, self.address, "collect-2");
    }

    /// How many events were acknowledged by this process.
    fn accepted(&self) -> u64 {
        let page = wire::get(self.address, "/metrics").expect("metrics are served").body;
        let line = page.lines().find(|line| line.starts_with("shoppulse_collect_events_total{outcome=\"accepted\""));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
    }

    /// How many requests were answered with this status.
    fn answered(&self, status: u16) -> u64 {
        let page = wire::get(self.address, "/metrics").expect("metrics are served").body;
        let line = page.lines().find(|line| line.starts_with(&format!("shoppulse_collect_requests_total{{status=\"{status}\"")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
    }
}

fn wait_until(what: &str, process: &mut Process, mut holds: impl FnMut() -> bool) {
    const ATTEMPTS: usize = 300;
    for _ in 0..ATTEMPTS {
        if holds() {
            return;
        }
        assert_eq!(process.exit_code(), None, "it has ended, and {what} is not so:\n{}", process.last_words());
        SystemClock.sleep(POLL_EVERY);
    }
    panic!("not within half a minute: {what}\n{}", process.last_words());
}

/// A topic's values, decoded.
fn tail(cluster: &Cluster, topic: &str) -> Vec<Value> {
    let printed = cluster.succeed(&["tail", topic, "--from-beginning", "--until-end"]);
    printed.lines().map(|line| serde_json::from_str(line).expect("a line of `tail` is JSON")).collect()
}

#[test]
fn nothing_acknowledged_is_lost_and_what_comes_twice_counts_once() {
    let _turn = one_at_a_time();
    let (sdks, cluster) = (Sdks::installed(), Cluster::start(1));
    cluster.succeed(&["topics", "apply", "--execute"]);
    let mut door = Door::open(&cluster);
    let mut running: Vec<_> = sdks.start_all(&door.url(), WRITE_KEY, EVENTS, PACE_MS, &cluster);

    wait_for_accepted(&door, 60);
    door.kill_and_start();
    wait_for_accepted(&door, 60);
    cluster.broker("stop");
    wait_until_answered(&door, 429);
    cluster.broker("start");

    let mut acknowledged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sdk in &mut running {
        let outcome = sdk.finish(PATIENCE);
        assert_eq!(outcome.failed, BTreeSet::new(), "{} gave up nothing", sdk.name);
        assert_eq!(outcome.acknowledged.len(), EVENTS, "{} was told of all of its events", sdk.name);
        acknowledged.insert(sdk.name.clone(), outcome.acknowledged);
    }
    // What an SDK does when an answer is lost: the same again.
    let twice = wire::batch(WRITE_KEY, &["twice-1", "twice-2"]);
    for _ in 0..2 {
        assert_eq!(wire::post(door.address, "/v1/batch", &twice).status, 200);
    }
    acknowledged.insert("twice".to_owned(), ["twice-1", "twice-2"].map(str::to_owned).into());
    door.process.terminate();
    assert_eq!(door.process.wait(Duration::from_secs(10)), Some(0), "it leaves in time:\n{}", door.process.last_words());

    cluster.succeed(&["run", "--topologies", "clean", "--until-end"]);
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for row in tail(&cluster, "clean.events") {
        assert_eq!(row["value"]["shop_id"], SHOP);
        let id = row["value"]["message_id"].as_str().expect("an id").to_owned();
        *counted.entry(id).or_default() += 1;
    }
    for (sdk, ids) in &acknowledged {
        for id in ids {
            assert_eq!(counted.remove(id), Some(1), "{id} of {sdk} was acknowledged, so it counts once");
        }
    }
    assert_eq!(counted, BTreeMap::new(), "there is nothing that nobody sent");
    assert_eq!(tail(&cluster, "dlq.shoppulse"), Vec::<Value>::new(), "every event was a sound one");
    let raw = tail(&cluster, "raw.events").len();
    let unique: usize = acknowledged.values().map(BTreeSet::len).sum();
    assert!(raw >= unique + 2, "{raw} records for {unique} events, two of which came twice for certain");
}

fn wait_for_accepted(door: &Door<'_>, events: u64) {
    for _ in 0..300 {
        if door.accepted() >= events {
            return;
        }
        SystemClock.sleep(POLL_EVERY);
    }
    panic!("{events} events were not acknowledged within half a minute:\n{}", door.process.last_words());
}

fn wait_until_answered(door: &Door<'_>, status: u16) {
    for _ in 0..300 {
        if door.answered(status) > 0 {
            return;
        }
        SystemClock.sleep(POLL_EVERY);
    }
    panic!("no request was answered with {status} within half a minute:\n{}", door.process.last_words());
}

#[test]
fn a_start_that_cannot_succeed_says_why() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(1);
    let keys = cluster.path("keys.toml");
    std::fs::write(&keys, "wk = \"shop\"").expect("keys can be written");
    let wrong = cluster.path("wrong.toml");
    std::fs::write(&wrong, "wk = 5").expect("a file can be written");
    let keys_file = format!("collect.keys_file={}", keys.display());
    let wrong_file = format!("collect.keys_file={}", wrong.display());
    let (secret, listen) = ("collect.key_secret=s", "http.listen=127.0.0.1:0");
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let taken = format!("http.listen={}", held.local_addr().expect("it has an address"));
    let missing: [(&[&str], &str); 5] = [
        (&[secret, listen], "collect.keys_file"),
        (&[&keys_file, listen], "collect.key_secret"),
        (&[&wrong_file, secret, listen], "wrong.toml"),
        (&[&keys_file, secret, listen, "collect.tls_key_file=/x"], "collect.tls_certificate_file"),
        (&[&keys_file, secret, listen], "topic `raw.events` does not exist"),
    ];
    let refuse = |settings: &[&str], part: &str| {
        let mut arguments = vec!["collect"];
        arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        let output: Command = cluster.shoppulse("one", &arguments);
        let mut process = Process::start(output, cluster.log("refused"));
        assert_eq!(process.wait(Duration::from_mins(1)), Some(78), "{settings:?}:\n{}", process.last_words());
        assert!(process.last_words().contains(part), "{settings:?}: {part:?} is not in:\n{}", process.last_words());
    };
    for (settings, part) in missing {
        refuse(settings, part);
    }
    cluster.succeed(&["topics", "apply", "--execute"]);
    refuse(&[&keys_file, secret, &taken], "cannot be listened on");
    drop(held);
}
