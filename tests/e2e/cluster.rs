//! A cluster with a registry for one test, and the binary told where it is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use highwater::kafka::rdkafka::RdKafka;

use crate::PARTITIONS;

/// Several clusters and pipelines at once would only slow one another down.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Brokers and a registry, ended when it is dropped.
pub(crate) struct Cluster {
    home: tempfile::TempDir,
    brokers: usize,
    /// What `dev/kafka up` says to export.
    exports: BTreeMap<String, String>,
}

impl Cluster {
    /// Starts one; `None` if this machine has no Java.
    pub(crate) fn start(brokers: usize) -> Option<Self> {
        Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        let home = tempfile::tempdir().expect("a directory");
        let mut cluster = Self { home, brokers, exports: BTreeMap::new() };
        let (count, owner) = (brokers.to_string(), std::process::id().to_string());
        let printed = cluster.script(&["up", "--brokers", &count, "--owner", &owner]);
        let exports = printed.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        cluster.exports = exports.map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned())).collect();
        assert_eq!(cluster.exports.len(), 2, "dev/kafka up says where brokers and registry are: {printed}");
        Some(cluster)
    }

    /// A script of `dev/`, told where this cluster is.
    pub(crate) fn development(&self, script: &str) -> Command {
        let mut command = Command::new(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/dev")).join(script));
        command.envs(&self.exports);
        command
    }

    fn script(&self, arguments: &[&str]) -> String {
        let output = self
            .development("kafka")
            .args(arguments)
            .arg("--dir")
            .arg(self.path("kafka"))
            .stderr(Stdio::inherit())
            .output()
            .expect("dev/kafka runs");
        assert!(output.status.success(), "dev/kafka {arguments:?} failed");
        String::from_utf8(output.stdout).expect("text")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.log"))
    }

    /// A client of its own.
    pub(crate) fn kafka(&self) -> RdKafka {
        let servers = &self.exports["SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS"];
        RdKafka::new(servers.as_str(), BTreeMap::new()).expect("a client")
    }

    /// The binary, with all settings of one instance. The settings of whoever runs the tests do not reach it.
    pub(crate) fn shoppulse(&self, instance: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHOPPULSE_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.home.path())
            .envs(&self.exports)
            .env("SHOPPULSE__PARTITIONS", PARTITIONS.to_string())
            .env("SHOPPULSE__REPLICATION_FACTOR", self.brokers.to_string())
            .env("SHOPPULSE__THREADS", "2")
            .env("SHOPPULSE__INSTANCE_ID", instance)
            .env("SHOPPULSE__STATE_DIR", self.path(&format!("state-{instance}")))
            .env("SHOPPULSE__HTTP__LISTEN", "127.0.0.1:0");
        command
    }

    /// Runs a command that must go well, and gives what it printed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.shoppulse("tools", arguments).output().expect("the binary runs");
        assert!(output.status.success(), "shoppulse {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script(&["down"]);
    }
}

/// The binary lies beside the folder of this test. Cargo builds it for its own package's tests only, so somebody has to.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let directory = test.parent().and_then(std::path::Path::parent).expect("it lies in `deps`");
    let binary = directory.join("shoppulse");
    assert!(binary.is_file(), "build it first: cargo build -p shoppulse --bin shoppulse");
    binary
}
