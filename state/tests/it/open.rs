//! Opening: what is wrong is told apart, and stores are found again by name.

use std::fs;
use std::path::{Path, PathBuf};

use highwater_state::{LogPosition, OpenError, OpenOptions, StateError, StoreId, StoreKind, StoreSpec, TaskState};

use crate::scenario::{HOUR_MS, KV, LOCAL, LOG_ID, Log, NOW_MS, SESSIONS, open, shared, small, specs};

fn filled(dir: &Path) {
    let mut state = open(dir, &small(NOW_MS)).unwrap();
    let mut log = Log::default();
    for n in 0..2000_u32 {
        state.put(KV, &n.to_be_bytes(), format!("value {n} of some length that is not all the same").as_bytes()).unwrap();
    }
    log.commit(&mut state, NOW_MS);
    state.close().unwrap();
}

fn files(dir: &Path, is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| is_wanted(path)).collect()
}

#[test]
fn state_that_is_too_old_or_stamped_in_the_future_is_stale() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    for (now_ms, age_ms) in [(NOW_MS + 24 * HOUR_MS + 1, 24 * HOUR_MS + 1), (NOW_MS - 25 * HOUR_MS, -25 * HOUR_MS)] {
        assert_eq!(open(dir.path(), &small(now_ms)).unwrap_err(), OpenError::Stale { age_ms });
    }
    for now_ms in [NOW_MS + 24 * HOUR_MS, NOW_MS - HOUR_MS] {
        open(dir.path(), &small(now_ms)).unwrap().close().unwrap();
    }
}

#[test]
fn maintaining_an_idle_state_keeps_it_from_turning_stale() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    let mut now_ms = NOW_MS;
    for _ in 0..40 {
        now_ms += HOUR_MS;
        state.maintain(now_ms).unwrap();
    }
    state.close().unwrap();
    let state = open(dir.path(), &small(now_ms + HOUR_MS)).unwrap();
    assert_eq!(state.stamp_ms(), Some(now_ms));
}

#[test]
fn an_unlogged_state_never_turns_stale() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    state.put(LOCAL, b"k", b"v").unwrap();
    state.apply(&[], NOW_MS).unwrap();
    state.close().unwrap();
    let state = open(dir.path(), &small(NOW_MS + 1000 * HOUR_MS)).unwrap();
    assert_eq!(state.get(LOCAL, b"k").unwrap().as_deref(), Some(&b"v"[..]));
}

#[test]
fn a_state_that_is_open_is_locked_and_stays_intact() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert_eq!(open(dir.path(), &small(NOW_MS)).unwrap_err(), OpenError::Locked);
    assert_eq!(TaskState::destroy(dir.path()), Err(StateError::Locked));
    assert!(state.get(KV, &7_u32.to_be_bytes()).unwrap().is_some());
    state.close().unwrap();
    TaskState::destroy(dir.path()).unwrap();
    assert!(!dir.path().exists());
    TaskState::destroy(dir.path()).unwrap();
}

#[test]
fn damage_is_found_when_opening_or_reading() {
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 8] = [
        ("CURRENT is garbage", |dir| fs::write(dir.join("CURRENT"), "garbage").unwrap()),
        ("CURRENT is empty", |dir| fs::write(dir.join("CURRENT"), "").unwrap()),
        ("CURRENT is gone", |dir| fs::remove_file(dir.join("CURRENT")).unwrap()),
        ("CURRENT names another file", |dir| fs::write(dir.join("CURRENT"), "MANIFEST-999999\n").unwrap()),
        ("the manifest is flipped", |dir| flip(&manifest(dir), 0.5)),
        ("the manifest is gone", |dir| fs::remove_file(manifest(dir)).unwrap()),
        ("the largest file is gone", |dir| fs::remove_file(largest(dir)).unwrap()),
        ("the largest file is cut", |dir| {
            let bytes = fs::read(largest(dir)).unwrap();
            fs::write(largest(dir), &bytes[..bytes.len() / 2]).unwrap();
        }),
    ];
    for (what, damage) in cases {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        damage(dir.path());
        let error = open(dir.path(), &small(NOW_MS)).expect_err(what);
        assert!(matches!(error, OpenError::Corrupt(_)), "{what}: {error:?}");
        assert!(error.is_cured_by_rebuild());
        TaskState::destroy(dir.path()).expect(what);
        open(dir.path(), &small(NOW_MS)).expect(what);
    }
}

#[test]
fn a_flipped_block_is_found_when_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    flip(&largest(dir.path()), 0.1);
    let state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert!(matches!(state.verify(), Err(StateError::Corrupt(_))));
    let outcomes: Vec<_> = (0..2000_u32).map(|n| state.get(KV, &n.to_be_bytes()).map(|value| value.is_some())).collect();
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(StateError::Corrupt(_)))));
    assert!(!outcomes.contains(&Ok(false)), "what is damaged is not simply absent");
}

