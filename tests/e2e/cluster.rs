//! A cluster with a registry for one test, and the binary told where it is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use highwater::kafka::rdkafka::RdKafka;

use crate::PARTITIONS;
use crate::real_kafka::RealKafka;

/// Several clusters and pipelines at once would only slow one another down.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brokers and a registry, ended when it is dropped.
pub(crate) struct Cluster {
    real: RealKafka,
    home: tempfile::TempDir,
    brokers: String,
}

impl Cluster {
    /// Starts one.
    pub(crate) fn start(brokers: usize) -> Self {
        let brokers = brokers.to_string();
        let real = RealKafka::up(&["--brokers", &brokers]);
        Self { real, home: tempfile::tempdir().expect("a directory"), brokers }
    }

    /// A script of `dev/`, told where this cluster is.
    pub(crate) fn development(&self, script: &str) -> Command {
        let mut command = Command::new(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/dev")).join(script));
        command.envs(self.real.exports());
        command
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.log"))
    }

    /// A client of its own.
    pub(crate) fn kafka(&self) -> RdKafka {
        RdKafka::new(self.real.bootstrap_servers(), BTreeMap::new()).expect("a client")
    }

    /// The binary, with all settings of one instance. The settings of whoever runs the tests do not reach it.
    pub(crate) fn shoppulse(&self, instance: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHOPPULSE_")) {
            command.env_remove(name);
        }
        // Generated traffic has the same times in each run, and brokers delete by the age of records.
        for (kept, hours) in [("RAW", "80000"), ("CLEAN", "87600"), ("FAILED", "87600"), ("QUALITY", "87600")] {
            command.env(format!("SHOPPULSE__TOPICS__{kept}_RETENTION_HOURS"), hours);
        }
        command
            .args(arguments)
            .current_dir(self.home.path())
            .envs(self.real.exports())
            .env("SHOPPULSE__PARTITIONS", PARTITIONS.to_string())
            .env("SHOPPULSE__REPLICATION_FACTOR", &self.brokers)
            .env("SHOPPULSE__THREADS", "2")
            .env("SHOPPULSE__INSTANCE_ID", instance)
            .env("SHOPPULSE__STATE_DIR", self.path(&format!("state-{instance}")))
            .env("SHOPPULSE__HTTP__LISTEN", "127.0.0.1:0");
        command
    }

    /// Does this to the first broker: `stop`, `start`, `kill`, `pause` or `resume`.
    pub(crate) fn broker(&self, action: &str) {
        self.real.script(["broker", action, "1"]);
    }

    /// The transactional ids of open transactions, each with output in it: brokers open one at the first record.
    pub(crate) fn open_transactions(&self) -> Vec<String> {
        let listed = String::from_utf8(self.real.tool(&["transactions", "list"]).stdout).expect("text");
        let rows = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.last() == Some(&"Ongoing")).map(|row| row[0].to_owned()).collect()
    }

    /// Runs a command that must go well, and gives what it printed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.shoppulse("tools", arguments).output().expect("the binary runs");
        assert!(output.status.success(), "shoppulse {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

/// The binary lies beside the folder of this test. Cargo builds it for its own package's tests only, so somebody has to.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let directory = test.parent().and_then(std::path::Path::parent).expect("it lies in `deps`");
    let binary = directory.join("shoppulse");
    assert!(binary.is_file(), "build it first: cargo build -p shoppulse --bin shoppulse");
    binary
}
