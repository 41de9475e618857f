//! A PostgreSQL of the test's own, and the connector that follows it. What is written into it is `workload`'s.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use highwater::time::{Clock as _, SystemClock};

use crate::POLL_EVERY;
use crate::cluster::Cluster;

/// A database, and later a worker of Kafka Connect; both end when this is dropped.
pub(crate) struct Database<'c> {
    cluster: &'c Cluster,
    /// What `dev/postgres up` says to export.
    exports: BTreeMap<String, String>,
}

impl<'c> Database<'c> {
    /// Starts one with the shop's tables, empty.
    pub(crate) fn start(cluster: &'c Cluster) -> Self {
        let mut database = Self { cluster, exports: BTreeMap::new() };
        let printed = database.script("postgres", &["up", "--owner", &std::process::id().to_string()]);
        let exports = printed.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        database.exports = exports.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        database
    }

    /// Starts worker and connector, and waits until it runs.
    pub(crate) fn follow(&self, partitions: i32) {
        let (partitions, owner) = (partitions.to_string(), std::process::id().to_string());
        let mut arguments = vec!["up", "--partitions", &partitions, "--owner", &owner];
        // Several small chunks, so that changes fall between them and into them.
        for setting in ["incremental.snapshot.chunk.size=64", "heartbeat.interval.ms=1000"] {
            arguments.extend(["--set", setting]);
        }
        self.script("connect", &arguments);
    }

    /// A fault of the worker, or its end.
    pub(crate) fn worker(&self, action: &str) {
        self.script("connect", &["worker", action]);
    }

    /// Stops the connector, or lets it go on.
    pub(crate) fn connector(&self, action: &str) {
        self.script("connect", &["connector", action]);
    }

    /// Runs statements, which must go well, and gives what they print.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let output = self.psql().args(["-At", "-c", statements]).output().expect("psql runs");
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a statement that must be refused, and gives the reason.
    pub(crate) fn refuse(&self, statement: &str) -> String {
        let output = self.psql().args(["-c", statement]).output().expect("psql runs");
        assert!(!output.status.success(), "{statement} is refused");
        String::from_utf8(output.stderr).expect("text")
    }

    /// Runs many statements from a file, beside the test.
    pub(crate) fn write(&self, name: &str, statements: &str) -> Writer {
        let file = self.cluster.path(&format!("{name}.sql"));
        std::fs::write(&file, statements).expect("a file can be written");
        let child = self.psql().arg("-f").arg(&file).stdout(Stdio::null()).spawn().expect("psql runs");
        Writer(child)
    }

    /// Lets the pipeline know that no row with an id up to this one is there but those that are.
    pub(crate) fn forget(&self, table: &str, last: i64) {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/platform/connect/forget.sql");
        let (table, last) = (format!("table={table}"), format!("last={last}"));
        let arguments = ["-v", &table, "-v", "first=1", "-v", &last, "-f", file];
        let output = self.psql().args(arguments).output().expect("psql runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits until Kafka has acknowledged all that is committed by now.
    pub(crate) fn wait_until_followed(&self) {
        let lsn = self.sql("select pg_current_wal_lsn()");
        let question = format!("select confirmed_flush_lsn >= '{}' from pg_replication_slots", lsn.trim());
        self.wait_for(&question, "t");
    }

    /// Waits until a query prints this.
    pub(crate) fn wait_for(&self, query: &str, expected: &str) {
        const ATTEMPTS: usize = 900;
        for _ in 0..ATTEMPTS {
            if self.sql(query).trim() == expected {
                return;
            }
            SystemClock.sleep(POLL_EVERY);
        }
        let log = std::fs::read_to_string(self.home("connect").join("connect/log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        panic!("`{query}` did not come to print {expected}:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
    }

    fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        command
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .envs(&self.exports)
            .env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }

    fn home(&self, script: &str) -> PathBuf {
        self.cluster.path(script)
    }

    fn script(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = self.cluster.development(name);
        command.args(arguments).arg("--dir").arg(self.home(name)).envs(&self.exports);
        let output = command.stderr(Stdio::inherit()).output().expect("the script runs");
        assert!(output.status.success(), "dev/{name} {arguments:?} failed");
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        self.script("connect", &["down"]);
        self.script("postgres", &["down"]);
    }
}

/// Statements that are being run.
pub(crate) struct Writer(Child);

impl Writer {
    /// Waits until all have been run, and they must have gone well.
    pub(crate) fn finish(mut self) {
        let status = self.0.wait().expect("psql can be waited for");
        assert!(status.success(), "all statements were run");
    }

    /// Whether there is something left to run.
    pub(crate) fn is_writing(&mut self) -> bool {
        self.0.try_wait().expect("psql can be asked").is_none()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended long ago, which is no failure.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Gives what runs beside the test some time.
pub(crate) fn pause(millis: u64) {
    SystemClock.sleep(Duration::from_millis(millis));
}
