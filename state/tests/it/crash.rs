//! A crash at any time: what is found again is a point in the past, whole, with the positions that belong to it.

use std::fs;
use std::path::Path;

use highwater_state::{StoreId, TaskState};

use crate::scenario::{HOUR_MS, IDS, KV, Log, NOW_MS, SESSIONS, WINDOWS, open, small};

/// Every transaction writes its number everywhere, so a torn state shows.
fn transaction(state: &mut TaskState, log: &mut Log, number: i64) {
    let value = number.to_be_bytes();
    state.begin_record();
    state.put(KV, b"number", &value).unwrap();
    state.window_put(WINDOWS, b"k", number, &value).unwrap();
    state.session_put(SESSIONS, b"k", 0, 0, &value).unwrap();
    state.dedup_keep(IDS, number as u128, number).unwrap();
    state.accept_record();
    log.commit(state, NOW_MS);
}

/// The last transaction that is there, after checking that it is there in all stores and that the positions say so.
fn check(state: &TaskState) -> i64 {
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let last = state.get(KV, b"number").unwrap().map_or(0, |value| number(&value));
    let mut windows = Vec::new();
    state.window_fetch(WINDOWS, b"k", 0..=i64::MAX, &mut |start, value| windows.push((start, number(value)))).unwrap();
    assert_eq!(windows, (1..=last).map(|number| (number, number)).collect::<Vec<_>>());
    let mut session = 0;
    state.session_find(SESSIONS, b"k", 0, 0, &mut |_, _, value| session = number(value)).unwrap();
    assert_eq!(session, last);
    for id in 1..last + 10 {
        assert_eq!(state.dedup_seen(IDS, id as u128).unwrap(), (id <= last).then_some(id));
    }
    for store in [KV, WINDOWS, SESSIONS, IDS] {
        assert_eq!(state.position(store).map_or(0, |position| position.next), last, "{store:?}");
    }
    last
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // A background thread may remove a file while the copy is under way, as it may when a machine stops.
        let _ = fs::copy(entry.path(), to.join(entry.file_name()));
    }
}

#[test]
fn a_dropped_state_is_what_was_flushed_last() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    (1..=20).for_each(|number| transaction(&mut state, &mut log, number));
    state.flush().unwrap();
    (21..=30).for_each(|number| transaction(&mut state, &mut log, number));
    state.put(KV, b"number", b"not applied").unwrap();
    drop(state);
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert_eq!(check(&state), 20);
    log.restore(&mut state, None, 4);
    assert_eq!(check(&state), 30);
}

#[test]
fn a_position_is_durable_once_its_flush_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    let durable = |state: &TaskState| state.durable_position(KV).map(|position| position.next);
    transaction(&mut state, &mut log, 1);
    assert_eq!(durable(&state), None);
    let mut now_ms = NOW_MS + HOUR_MS;
    state.maintain(now_ms).unwrap();
    transaction(&mut state, &mut log, 2);
    while durable(&state).is_none() {
        now_ms += 1;
        state.maintain(now_ms).unwrap();
    }
    assert_eq!(durable(&state), Some(1));
    state.flush().unwrap();
    assert_eq!(durable(&state), Some(2));
    drop(state);
    assert_eq!(check(&open(dir.path(), &small(NOW_MS)).unwrap()), 2);
}

#[test]
fn a_closed_state_is_all_that_was_applied() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    (1..=20).for_each(|number| transaction(&mut state, &mut log, number));
    state.put(KV, b"number", b"not applied").unwrap();
    state.close().unwrap();
    assert_eq!(check(&open(dir.path(), &small(NOW_MS)).unwrap()), 20);
}

#[test]
fn copies_taken_while_it_runs_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    let mut found = Vec::new();
    let mut now_ms = NOW_MS;
    for number in 1..=60 {
        transaction(&mut state, &mut log, number);
        if number % 7 == 0 {
            now_ms += HOUR_MS / 10;
            state.maintain(now_ms).unwrap();
        }
        if number % 5 == 0 {
            let copied = tempfile::tempdir().unwrap();
            copy(dir.path(), copied.path());
            // A copy that caught the change of a manifest can't be opened; that is told apart, and the log has everything.
            if let Ok(copy) = open(copied.path(), &small(NOW_MS)) {
                found.push(check(&copy));
            }
        }
    }
    assert!(found.iter().any(|&last| last > 0), "{found:?}");
    assert!(found.is_sorted(), "{found:?}");
}

#[test]
fn a_crash_before_anything_was_flushed_leaves_an_empty_state() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), &small(NOW_MS)).unwrap());
    let mut state = open(dir.path(), &small(NOW_MS + 1000 * HOUR_MS)).unwrap();
    assert_eq!(check(&state), 0);
    assert_eq!(state.position(StoreId(0)), None);
    transaction(&mut state, &mut Log::default(), 1);
    drop(state);
    assert_eq!(check(&open(dir.path(), &small(NOW_MS)).unwrap()), 0);
}
