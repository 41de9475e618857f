//! What the main loop publishes and HTTP shows: the applications' status, and what it means for health.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use highwater::runtime::{ApplicationStatus, Settings, TaskPhase};
use highwater::time::{Clock as _, SystemClock};
use highwater::{Timestamp, Topology};
use serde_json::json;

use super::lock;

/// A thread makes a turn at least so often.
const TURN_WITHIN: Duration = Duration::from_secs(30);

/// Whether something is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Good,
    /// It is not, for these reasons.
    Bad(Vec<String>),
}

/// An application, as it was seen last.
#[derive(Debug)]
struct Seen {
    status: ApplicationStatus,
    /// When a thread was last seen to have failed and gone on: a sign of life, as long as somebody tries.
    failed_at: Option<Timestamp>,
}

/// The applications of the process.
#[derive(Debug)]
pub struct Board {
    began: Timestamp,
    threads: usize,
    /// How long a thread may be in one call.
    patience: Duration,
    topologies: String,
    seen: Mutex<BTreeMap<String, Seen>>,
}

impl Board {
    /// A board for these topologies.
    pub fn new(topologies: &[Topology], settings: &Settings, began: Timestamp) -> Self {
        let described: Vec<_> = topologies.iter().map(Topology::description).collect();
        let nothing = |topology: &Topology| {
            let application = settings.application(topology).to_string();
            let status = ApplicationStatus { application: application.clone(), ..ApplicationStatus::default() };
            (application, Seen { status, failed_at: None })
        };
        Self {
            began,
            threads: settings.threads,
            patience: TURN_WITHIN + settings.request_timeout,
            topologies: json!(described).to_string(),
            seen: Mutex::new(topologies.iter().map(nothing).collect()),
        }
    }

    /// Puts up what was seen now.
    pub fn publish(&self, statuses: Vec<ApplicationStatus>, now: Timestamp) {
        let mut seen = lock(&self.seen);
        for status in statuses {
            let before = seen.get(&status.application);
            let failed = before.is_some_and(|before| before.status.recoveries < status.recoveries);
            let failed_at = if failed { Some(now) } else { before.and_then(|before| before.failed_at) };
            seen.insert(status.application.clone(), Seen { status, failed_at });
        }
    }

    /// Whether all threads make progress: a turn within 30 s, or, where a call did not come back or failed, within its timeout more.
    pub fn live(&self) -> Health {
        self.live_at(SystemClock.now())
    }

    fn live_at(&self, now: Timestamp) -> Health {
        let mut dead = Vec::new();
        for (name, seen) in &*lock(&self.seen) {
            for thread in 0..self.threads {
                let is_late = match seen.status.turns.get(&thread) {
                    Some(turn) if seen.failed_at.is_none_or(|failed| failed < *turn) => now > turn.plus(TURN_WITHIN),
                    _ => now > seen.failed_at.unwrap_or(self.began).max(self.began).plus(self.patience),
                };
                if is_late {
                    dead.push(format!("thread {thread} of {name} makes no progress"));
                }
            }
        }
        if dead.is_empty() { Health::Good } else { Health::Bad(dead) }
    }

    /// Whether all threads know their work and all tasks have their state.
    pub fn ready(&self) -> Health {
        let mut missing = Vec::new();
        for (name, seen) in &*lock(&self.seen) {
            let joined = seen.status.threads_joined.len();
            if joined < self.threads {
                missing.push(format!("{joined} of {} threads of {name} have joined their group", self.threads));
            }
            for (task, status) in &seen.status.tasks {
                if let TaskPhase::Restoring { remaining } = status.phase {
                    missing.push(format!("task {task} of {name} restores: {remaining} records to read"));
                }
            }
        }
        if missing.is_empty() { Health::Good } else { Health::Bad(missing) }
    }

    /// The topologies, as JSON.
    pub fn topologies(&self) -> String {
        self.topologies.clone()
    }

