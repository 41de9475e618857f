//! What needs no cluster, and what is said where there is none.

use std::fs::File;

use crate::shoppulse::Shoppulse;

fn shoppulse() -> (Shoppulse, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Shoppulse::with_state(&dir.path().join("state")), dir)
}

#[test]
fn a_wrong_setting_stops_with_its_name_its_source_and_the_right_one() {
    let (shoppulse, _dir) = shoppulse();
    shoppulse.clone().set("TREADS", "2").say(&["run"]).expect(78, &["`SHOPPULSE__TREADS`", "did you mean `SHOPPULSE__THREADS`?"]);
    shoppulse.clone().set("THREADS", "many").say(&["doctor"]).expect(1, &["FAIL  config", "\"many\" is wrong"]);
    shoppulse.say(&["run", "--threads", "0"]).expect(78, &["flag `--threads`", "a whole number from 1 to 256"]);
    shoppulse.say(&["run", "--topologies", "claen"]).expect(78, &["no topology `claen`", "clean, sessions"]);
    shoppulse.say(&["run", "--config", "/nonexistent.toml"]).expect(78, &["/nonexistent.toml", "no such file"]);
    shoppulse.clone().set("LOG", "info,=").say(&["run"]).expect(78, &["setting `log`"]);
    let unknown = shoppulse.set("KAFKA__PROPERTIES__LINGER__SM", "1").say(&["tail", "t"]);
    unknown.expect(78, &["linger.sm"]);
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let (shoppulse, _dir) = shoppulse();
    for arguments in [&["rum"][..], &["run", "--frobnicate"], &["reset"], &["tail"], &["run", "--set", "threads"]] {
        shoppulse.say(arguments).expect(2, &[]);
    }
    shoppulse.say(&["--help"]).expect(0, &["run", "topology", "topics", "tail", "state", "reset", "doctor"]);
    shoppulse.say(&["--version"]).expect(0, &["shoppulse 0.1.0"]);
}

#[test]
fn a_broker_that_is_away_ends_the_start_with_69_in_bounded_time() {
    let (shoppulse, _dir) = shoppulse();
    let shoppulse = shoppulse.set("KAFKA__CONNECT_TIMEOUT_MS", "500");
    for arguments in [&["run"][..], &["topics", "plan"], &["tail", "t"], &["reset", "--to-earliest"]] {
        shoppulse.say(arguments).expect(69, &["no broker at 127.0.0.1:9 answered within 500ms", "`kafka.bootstrap_servers`"]);
    }
    shoppulse.say(&["doctor"]).expect(1, &["FAIL  brokers", "FAIL  registry", "ok    state", "ok    disk"]);
}

#[test]
fn a_state_directory_that_is_taken_or_unusable_ends_the_start_with_78() {
    let (shoppulse, dir) = shoppulse();
    let state = dir.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let lock = File::create(state.join("lock")).unwrap();
    lock.lock().unwrap();
    shoppulse.say(&["run"]).expect(78, &["used by another process", "`state_dir`"]);
    shoppulse.set("STATE_DIR", &format!("{}/lock/below", state.display())).say(&["run"]).expect(78, &["cannot be used"]);
}

#[test]
fn topologies_are_shown_and_compared_without_a_cluster_or_right_settings() {
    let (shoppulse, dir) = shoppulse();
    let shoppulse = shoppulse.set("TREADS", "2");
    let list = shoppulse.say(&["topology", "list"]).expect(0, &[]);
    let names: Vec<&str> = list.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["clean", "sessions", "orders", "customers"]);
    shoppulse.say(&["topology", "describe", "clean"]).expect(0, &["raw.events", "seen-events", "dlq.shoppulse"]);
    shoppulse.say(&["topology", "describe", "orders", "--format", "mermaid"]).expect(0, &["flowchart"]);
    shoppulse.say(&["topology", "describe", "oders"]).expect(2, &["no topology `oders`"]);
    let described = shoppulse.say(&["topology", "describe", "--format", "json"]).expect(0, &[]).stdout;
    let (old, new) = (dir.path().join("old.json"), dir.path().join("new.json"));
    std::fs::write(&new, &described).unwrap();
    std::fs::write(&old, described.replace("seen-events", "known-events")).unwrap();
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    shoppulse.say(&["topology", "diff", new, new]).expect(0, &["kept     store seen-events"]);
    shoppulse
        .say(&["topology", "diff", old, new])
        .expect(1, &["lost     store known-events  BREAKS", "added    store seen-events"]);
    shoppulse.say(&["topology", "diff", "/nonexistent", new]).expect(2, &["/nonexistent"]);
}

#[test]
fn state_that_is_not_there_is_said_to_be_not_there() {
    let (shoppulse, _dir) = shoppulse();
    shoppulse.say(&["state", "inspect"]).expect(0, &["no state in"]);
    shoppulse.say(&["state", "inspect", "--task", "clean.events_0"]).expect(1, &["no state of task `clean.events_0`"]);
}
