//! Instances come, go, sleep and wake; tasks change hands between threads and processes. The result is exact.

use std::time::Duration;

use highwater::kafka::memory::{At, Call, Fault};
use highwater::runtime::RunningStreams;

use crate::app::{GROUP, World, settings_for, wait};

const LINES: usize = 60;

fn tasks(instances: &[&RunningStreams]) -> Vec<usize> {
    instances.iter().map(|instance| instance.status().tasks.len()).collect()
}

/// Sends some lines and waits until they are dealt with.
fn work(world: &mut World, case: &str) {
    world.send(LINES);
    world.wait_until_done(case);
}

// covers: I1, I2, I3
#[test]
fn instances_that_join_and_leave_share_the_work_and_lose_none() {
    let mut world = World::new();
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a directory can be made")).collect();
    let start = |world: &World, index: usize| world.start_with(settings_for(&index.to_string(), dirs[index].path()));
    let first = start(&world, 0);
    work(&mut world, "alone");
    let second = start(&world, 1);
    wait("two share", || tasks(&[&first, &second]) == [2, 2]);
    work(&mut world, "two");
    let third = start(&world, 2);
    wait("three share", || tasks(&[&first, &second, &third]).iter().filter(|tasks| **tasks > 0).count() == 3);
    world.send(LINES);
    first.shutdown(Duration::from_secs(10)).expect("it leaves in the middle of work");
    work(&mut world, "the first has left");
    wait("its tasks are taken over", || tasks(&[&second, &third]).iter().sum::<usize>() == 4);
    let again = start(&world, 0);
    wait("it is back", || tasks(&[&again, &second, &third]).iter().filter(|tasks| **tasks > 0).count() == 3);
    work(&mut world, "the first is back");
    for instance in [second, third] {
        instance.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    }
    world.finish(again, "at the end");
}

// covers: I2, I3
#[test]
fn threads_of_one_process_hand_their_tasks_over() {
    let mut world = World::new();
    world.settings.threads = 3;
    let running = world.start();
    wait("all tasks run", || running.status().is_ready() && running.status().tasks.len() == 4);
    work(&mut world, "three threads");
    for thread in [0, 1, 2] {
        // A thread that is fenced or loses its clients drops its tasks and takes them up again, or others do.
        world.send(LINES);
        world.cluster.faults().crash(&format!("{GROUP}-0-{thread}"));
        world.cluster.evict(GROUP, &format!("{GROUP}-0-{}", (thread + 1) % 3));
        work(&mut world, "after a thread's end");
    }
    assert!(running.status().recoveries >= 3, "threads did fail");
    world.finish(running, "threads");
}

// covers: I1, I3
#[test]
fn instances_that_share_a_state_directory_take_tasks_over_with_their_state() {
    let mut world = World::new();
    let first = world.start_with(settings_for("0", world.state.path()));
    work(&mut world, "alone");
    let second = world.start_with(settings_for("1", world.state.path()));
    wait("two share", || tasks(&[&first, &second]) == [2, 2]);
    work(&mut world, "two");
    first.crash();
    world.send(LINES);
    wait("the other has all", || tasks(&[&second]) == [4]);
    world.finish(second, "one state directory");
}

#[test]
fn a_static_member_that_comes_back_in_time_moves_no_task_of_others() {
    let mut world = World::new();
    let dirs: Vec<_> = (0..2).map(|_| tempfile::tempdir().expect("a directory can be made")).collect();
    let mut settings: Vec<_> = (0..2).map(|index| settings_for(&index.to_string(), dirs[index].path())).collect();
    for settings in &mut settings {
        settings.session_timeout = Duration::from_secs(20);
    }
    let stays = world.start_with(settings[0].clone());
    let leaves = world.start_with(settings[1].clone());
    wait("two share", || tasks(&[&stays, &leaves]) == [2, 2]);
    work(&mut world, "two");
    let before: Vec<_> = stays.status().tasks.into_keys().collect();
    leaves.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    world.send(LINES);
    let back = world.start_with(settings[1].clone());
    world.wait_until_done("back");
    assert_eq!(stays.status().tasks.into_keys().collect::<Vec<_>>(), before, "nobody else noticed");
    assert_eq!(stays.status().recoveries, 0);
    stays.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    back.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    world.check("a static member");
}

/// An instance sleeps in the middle of a step for longer than its session lasts; others take its tasks; then it wakes.
// covers: I1, I2
#[test]
fn a_zombie_commits_nothing_and_applies_nothing() {
    for call in [Call::Poll, Call::Send, Call::Flush, Call::SendOffsets, Call::Commit, Call::GroupMetadata] {
        let case = format!("asleep in {call:?}");
        let mut world = World::new();
        let other_dir = tempfile::tempdir().expect("a directory can be made");
        let sleeper = world.start_with(settings_for("0", world.state.path()));
        work(&mut world, &case);
        world.cluster.faults().inject(At::from(call).client(format!("{GROUP}-0-0")), Fault::Delay(Duration::from_secs(4)));
        world.send(LINES);
        wait(&case, || world.cluster.faults().pending() == 0);
        let other = world.start_with(settings_for("1", other_dir.path()));
        world.send(LINES);
        world.wait_until_done(&case);
        world.check_outputs(&case);
        // The sleeper wakes, is refused, and becomes a member among others.
        wait(&case, || sleeper.status().recoveries > 0 && sleeper.status().is_ready());
        work(&mut world, &case);
        other.shutdown(Duration::from_secs(10)).expect("it leaves in order");
        work(&mut world, &case);
        world.finish(sleeper, &case);
    }
}

#[test]
fn partitions_that_are_lost_are_closed_without_a_commit() {
    let mut world = World::new();
    let running = world.start();
    work(&mut world, "before");
    for round in 0..3 {
        world.send(LINES);
        world.cluster.evict(GROUP, &format!("{GROUP}-0-0"));
        work(&mut world, &format!("lost {round}"));
    }
    assert!(running.status().recoveries > 0, "the loss was noticed");
    world.finish(running, "lost");
}
