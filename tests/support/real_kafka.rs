//! Real clusters for tests: one for all tests of a binary, or one of its own for a test that breaks things.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// Where the cluster is that all tests of this binary share; `None` if this machine cannot run one. It is started by the first
/// that asks, and ends with the process.
pub(crate) fn bootstrap_servers() -> Option<&'static str> {
    static SHARED: OnceLock<Option<RealKafka>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "a developer may have a cluster running already")]
    let shared = SHARED.get_or_init(|| match std::env::var("HIGHWATER_TEST_BOOTSTRAP_SERVERS") {
        Ok(bootstrap_servers) => Some(RealKafka { bootstrap_servers, home: None }),
        Err(_) => RealKafka::start(),
    });
    shared.as_ref().map(|cluster| cluster.bootstrap_servers.as_str())
}

/// A cluster of one broker.
pub(crate) struct RealKafka {
    pub(crate) bootstrap_servers: String,
    home: Option<tempfile::TempDir>,
}

impl RealKafka {
    /// Starts one; `None` if this machine has no Java.
    pub(crate) fn start() -> Option<Self> {
        Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        let mut cluster = Self { bootstrap_servers: String::new(), home: Some(tempfile::tempdir().expect("a directory")) };
        // The script waits until the broker answers, or fails after a bounded time; it ends the broker when this process ends.
        let output = cluster.script(["up", "--no-registry", "--owner", &std::process::id().to_string()]);
        let printed = String::from_utf8(output.stdout).expect("text");
        let (_, servers) = printed.split_once("BOOTSTRAP_SERVERS=").expect("dev/kafka up says where it is");
        servers.lines().next().unwrap_or_default().clone_into(&mut cluster.bootstrap_servers);
        Some(cluster)
    }

    /// Runs `dev/kafka` on this cluster.
    pub(crate) fn script(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        let home: PathBuf = self.home.as_ref().expect("a cluster that we started").path().join("kafka");
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dev/kafka"))
            .args(arguments)
            .arg("--dir")
            .arg(home)
            .stderr(Stdio::inherit())
            .output()
            .expect("dev/kafka runs");
        assert!(output.status.success(), "dev/kafka failed");
        output
    }
}

impl Drop for RealKafka {
    fn drop(&mut self) {
        if self.home.is_some() {
            self.script(["down"]);
        }
    }
}
