//! Two processes that stand still for longer than their sessions, beside kills: once in a run that has an end, and again and again while
//! the shop goes on. They take minutes, and are run by hand. A kill alone is tried in `main`.

use std::time::Duration;

use highwater::time::{Clock as _, SystemClock};
use shoppulse_oracle::{InputRecord, Traffic, TrafficSettings};

use crate::cluster::{Cluster, one_at_a_time};
use crate::process::Process;
use crate::{END_WITHIN, RECORDS, check, kill_in_open_transaction, traffic, wait_for_position};

/// How long a member may be silent before its work moves.
const SESSION: Duration = Duration::from_secs(6);
/// The records come in so many pieces, a second apart.
const PIECES: usize = 90;
const NAMES: [&str; 2] = ["one", "two"];
/// How long both have to themselves in the end.
const CALM: Duration = Duration::from_secs(12);
/// How long a process may take to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);

#[test]
#[ignore = "two minutes, by hand: docs/guide/testing.md"]
fn rows_equal_the_oracle_through_a_kill_and_a_standstill_of_two_processes() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(3);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let records: Vec<InputRecord> = Traffic::new(TrafficSettings::test(RECORDS, 7)).collect();
    traffic::produce(&cluster.kafka(), &records);

    let session = session();
    let run = ["run", "--until-end", "--set", &session];
    let [mut first, mut second] = NAMES.map(|name| Process::start(cluster.shoppulse(name, &run), cluster.log(name)));
    let raw = records.iter().filter(|record| record.topic == "raw.events").count() as i64;
    wait_for_position(&cluster, raw / 4, &mut first);
    kill_in_open_transaction(&cluster, "two", &mut second);
    let mut second = Process::start(cluster.shoppulse("two", &run), cluster.log("two-again"));
    // Long enough for its work to be given to the other; then it goes on where it stood, and has to find that out.
    first.pause();
    let seen = wait_for_position(&cluster, 0, &mut first);
    assert!(seen < raw, "there was work left when one was killed and one stood still: {seen} of {raw} raw events were done");
    SystemClock.sleep(SESSION + SESSION / 2);
    first.resume();
    let ended = [first.wait(END_WITHIN), second.wait(END_WITHIN)];
    let said = [first.last_words(), second.last_words()].join("\n\nThe one that came back:\n");
    assert_eq!(ended, [Some(0), Some(0)], "both end well. The one that stood still:\n{said}");
    check(&cluster, &records);
}

#[test]
#[ignore = "four minutes, by hand: docs/guide/testing.md"]
fn rows_equal_the_oracle_through_a_dozen_standstills_and_kills() {
    let _turn = one_at_a_time();
    let cluster = Cluster::start(3);
    cluster.succeed(&["topics", "apply", "--execute"]);
    let records: Vec<InputRecord> = Traffic::new(TrafficSettings::test(RECORDS, 7)).collect();
    let mut processes = NAMES.map(|name| start(&cluster, name, 0));
    let faults = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for piece in records.chunks(RECORDS / PIECES) {
                traffic::produce(&cluster.kafka(), piece);
                SystemClock.sleep(Duration::from_secs(1));
            }
        });
        let (mut faults, mut round) = (0, 0);
        while !writing.is_finished() {
            round += 1;
            faults += disturb(&cluster, &mut processes, round);
        }
        faults
    });
    assert!(faults >= 12, "the faults came while there was work: {faults}");
    SystemClock.sleep(CALM);
    processes.iter().for_each(Process::terminate);
    for process in &mut processes {
        assert_eq!(process.wait(LEAVES_WITHIN), Some(0), "it leaves in order and in time:\n{}", process.last_words());
    }
    // What the others have not given out yet comes out here, once the group does not count on them any more.
    let mut last = Process::start(cluster.shoppulse("three", &["run", "--until-end"]), cluster.log("last"));
    assert_eq!(last.wait(END_WITHIN), Some(0), "it ends well:\n{}", last.last_words());
    check(&cluster, &records);
}

fn session() -> String {
    format!("session_timeout_ms={}", SESSION.as_millis())
}

fn start(cluster: &Cluster, name: &str, round: usize) -> Process {
    Process::start(cluster.shoppulse(name, &["run", "--set", &session()]), cluster.log(&format!("{name}-{round}")))
}

/// One process stands still for longer than its session. In two of three rounds the other is killed meanwhile and comes back. Returns
/// how many faults that were.
fn disturb(cluster: &Cluster, processes: &mut [Process; 2], round: usize) -> usize {
    let (still, other) = (round % 2, (round + 1) % 2);
    let jitter = Duration::from_millis(300) * (round % 4) as u32;
    SystemClock.sleep(Duration::from_secs(2) + jitter);
    processes[still].pause();
    let kills = !round.is_multiple_of(3);
    if kills {
        SystemClock.sleep(Duration::from_millis(500));
        processes[other].kill();
        processes[other] = start(cluster, NAMES[other], round);
    }
    SystemClock.sleep(SESSION + Duration::from_millis(500) + jitter * 2);
    processes[still].resume();
    1 + usize::from(kills)
}
