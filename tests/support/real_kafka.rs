//! Real clusters for tests: one for all tests of a binary, or one of its own for a test that breaks things.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Where the cluster is that all tests of this binary share. It is started by the first that asks, and ends with the process. A
/// machine that cannot run one fails the test: `dev/setup test` installs what it lacks.
pub(crate) fn bootstrap_servers() -> &'static str {
    static SHARED: OnceLock<RealKafka> = OnceLock::new();
    SHARED.get_or_init(RealKafka::start).bootstrap_servers()
}

/// A cluster of one broker, ended when it is dropped.
pub(crate) struct RealKafka {
    /// What `dev/kafka up` says to export.
    exports: BTreeMap<String, String>,
    home: tempfile::TempDir,
}

impl RealKafka {
    /// Starts one without a schema registry.
    pub(crate) fn start() -> Self {
        Self::up(&["--no-registry"])
    }

    /// Starts one. The script waits until the broker answers, or fails after a bounded time; it ends the broker when this process
    /// ends.
    pub(crate) fn up(options: &[&str]) -> Self {
        let mut cluster = Self { exports: BTreeMap::new(), home: tempfile::tempdir().expect("a directory") };
        let owner = std::process::id().to_string();
        let output = cluster.script([&["up", "--owner", &owner], options].concat());
        let printed = String::from_utf8(output.stdout).expect("text");
        let exports = printed.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        cluster.exports = exports.map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned())).collect();
        cluster
    }

    /// What tells a program where the cluster is.
    pub(crate) fn exports(&self) -> &BTreeMap<String, String> {
        &self.exports
    }

    pub(crate) fn bootstrap_servers(&self) -> &str {
        &self.exports["SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS"]
    }

    /// Where its schema registry is, if it was started with one.
    pub(crate) fn registry_url(&self) -> &str {
        &self.exports["SHOPPULSE__SCHEMA_REGISTRY__URL"]
    }

    /// Runs `dev/kafka` on this cluster.
    pub(crate) fn script(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.run(arguments, &[])
    }

    /// Runs one of Kafka's own tools on it.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        self.run(["tool"], arguments)
    }

    fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>, of_tool: &[&str]) -> Output {
        let output = Command::new(script())
            .args(arguments)
            .arg("--dir")
            .arg(self.home.path().join("kafka"))
            .args(of_tool)
            .stderr(Stdio::inherit())
            .output()
            .expect("dev/kafka runs");
        assert!(output.status.success(), "dev/kafka failed");
        output
    }
}

/// It lies at the root of the workspace, whichever crate's test this is.
fn script() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.map(|folder| folder.join("dev/kafka")).find(|script| script.is_file()).expect("dev/kafka is above")
}

impl Drop for RealKafka {
    fn drop(&mut self) {
        self.script(["down"]);
    }
}
