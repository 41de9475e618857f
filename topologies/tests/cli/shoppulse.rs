//! Runs the binary with settings of its own, and looks at what it says.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The binary with an empty environment but for these settings.
#[derive(Clone, Debug)]
pub(crate) struct Shoppulse {
    settings: Vec<(String, String)>,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shoppulse {
    /// With this state directory, on a cluster that is not there.
    pub(crate) fn with_state(state_dir: &Path) -> Self {
        Self { settings: Vec::new() }
            .set("STATE_DIR", &state_dir.display().to_string())
            .set("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9")
            .set("SCHEMA_REGISTRY__URL", "http://127.0.0.1:9")
            .set("KAFKA__CONNECT_TIMEOUT_MS", "30000")
            .set("HTTP__LISTEN", "127.0.0.1:0")
            .set("PARTITIONS", "2")
            .set("SESSION_TIMEOUT_MS", "6000")
            .set("LOG", "warn")
    }

    /// With a setting, by its name in the environment after `SHOPPULSE__`.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((format!("SHOPPULSE__{name}"), value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shoppulse"));
        command.env_clear().envs(self.settings.iter().cloned()).args(arguments);
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        command
    }

    /// Runs a command to its end.
    pub(crate) fn say(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("it speaks UTF-8");
        Said { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Starts a command that goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }
}

impl Said {
    /// It ended with this code, and said all of this on stderr or stdout.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part) || self.stdout.contains(part), "{part:?} is missing in {self:#?}");
        }
        self
    }

    /// Its stdout as lines of JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}
