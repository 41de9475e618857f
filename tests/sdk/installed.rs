//! The SDKs on this machine, and programs that use them. What they send is in the scripts beside this.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::process::Process;

/// Each SDK: what runs it, and the script.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("node", "node", "node.mjs"),
    ("rudder", "node", "rudder.mjs"),
    ("python", "python3", "python.py"),
    ("browser", "node", "browser.mjs"),
];

/// Where the SDKs are.
pub(crate) struct Sdks {
    home: PathBuf,
}

/// A program that sends with an SDK.
pub(crate) struct Sdk {
    pub(crate) name: String,
    process: Process,
    log: PathBuf,
}

/// What an SDK says of its events.
pub(crate) struct Outcome {
    pub(crate) acknowledged: BTreeSet<String>,
    pub(crate) failed: BTreeSet<String>,
}

fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk"))
}

impl Sdks {
    /// Installs them if they are not there.
    pub(crate) fn installed() -> Self {
        let output = Command::new(scripts().join("install")).stderr(Stdio::inherit()).output().expect("the script runs");
        assert!(output.status.success(), "tests/sdk/install failed");
        let home = String::from_utf8(output.stdout).expect("text");
        Self { home: PathBuf::from(home.trim()) }
    }

    /// Starts a program for each SDK.
    pub(crate) fn start_all(&self, endpoint: &str, write_key: &str, events: usize, pace_ms: u64, cluster: &Cluster) -> Vec<Sdk> {
        let start = |(name, runner, script): &(&str, &str, &str)| {
            let mut command = if *runner == "node" { Command::new(self.home.join("bin/node")) } else { Command::new(runner) };
            command
                .arg(scripts().join(script))
                .args(["--endpoint", endpoint, "--write-key", write_key])
                .args(["--events", &events.to_string(), "--every", &pace_ms.to_string()])
                .current_dir(cluster.path(""))
                .env("SDK_HOME", &self.home);
            let log = cluster.log(name);
            Sdk { name: (*name).to_owned(), process: Process::start(command, log.clone()), log }
        };
        let has_browser = has_browser();
        PROGRAMS.iter().filter(|(name, ..)| has_browser || *name != "browser").map(start).collect()
    }
}

/// Ubuntu has its browser in a form that no test can start: there `dev/setup` installs none, and says so.
fn has_browser() -> bool {
    Command::new("chromium")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl Sdk {
    /// Waits for its end, and reads what it tells.
    pub(crate) fn finish(&mut self, at_most: Duration) -> Outcome {
        assert_eq!(self.process.wait(at_most), Some(0), "{} ends well:\n{}", self.name, self.process.last_words());
        let said = std::fs::read_to_string(&self.log).expect("it has written");
        let last = said.lines().rev().find(|line| line.starts_with("{\"acknowledged\"")).unwrap_or_else(|| panic!("{said}"));
        let told: Value = serde_json::from_str(last).expect("JSON");
        let ids = |name: &str| {
            let listed = told[name].as_array().expect("a list").iter();
            listed.map(|id| id.as_str().expect("a text").to_owned()).collect()
        };
        Outcome { acknowledged: ids("acknowledged"), failed: ids("failed") }
    }
}