fn manifest(dir: &Path) -> PathBuf {
    files(dir, |path| path.file_name().unwrap().to_str().unwrap().starts_with("MANIFEST")).pop().unwrap()
}

fn largest(dir: &Path) -> PathBuf {
    files(dir, |path| path.extension().is_some_and(|extension| extension == "sst"))
        .into_iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap()
}

fn flip(path: &Path, at: f64) {
    let mut bytes = fs::read(path).unwrap();
    let at = (bytes.len() as f64 * at) as usize;
    bytes[at] ^= 0x55;
    fs::write(path, bytes).unwrap();
}

#[test]
fn stores_are_found_by_name_whatever_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    let mut log = Log::default();
    state.put(KV, b"k", b"v").unwrap();
    state.session_put(SESSIONS, b"k", 1, 2, b"s").unwrap();
    log.commit(&mut state, NOW_MS);
    state.close().unwrap();

    let wanted = [specs()[2].clone(), StoreSpec::new("new", StoreKind::KeyValue), specs()[0].clone()];
    let mut state = TaskState::open(dir.path(), &wanted, &shared(), &small(NOW_MS)).unwrap();
    let [sessions, new, kv] = [StoreId(0), StoreId(1), StoreId(2)];
    assert_eq!(state.store("kv"), Some(kv));
    assert_eq!(state.get(kv, b"k").unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!((state.position(kv).map(|at| at.next), state.position(new)), (Some(1), None));
    assert_eq!(state.session_expire(sessions, HOUR_MS, 10), Ok(1), "the expiry index is found too");
    state.put(new, b"k", b"v").unwrap();
    state.apply(&[(new, LogPosition { log_id: LOG_ID, next: 9 })], NOW_MS).unwrap();
    state.close().unwrap();

    let state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert_eq!(state.position(KV).map(|at| at.next), Some(1));
    assert_eq!(state.position(LOCAL), None, "a store that was gone for a while starts anew");
}

#[test]
fn a_state_can_be_inspected_while_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let mut state = open(dir.path(), &small(NOW_MS)).unwrap();
    state.put(KV, b"not flushed", b"").unwrap();
    state.apply(&[], NOW_MS + 1).unwrap();
    let inspection = TaskState::inspect(dir.path()).unwrap();
    assert_eq!((inspection.format, inspection.stamp_ms), (Some(1), Some(NOW_MS)), "what was flushed");
    let names: Vec<_> = inspection.stores.iter().map(|store| (store.name.as_str(), store.logged, store.estimated_keys)).collect();
    assert_eq!(names, [("ids", true, 0), ("kv", true, 2000), ("local", false, 0), ("sessions", true, 0), ("windows", true, 0)]);
    assert_eq!(inspection.stores[1].position.as_ref().map(|at| at.next), Some(2000));
    assert!(inspection.usage.disk_bytes > 10_000);
    assert!(matches!(TaskState::inspect(&dir.path().join("nowhere")), Err(OpenError::Io(_))));
}

#[test]
fn a_store_of_another_kind_is_refused_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let wanted = [StoreSpec::new("kv", StoreKind::Session { retention_ms: 1 })];
    let error = TaskState::open(dir.path(), &wanted, &shared(), &small(NOW_MS)).unwrap_err();
    assert_eq!(
        error,
        OpenError::StoresChanged {
            store: "kv".to_owned(),
            found: "a logged key-value".to_owned(),
            expected: "a logged session".to_owned()
        }
    );
    let state = open(dir.path(), &small(NOW_MS)).unwrap();
    assert!(state.get(KV, &7_u32.to_be_bytes()).unwrap().is_some());
}

#[test]
fn names_must_be_there_and_there_once() {
    let dir = tempfile::tempdir().unwrap();
    for names in [&[""][..], &["a", "b", "a"]] {
        let specs: Vec<_> = names.iter().map(|&name| StoreSpec::new(name, StoreKind::KeyValue)).collect();
        let error = TaskState::open(dir.path(), &specs, &shared(), &OpenOptions::at(NOW_MS)).unwrap_err();
        assert!(matches!(error, OpenError::BadSpecs(_)), "{error:?}");
    }
}

#[test]
fn an_operation_of_another_kind_is_refused() {
    let mut state = TaskState::in_memory(&specs());
    let error = Err(StateError::WrongKind { store: "sessions".to_owned(), wanted: "key-value" });
    assert_eq!(state.put(SESSIONS, b"k", b"v"), error);
    assert!(
        state.window_get(KV, b"k", 0).is_err()
            && state.session_remove(KV, b"k", 0, 0).is_err()
            && state.dedup_keep(KV, 0, 0).is_err()
    );
    assert!(state.dedup_keep(StoreId(3), 0, i64::MAX).is_err());
    assert!(!state.is_dirty());
}
