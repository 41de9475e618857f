//! Restoring: from the log's start, from the tail, with records that can't be read, and what is derived on the way.

use highwater_state::{StateError, TaskState};

use crate::scenario::{HOUR_MS, IDS, KV, LOG_ID, Log, NOW_MS, SESSIONS, WINDOWS, open, small, specs};

#[test]
fn records_that_cannot_be_read_are_refused_and_change_nothing() {
    let mut log = Vec::new();
    let mut writer = TaskState::in_memory(&specs());
    writer.dedup_keep(IDS, 5, 3).unwrap();
    writer.log_changes(&mut |_, key, value| log.push((key.to_vec(), value.unwrap().to_vec())));
    let (key, mut value) = log.pop().unwrap();
    *value.last_mut().unwrap() ^= 1;
    let cases = [
        (IDS, key.as_slice(), Some(value.as_slice())),
        (IDS, &key, None),
        (WINDOWS, b"short", Some(b"v")),
        (SESSIONS, b"k", Some(b"\x01torn")),
    ];
    for (store, key, value) in cases {
        let mut state = TaskState::in_memory(&specs());
        let error = state.restore(store, &mut [(key, value, 0)].into_iter(), 1, LOG_ID, NOW_MS).unwrap_err();
        assert!(matches!(error, StateError::BadLogRecord { .. }), "{error:?}");
        assert_eq!(state.position(store), None);
        assert_eq!(state.dedup_live_from(IDS), None);
    }
}

#[test]
fn restored_windows_and_sessions_expire() {
    let mut log = Log::default();
    let mut writer = TaskState::in_memory(&specs());
    for hour in 0..5 {
        writer.window_put(WINDOWS, b"k", hour * HOUR_MS, b"w").unwrap();
        writer.session_put(SESSIONS, b"k", 0, hour * HOUR_MS, b"s").unwrap();
    }
    log.commit(&mut writer, NOW_MS);
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    log.restore(&mut state, None, 2);
    assert_eq!(state.window_expire(WINDOWS, 3 * HOUR_MS + 5, 100), Ok(3));
    assert_eq!(state.session_expire(SESSIONS, 3 * HOUR_MS + 5, 100), Ok(3));
    log.commit(&mut state, NOW_MS);
    assert_eq!(state.window_expire(WINDOWS, 9 * HOUR_MS, 100), Ok(2));
    assert_eq!(state.session_expire(SESSIONS, 9 * HOUR_MS, 100), Ok(2));
}

#[test]
fn a_log_with_gaps_ends_where_the_caller_says() {
    let mut state = TaskState::in_memory(&specs());
    state
        .restore(
            KV,
            &mut [(&b"k"[..], Some(&b"1"[..]), 4), (b"k", None, 9), (b"j", Some(b"2"), 11)].into_iter(),
            20,
            LOG_ID,
            NOW_MS,
        )
        .unwrap();
    assert_eq!(state.position(KV).unwrap().next, 20);
    assert!(state.get(KV, b"k").unwrap().is_none());
    state.restore(KV, &mut std::iter::empty(), 21, [2; 16], NOW_MS).unwrap();
    assert_eq!(state.position(KV).map(|at| (at.next, at.log_id)), Some((21, [2; 16])));
}

#[test]
fn a_restore_does_not_make_old_state_young() {
    let mut state = TaskState::in_memory(&specs());
    state.apply(&[], 5).unwrap();
    state.restore(KV, &mut std::iter::empty(), 1, LOG_ID, 77).unwrap();
    assert_eq!(state.stamp_ms(), Some(5));
    let mut fresh = TaskState::in_memory(&specs());
    fresh.restore(KV, &mut std::iter::empty(), 1, LOG_ID, 77).unwrap();
    assert_eq!(fresh.stamp_ms(), Some(77), "reading began then");
}

#[test]
fn what_was_read_before_a_restore_is_not_remembered_beyond_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    state.put(KV, b"k", b"old").unwrap();
    state.apply(&[], NOW_MS).unwrap();
    state.restore(KV, &mut [(&b"k"[..], Some(&b"new"[..]), 0)].into_iter(), 1, LOG_ID, NOW_MS).unwrap();
    assert_eq!(state.get(KV, b"k").unwrap().as_deref(), Some(&b"new"[..]));
}

#[test]
fn a_long_restore_is_written_in_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    let value = vec![3_u8; 64 << 10];
    let keys: Vec<[u8; 4]> = (0..600_u32).map(u32::to_be_bytes).collect();
    let mut records = keys.iter().enumerate().map(|(at, key)| (&key[..], Some(&value[..]), at as i64));
    state.restore(KV, &mut records, 600, LOG_ID, NOW_MS).unwrap();
    state.close().unwrap();
    let state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert_eq!(state.position(KV).unwrap().next, 600);
    assert!(keys.iter().all(|key| state.get(KV, key).unwrap().as_deref() == Some(&value[..])));
    state.verify().unwrap();
}

#[test]
fn an_identity_that_was_kept_again_in_an_expired_hour_is_restored_with_that_hour() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    state.dedup_keep(IDS, 36, 20).unwrap();
    state.dedup_expire(IDS, 15).unwrap();
    log.commit(&mut state, NOW_MS);
    state.flush().unwrap();
    state.dedup_keep(IDS, 36, 5).unwrap();
    log.commit(&mut state, NOW_MS);
    drop(state);
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert_eq!(state.dedup_seen(IDS, 36), Ok(Some(20)));
    log.restore(&mut state, None, 1);
    assert_ne!(state.dedup_seen(IDS, 36), Ok(Some(20)));
}
