//! The closing words of a bounded run: what went in and came out, and what it cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use highwater::Timestamp;
use highwater::runtime::ApplicationStatus;
use rustix::time::{ClockId, clock_gettime};

/// Numbers of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Records read, by topology and topic.
    records_in: BTreeMap<(String, String), u64>,
    /// The same by outcome and reason.
    outcomes: BTreeMap<(String, String, String), u64>,
    /// Records written, by topology and topic.
    records_out: BTreeMap<(String, String), u64>,
    commits: u64,
    aborts: u64,
    recoveries: u64,
    wall_ms: i64,
    cpu: Duration,
    peak_memory_bytes: Option<u64>,
}

impl Summary {
    /// The numbers of these applications, over this time, and of this process.
    pub fn of(statuses: &[ApplicationStatus], began: Timestamp, ended: Timestamp) -> Self {
        let mut summary = Self {
            wall_ms: ended.as_millis() - began.as_millis(),
            cpu: cpu_time(),
            peak_memory_bytes: memory_bytes("VmHWM"),
            ..Self::default()
        };
        for status in statuses {
            let name = &status.application;
            for (topic, count) in &status.records_in {
                *summary.records_in.entry((name.clone(), topic.clone())).or_default() += count;
            }
            for ((topic, outcome, reason), count) in &status.outcomes {
                let outcome = if reason.is_empty() { (*outcome).to_owned() } else { format!("{outcome}/{reason}") };
                *summary.outcomes.entry((name.clone(), topic.clone(), outcome)).or_default() += count;
            }
            for (topic, count) in &status.records_out {
                *summary.records_out.entry((name.clone(), topic.clone())).or_default() += count;
            }
            summary.commits += status.commits;
            summary.aborts += status.aborts;
            summary.recoveries += status.recoveries;
        }
        summary
    }

    /// On stderr, whatever form logs have: it is for whoever started the run.
    #[expect(clippy::print_stderr, reason = "stdout is for results, and logs may be off")]
    pub fn print(&self) {
        eprint!("{self}");
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((application, topic), count) in &self.records_in {
            write!(f, "in   {application}  {topic}  {count}")?;
            let outcomes = self.outcomes.iter().filter(|((of, from, _), _)| of == application && from == topic);
            for ((.., outcome), count) in outcomes {
                write!(f, "  {outcome}={count}")?;
            }
            writeln!(f)?;
        }
        for ((application, topic), count) in &self.records_out {
            writeln!(f, "out  {application}  {topic}  {count}")?;
        }
        writeln!(f, "{} commits, {} aborts, {} recoveries", self.commits, self.aborts, self.recoveries)?;
        let total: u64 = self.records_in.values().sum();
        write!(f, "{total} records in {:.1} s", self.wall_ms as f64 / 1000.0)?;
        let cpu = self.cpu.as_secs_f64();
        write!(f, ", {cpu:.2} s of CPU")?;
        if total > 0 {
            write!(f, " ({:.2} s per million records)", cpu * 1e6 / total as f64)?;
        }
        if let Some(peak) = self.peak_memory_bytes {
            write!(f, ", at most {} MiB of memory", peak >> 20)?;
        }
        writeln!(f)
    }
}

/// What this process has used of CPU so far, in user and system mode together.
pub fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.max(0) as u64, used.tv_nsec.clamp(0, 999_999_999) as u32)
}

/// A line of this process's memory: `VmHWM` is the peak, `VmRSS` what it uses now.
pub fn memory_bytes(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_words_say_what_went_in_came_out_and_was_paid() {
        let status = ApplicationStatus {
            application: "app-clean".to_owned(),
            records_in: BTreeMap::from([("raw.events".to_owned(), 10)]),
            outcomes: BTreeMap::from([
                (("raw.events".to_owned(), "processed", ""), 7),
                (("raw.events".to_owned(), "dead_lettered", "not_json"), 3),
            ]),
            records_out: BTreeMap::from([("clean.events".to_owned(), 7), ("dlq.shoppulse".to_owned(), 3)]),
            commits: 2,
            ..ApplicationStatus::default()
        };
        let summary = Summary::of(&[status], Timestamp::from_millis(0), Timestamp::from_millis(2500));
        assert!(summary.cpu > Duration::ZERO && summary.peak_memory_bytes > Some(1 << 20));
        let fixed = Summary { cpu: Duration::from_micros(50), peak_memory_bytes: Some(64 << 20), ..summary };
        let expected = "in   app-clean  raw.events  10  dead_lettered/not_json=3  processed=7\n\
                        out  app-clean  clean.events  7\n\
                        out  app-clean  dlq.shoppulse  3\n\
                        2 commits, 0 aborts, 0 recoveries\n\
                        10 records in 2.5 s, 0.00 s of CPU (5.00 s per million records), at most 64 MiB of memory\n";
        assert_eq!(fixed.to_string(), expected);
    }
}
