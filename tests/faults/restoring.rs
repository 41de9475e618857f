//! State that is gone, behind, of another log, stale, or damaged becomes what the changelog says before a record is processed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use highwater::kafka::memory::{At, Call, Fault};
use highwater::kafka::{Kafka, NewTopic};

use crate::app::{GROUP, PARTITIONS, World, settings_for, wait};

const LINES: usize = 80;

/// All files below.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory can be made");
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("it is below"));
        fs::create_dir_all(target.parent().expect("it has a parent")).expect("a directory can be made");
        fs::copy(&file, target).expect("a file can be copied");
    }
}

/// Runs, stops, does something to the state on disk, and runs on: repeated lines stay repeated, and totals go on.
fn through(case: &str, harm: impl FnOnce(&mut World)) {
    let mut world = World::new();
    world.send(LINES);
    let running = world.start();
    world.finish(running, case);
    harm(&mut world);
    world.send_all_again();
    world.send(LINES);
    let running = world.start();
    world.finish(running, case);
}

// covers: I2, I3
#[test]
fn state_that_cannot_be_used_is_rebuilt() {
    through("nothing happened", |_| ());
    through("the state is wiped", |world| fs::remove_dir_all(world.state.path()).expect("it is there"));
    through("every table is damaged", |world| {
        for file in files(world.state.path()).iter().filter(|file| file.extension().is_some_and(|name| name == "sst")) {
            let mut bytes = fs::read(file).expect("it can be read");
            let end = bytes.len() / 2;
            bytes[..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
            fs::write(file, bytes).expect("it can be written");
        }
    });
    through("every table is cut", |world| {
        for file in files(world.state.path()).iter().filter(|file| file.extension().is_some_and(|name| name == "sst")) {
            let bytes = fs::read(file).expect("it can be read");
            fs::write(file, &bytes[..bytes.len() / 3]).expect("it can be written");
        }
    });
    through("the manifest is gone", |world| {
        for file in files(world.state.path()) {
            if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("MANIFEST")) {
                fs::remove_file(file).expect("it can be removed");
            }
        }
    });
    through("the state is stale", |world| world.settings.state_max_age = Duration::ZERO);
}

// covers: I3
#[test]
fn state_that_is_behind_by_some_transactions_catches_up() {
    let mut world = World::new();
    let old = tempfile::tempdir().expect("a directory can be made");
    for round in 0..4 {
        world.send(LINES);
        let running = world.start();
        world.finish(running, "behind");
        if round == 0 {
            copy_dir(world.state.path(), old.path());
        }
    }
    // A state of three runs ago, as after the loss of everything that was not flushed.
    world.settings = settings_for("0", old.path());
    world.send_all_again();
    world.send(LINES);
    let running = world.start();
    world.wait_until_done("behind");
    running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    world.check("behind");
    world.check_state(old.path(), "behind");
}

// covers: I3
#[test]
fn a_changelog_that_was_compacted_and_trimmed_restores_the_same() {
    through("compacted", |world| {
        for store in ["totals", "by_account-task", "in-task"] {
            world.cluster.compact(&format!("{GROUP}-{store}-changelog"));
        }
        fs::remove_dir_all(world.state.path()).expect("it is there");
    });
}

/// A log that was deleted and made anew is another log: what its predecessor left on disk must not be taken for its own.
// covers: I2
#[test]
fn state_of_a_log_that_was_made_anew_is_dropped() {
    for lines_before in [0, LINES] {
        let mut world = World::new();
        world.send(lines_before);
        let running = world.start();
        wait("it runs", || running.status().is_ready());
        world.wait_until_done("before");
        running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
        let changelog = format!("{GROUP}-totals-changelog");
        let mut admin = world.cluster.admin().expect("an admin client");
        admin.delete_topics(&[&changelog], Duration::from_secs(5)).expect("the topic can be deleted");
        let again = NewTopic {
            name: changelog.clone(),
            partitions: PARTITIONS,
            replication_factor: -1,
            config: std::iter::once(("cleanup.policy".to_owned(), "compact".to_owned())).collect(),
        };
        admin.create_topics(&[again], Duration::from_secs(5)).expect("the topic can be made");
        world.send(LINES);
        let running = world.start();
        world.wait_until_done("after");
        running.shutdown(Duration::from_secs(10)).expect("it leaves in order");
        world.check_state(world.state.path(), "a new log");
    }
}

/// A transaction is decided, its positions are visible, and the changelog's markers are not there yet: who takes the tasks over
/// must wait for them, or it would miss what the positions say is done.
// covers: I3, I4
#[test]
fn a_restore_waits_for_markers_that_come_after_the_positions() {
    let mut world = World::with_marker_delay(Duration::from_secs(4));
    let other_dir = tempfile::tempdir().expect("a directory can be made");
    let first = world.start();
    world.send(LINES);
    world.wait_until_done("before");
    let client = format!("{GROUP}-0-0");
    world.cluster.faults().inject(At::from(Call::Commit).client(client), Fault::HalfMarked);
    world.send(LINES);
    wait("the commit is half done", || world.cluster.faults().pending() == 0);
    world.cluster.faults().crash(GROUP);
    first.crash();
    // Another instance, whose transactional id fences nothing.
    let second = world.start_with(settings_for("1", other_dir.path()));
    wait("it has the tasks", || second.status().tasks.len() == 4);
    world.send(LINES);
    world.wait_until_done("after");
    second.shutdown(Duration::from_secs(10)).expect("it leaves in order");
    world.check("half marked");
    world.check_state(other_dir.path(), "half marked");
}
