//! Bounds: what is kept in memory, what the log's records hold, what expires and leaves the disk.

use highwater_state::{OpenOptions, TaskState};

use crate::scenario::{IDS, Log, NOW_MS, SESSIONS, open, small, specs};

#[test]
fn identities_are_packed_by_hour_in_a_deterministic_order() {
    let packed = |ids: &mut dyn Iterator<Item = u128>| {
        let mut state = TaskState::in_memory(&specs());
        for id in ids {
            state.dedup_keep(IDS, id, (id % 2) as i64).unwrap();
        }
        let mut records = Vec::new();
        state.log_changes(&mut |store, key, value| records.push((store, key.to_vec(), value.unwrap().to_vec())));
        records
    };
    let records = packed(&mut (0..20_000));
    assert_eq!(records, packed(&mut (0..20_000).rev()));
    assert_eq!(records.len(), 6, "10,000 of each hour, 4,096 a record");
    assert!(records.iter().all(|(_, _, value)| value.len() <= 4096 * 16 + 17));
    assert_eq!(records[0].1, 0_i64.to_be_bytes());
    assert_eq!(records[5].1, 1_i64.to_be_bytes());
}

#[test]
fn a_dedup_store_larger_than_its_front_still_knows_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &OpenOptions { dedup_front_bytes: 10_000, ..small(NOW_MS) }).unwrap();
    let mut log = Log::default();
    let id = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    for hour in 0..30_i64 {
        for n in 0..200 {
            state.dedup_keep(IDS, id(hour as u128 * 200 + n), hour).unwrap();
        }
        state.dedup_expire(IDS, hour - 25).unwrap();
        log.commit(&mut state, NOW_MS);
    }
    for n in 5 * 200..6000_u128 {
        assert_eq!(state.dedup_seen(IDS, id(n)), Ok(Some((n / 200) as i64)), "{n}");
    }
    assert_eq!(state.dedup_seen(IDS, id(6000)), Ok(None));
    assert_eq!(state.dedup_live_from(IDS), None, "nothing was flushed, so all of the log may be needed");
    state.flush().unwrap();
    assert_eq!(state.dedup_live_from(IDS), Some(4), "hours 0 to 3 may go");
    state.close().unwrap();
    let state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert_eq!(state.dedup_seen(IDS, id(5999)), Ok(Some(29)));
    assert_eq!(state.dedup_live_from(IDS), Some(4), "it is remembered");
}

#[test]
fn expired_identities_leave_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &OpenOptions { dedup_front_bytes: 0, ..small(NOW_MS) }).unwrap();
    let mut log = Log::default();
    for id in 0..1000 {
        state.dedup_keep(IDS, id, (id % 10) as i64).unwrap();
    }
    log.commit(&mut state, NOW_MS);
    state.dedup_expire(IDS, 7).unwrap();
    state.flush().unwrap();
    state.compact();
    let known = |state: &TaskState| (0..1000).filter(|&id| state.dedup_seen(IDS, id).unwrap().is_some()).count();
    assert_eq!(known(&state), 1000, "a horizon counts from the transaction's end on");
    log.commit(&mut state, NOW_MS);
    state.flush().unwrap();
    state.compact();
    assert_eq!(known(&state), 300);
    state.close().unwrap();
    assert_eq!(known(&open(dir.path(), &small(NOW_MS)).unwrap()), 300);
}

#[test]
fn a_hot_session_is_read_from_memory_and_the_cache_keeps_to_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions { clean_cache_bytes: 100_000, ..small(NOW_MS) };
    let mut state = open(dir.path(), &options).unwrap();
    let mut log = Log::default();
    for round in 0..20_i64 {
        for key in 0..500_u32 {
            state.session_put(SESSIONS, &key.to_be_bytes(), 0, round, &[0; 50]).unwrap();
        }
        log.commit(&mut state, NOW_MS);
        assert!(state.clean_cache_bytes() <= 100_000);
    }
    assert!(state.clean_cache_bytes() > 50_000);
}

#[test]
fn the_overlay_tells_its_bytes() {
    let mut state = TaskState::in_memory(&specs());
    assert_eq!(state.overlay_bytes(), 0);
    state.session_put(SESSIONS, b"key", 0, 0, &[0; 10_000]).unwrap();
    assert!((10_000..11_000).contains(&state.overlay_bytes()), "{}", state.overlay_bytes());
    state.dedup_keep(IDS, 1, 1).unwrap();
    let with_id = state.overlay_bytes();
    assert!(with_id > 10_030);
    state.discard();
    assert_eq!(state.overlay_bytes(), 0);
}
