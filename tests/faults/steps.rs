//! Every step of a stream thread fails once, in every way, for the first time and in the middle; the result is exact.

use std::time::Duration;

use highwater::kafka::KafkaErrorKind::{Abortable, Fatal, Fenced, Retriable, Timeout};
use highwater::kafka::memory::{At, Call, Fault};

use crate::app::{Stopwatch, World, wait};

/// The calls of a stream thread and of its restorer.
const STEPS: [Call; 16] = [
    Call::Init,
    Call::Begin,
    Call::Send,
    Call::Flush,
    Call::SendOffsets,
    Call::Commit,
    Call::GroupMetadata,
    Call::Subscribe,
    Call::Poll,
    Call::Assign,
    Call::Committed,
    Call::Pause,
    Call::Resume,
    Call::Watermarks,
    Call::Unassign,
    Call::Close,
];
const LINES: usize = 40;

/// The calls that a plain run makes more than once.
fn is_repeated(call: Call) -> bool {
    matches!(call, Call::Begin | Call::Send | Call::Flush | Call::SendOffsets | Call::Commit | Call::GroupMetadata | Call::Poll)
}

fn occurrences(call: Call) -> &'static [u64] {
    if is_repeated(call) { &[1, 3] } else { &[1] }
}

/// What becomes of the process when the fault has struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It goes on.
    GoesOn,
    /// It dies, and another takes over its state directory.
    Dies,
    /// It dies, and another starts without state.
    DiesAndIsWiped,
}

/// One fault at one step; whatever happens, the result is exact.
fn run(call: Call, number: u64, fault: Fault, then: Then) {
    let case = format!("{call:?} #{number} {fault:?}, then {then:?}");
    let started = Stopwatch::start();
    let mut world = World::new();
    world.send(LINES);
    let faults = world.cluster.faults().clone();
    faults.inject(At::from(call).number(number), fault);
    let mut running = world.start();
    // More lines come while the fault is dealt with, so that there is a commit after it.
    wait(&case, || faults.pending() == 0 || world.is_done());
    if then != Then::GoesOn {
        running.crash();
        faults.clear();
        if then == Then::DiesAndIsWiped {
            std::fs::remove_dir_all(world.state.path().join(crate::app::GROUP)).expect("the state is there");
        }
        running = world.start();
    }
    world.send(LINES);
    wait(&case, || world.is_done());
    world.cluster.deliver_held();
    world.send(LINES);
    world.finish(running, &case);
    assert!(started.elapsed() < Duration::from_secs(15), "{case}: took {:?}", started.elapsed());
}

fn run_all(faults: &[Fault], then: Then) {
    for fault in faults {
        for call in STEPS {
            for number in occurrences(call) {
                run(call, *number, *fault, then);
            }
        }
    }
}

// covers: I1, I2, I3, I4, I5, I10
#[test]
fn a_step_that_fails_without_effect_changes_no_result() {
    run_all(&[Retriable, Abortable, Fatal].map(Fault::Fail), Then::GoesOn);
}

// covers: I1, I4
#[test]
fn a_step_that_times_out_or_is_fenced_changes_no_result() {
    run_all(&[Timeout, Fenced].map(Fault::Fail), Then::GoesOn);
}

// covers: I1, I2, I3, I4
#[test]
fn a_step_whose_answer_is_lost_changes_no_result() {
    run_all(&[Timeout, Fenced, Fatal].map(Fault::FailAfterEffect), Then::GoesOn);
}

// covers: I1, I2, I3, I4
#[test]
fn a_process_that_dies_between_any_two_steps_changes_no_result() {
    run_all(&[Fault::Crash, Fault::CrashAfterEffect], Then::Dies);
}

// covers: I2, I3
#[test]
fn a_process_that_dies_and_loses_its_disk_changes_no_result() {
    for call in [Call::Send, Call::SendOffsets, Call::Commit] {
        for fault in [Fault::Crash, Fault::CrashAfterEffect] {
            for number in occurrences(call) {
                run(call, *number, fault, Then::DiesAndIsWiped);
            }
        }
    }
}

// covers: I4
#[test]
fn a_commit_in_doubt_is_settled_by_what_the_cluster_says() {
    for call in [Call::SendOffsets, Call::Commit] {
        for fault in [Fault::Doubtful, Fault::HeldCopy, Fault::Prepared, Fault::HalfMarked] {
            for number in [1, 2, 4] {
                for then in [Then::GoesOn, Then::Dies] {
                    run(call, number, fault, then);
                }
            }
        }
    }
}

/// The first copy of a commit was delayed in the network and arrives when the next transaction is half written. Were the producer
/// still the same, it would commit that half.
// covers: I1, I4
#[test]
fn a_late_copy_of_a_commit_does_not_commit_half_of_the_next_transaction() {
    let case = "a late copy";
    let mut world = World::new();
    let faults = world.cluster.faults().clone();
    let running = world.start();
    world.send(LINES);
    world.wait_until_done(case);
    faults.inject(Call::Commit, Fault::HeldCopy);
    world.send(LINES);
    wait(case, || faults.pending() == 0);
    world.wait_until_done(case);
    faults.inject(Call::Flush, Fault::Delay(Duration::from_millis(300)));
    world.send(LINES);
    wait(case, || faults.pending() == 0);
    assert_eq!(world.cluster.deliver_held(), 0, "the producer that sent it is fenced");
    faults.crash(crate::app::GROUP);
    running.crash();
    let running = world.start();
    world.finish(running, case);
}