    /// The tasks of all applications, as JSON.
    pub fn tasks(&self) -> String {
        let mut tasks = Vec::new();
        for (name, seen) in &*lock(&self.seen) {
            for (task, status) in &seen.status.tasks {
                let (phase, remaining) = match status.phase {
                    TaskPhase::Restoring { remaining } => ("restoring", Some(remaining)),
                    TaskPhase::Running => ("running", None),
                };
                let input = |(topic, position, end): &(String, i64, Option<i64>)| json!({"topic": topic, "partition": task.partition, "position": position, "end": end});
                tasks.push(json!({
                    "application": name,
                    "task": task.to_string(),
                    "thread": status.thread,
                    "phase": phase,
                    "remaining": remaining,
                    "stream_time": status.stream_time.map(Timestamp::as_millis),
                    "waits_for": status.waits_for,
                    "inputs": status.inputs.iter().map(input).collect::<Vec<_>>(),
                }));
            }
        }
        json!(tasks).to_string()
    }
}

#[cfg(test)]
mod tests {
    use highwater::runtime::TaskStatus;
    use highwater::{StreamsBuilder, TaskId};

    use super::*;

    const BEGAN: Timestamp = Timestamp::from_millis(1_000_000);

    fn board(threads: usize) -> Board {
        let builder = StreamsBuilder::new("t");
        builder.stream::<String, String>("in").to("out");
        let settings = Settings { threads, ..Settings::new("app", "/nonexistent") };
        Board::new(&[builder.build().unwrap()], &settings, BEGAN)
    }

    fn status(turns: &[(usize, i64)], recoveries: u64) -> ApplicationStatus {
        let turns = turns.iter().map(|(thread, seconds)| (*thread, BEGAN.plus(Duration::from_secs(*seconds as u64)))).collect();
        ApplicationStatus { application: "app-t".to_owned(), turns, recoveries, ..ApplicationStatus::default() }
    }

    #[test]
    fn a_thread_lives_while_it_turns_or_tries_again() {
        let at = |seconds| BEGAN.plus(Duration::from_secs(seconds));
        let board = board(2);
        assert_eq!(board.live_at(at(59)), Health::Good, "it may still connect");
        assert_ne!(board.live_at(at(61)), Health::Good);
        board.publish(vec![status(&[(0, 10), (1, 70)], 0)], at(70));
        assert_eq!(board.live_at(at(75)), Health::Bad(vec!["thread 0 of app-t makes no progress".to_owned()]));
        board.publish(vec![status(&[(0, 80), (1, 80)], 0)], at(80));
        assert_eq!(board.live_at(at(110)), Health::Good);
        assert_ne!(board.live_at(at(111)), Health::Good);
        board.publish(vec![status(&[(0, 80), (1, 80)], 1)], at(111));
        assert_eq!(board.live_at(at(171)), Health::Good, "a call that waits for a broker is no death");
        assert_ne!(board.live_at(at(172)), Health::Good);
    }

    #[test]
    fn ready_is_who_knows_all_work_and_has_all_state() {
        let board = board(1);
        assert_eq!(board.ready(), Health::Bad(vec!["0 of 1 threads of app-t have joined their group".to_owned()]));
        let mut joined = status(&[], 0);
        joined.threads_joined.insert(0);
        let task = |phase| TaskStatus {
            phase,
            thread: 0,
            stream_time: None,
            inputs: vec![("in".to_owned(), 3, Some(9))],
            waits_for: None,
        };
        let id = TaskId { subtopology: "t.in".into(), partition: 2 };
        joined.tasks.insert(id.clone(), task(TaskPhase::Restoring { remaining: 7 }));
        board.publish(vec![joined.clone()], BEGAN);
        assert_eq!(board.ready(), Health::Bad(vec!["task t.in_2 of app-t restores: 7 records to read".to_owned()]));
        joined.tasks.insert(id, task(TaskPhase::Running));
        board.publish(vec![joined], BEGAN);
        assert_eq!(board.ready(), Health::Good);
        assert!(board.tasks().contains(r#""inputs":[{"end":9,"partition":2,"position":3,"topic":"in"}]"#), "{}", board.tasks());
    }
}
