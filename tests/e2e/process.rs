//! A process under test: started, ended in several ways, never left behind.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use highwater::time::{Clock as _, SystemClock};

use crate::POLL_EVERY;

/// A running process, killed when it is dropped. What it says goes into a file.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log file can be made");
        let same = file.try_clone().expect("a file can be shared");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(same).spawn().expect("the binary starts");
        Self { child, log }
    }

    /// SIGKILL: it has no chance to tidy up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
    }

    /// SIGTERM: it is asked to leave.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// SIGSTOP: it stands still, wherever it is.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().expect("`kill` runs");
        assert!(sent.success(), "the signal was sent");
    }

    /// How it ended; `None` if it still runs.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().expect("a child can be asked").map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for its end; `None` if it takes longer.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Option<i32> {
        let until = SystemClock.now().plus(at_most);
        loop {
            let code = self.exit_code();
            if code.is_some() || SystemClock.now() > until {
                return code;
            }
            SystemClock.sleep(POLL_EVERY);
        }
    }

    /// The end of what it has said.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 100;
        let said = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago, which is no failure.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
