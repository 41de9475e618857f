//! Random transactions against the model: records that are accepted or rolled back, transactions that are applied or discarded,
//! reopening, crashes, restores.

use std::ops::{Bound, ControlFlow};

use highwater_state::TaskState;
use proptest::prelude::*;
use proptest::sample::select;

use crate::scenario::{HOUR_MS, IDS, KV, Log, Model, NOW_MS, SESSIONS, WINDOWS, contents, live, open, small};

const IDENTITIES: std::ops::Range<u128> = 0..40;

#[derive(Clone, Debug)]
enum Write {
    Put(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    WindowPut(Vec<u8>, i64, Vec<u8>),
    WindowDelete(Vec<u8>, i64),
    WindowExpire(i64),
    SessionPut(Vec<u8>, i64, i64, Vec<u8>),
    SessionRemove(Vec<u8>, i64, i64),
    SessionExpire(i64),
    Keep(u128, i64),
    Forget(i64),
}

#[derive(Clone, Debug)]
enum Step {
    Record { writes: Vec<Write>, is_accepted: bool },
    Outside(Write),
    Apply,
    Discard,
    Flush,
    Crash,
    Reopen,
    Rebuild,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    select(vec![&b""[..], b"a", b"ab", b"b", b"\0", b"\xff\xff"]).prop_map(<[u8]>::to_vec)
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn time() -> impl Strategy<Value = i64> {
    (-3_i64..6, select(vec![0, 1, HOUR_MS / 2, HOUR_MS - 1])).prop_map(|(hour, ms)| hour * HOUR_MS + ms)
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| Write::Put(key, value)),
        2 => key().prop_map(Write::Delete),
        4 => (key(), time(), value()).prop_map(|(key, start, value)| Write::WindowPut(key, start, value)),
        2 => (key(), time()).prop_map(|(key, start)| Write::WindowDelete(key, start)),
        1 => time().prop_map(Write::WindowExpire),
        4 => (key(), time(), 0..2 * HOUR_MS, value()).prop_map(|(key, start, length, value)| Write::SessionPut(key, start, start + length, value)),
        2 => (key(), time(), 0..2_i64).prop_map(|(key, start, length)| Write::SessionRemove(key, start, start + length)),
        1 => time().prop_map(Write::SessionExpire),
        6 => (IDENTITIES, 0..30_i64).prop_map(|(id, hour)| Write::Keep(id, hour)),
        1 => (0..30_i64).prop_map(Write::Forget),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop::collection::vec(write(), 0..8), prop::bool::weighted(0.7)).prop_map(|(writes, is_accepted)| Step::Record { writes, is_accepted }),
        2 => write().prop_map(Step::Outside),
        4 => Just(Step::Apply),
        1 => Just(Step::Discard),
        1 => Just(Step::Flush),
        1 => Just(Step::Crash),
        1 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
    ]
}

fn write_both(state: &mut TaskState, model: &mut Model, write: &Write) {
    match write {
        Write::Put(key, value) => {
            state.put(KV, key, value).unwrap();
            model.kv.insert(key.clone(), value.clone());
        }
        Write::Delete(key) => {
            state.delete(KV, key).unwrap();
            model.kv.remove(key);
        }
        Write::WindowPut(key, start, value) => {
            state.window_put(WINDOWS, key, *start, value).unwrap();
            model.windows.insert((key.clone(), *start), value.clone());
        }
        Write::WindowDelete(key, start) => {
            state.window_delete(WINDOWS, key, *start).unwrap();
            model.windows.remove(&(key.clone(), *start));
        }
        Write::WindowExpire(before) => expire_windows(state, model, *before),
        Write::SessionPut(key, start, end, value) => {
            state.session_put(SESSIONS, key, *start, *end, value).unwrap();
            model.sessions.insert((key.clone(), *start, *end), value.clone());
        }
        Write::SessionRemove(key, start, end) => {
            state.session_remove(SESSIONS, key, *start, *end).unwrap();
            model.sessions.remove(&(key.clone(), *start, *end));
        }
        Write::SessionExpire(before) => expire_sessions(state, model, *before),
        Write::Keep(id, hour) => {
            state.dedup_keep(IDS, *id, *hour).unwrap();
            model.ids.insert(*id, *hour);
        }
        Write::Forget(before) => {
            state.dedup_expire(IDS, *before).unwrap();
            model.horizon = model.horizon.max(*before);
        }
    }
}

fn expire_windows(state: &mut TaskState, model: &mut Model, before: i64) {
    let count = model.windows.len();
    model.windows.retain(|&(_, start), _| start.div_euclid(HOUR_MS) >= before.div_euclid(HOUR_MS));
    let mut expired = 0;
    while !state.window_is_expired(WINDOWS, before) {
        let more = state.window_expire(WINDOWS, before, 2).unwrap();
        assert!(more <= 2);
        expired += more;
    }
    assert_eq!(expired, count - model.windows.len());
}

fn expire_sessions(state: &mut TaskState, model: &mut Model, before: i64) {
    let count = model.sessions.len();
    model.sessions.retain(|&(_, _, end), _| end.div_euclid(HOUR_MS) >= before.div_euclid(HOUR_MS));
    let mut expired = 0;
    while !state.session_is_expired(SESSIONS, before) {
        expired += state.session_expire(SESSIONS, before, 2).unwrap();
    }
    assert_eq!(expired, count - model.sessions.len());
}

/// Bounds that lie on, between and beyond keys.
fn check_scans(state: &TaskState, model: &Model) {
    let ends: [Bound<&[u8]>; 5] =
        [Bound::Unbounded, Bound::Included(b"a"), Bound::Excluded(b"a"), Bound::Included(b"aa"), Bound::Excluded(b"b")];
    for lower in ends {
        for upper in ends {
            let mut found = Vec::new();
            state
                .scan(KV, (lower, upper), &mut |key, _| {
                    found.push(key.to_vec());
                    ControlFlow::Continue(())
                })
                .unwrap();
            let is_above = |key: &[u8]| match lower {
                Bound::Included(low) => key >= low,
                Bound::Excluded(low) => key > low,
                Bound::Unbounded => true,
            };
            let is_below = |key: &[u8]| match upper {
                Bound::Included(high) => key <= high,
                Bound::Excluded(high) => key < high,
                Bound::Unbounded => true,
            };
            let expected: Vec<_> = model.kv.keys().filter(|key| is_above(key) && is_below(key)).cloned().collect();
            assert_eq!(found, expected, "{lower:?}..{upper:?}");
        }
    }
}

/// One state on disk or in memory, and what it should be.
struct Run {
    dir: Option<tempfile::TempDir>,
    state: TaskState,
    log: Log,
    committed: Model,
    running: Model,
}

impl Run {
    fn new(dir: Option<tempfile::TempDir>) -> Self {
        let state = match &dir {
            Some(dir) => open(dir.path(), &small(NOW_MS)).unwrap(),
            None => TaskState::in_memory(&crate::scenario::specs()),
        };
        Self { dir, state, log: Log::default(), committed: Model::default(), running: Model::default() }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Record { writes, is_accepted } => self.record(writes, *is_accepted),
            Step::Outside(write) => write_both(&mut self.state, &mut self.running, write),
            Step::Apply => {
                self.log.commit(&mut self.state, NOW_MS);
                self.committed = self.running.clone();
            }
            Step::Discard => {
                self.state.discard();
                self.running = self.committed.clone();
            }
            Step::Flush => self.state.flush().unwrap(),
            Step::Crash => self.reopen(drop),
            Step::Reopen => self.reopen(|state| state.close().unwrap()),
            Step::Rebuild => self.check_rebuild(),
        }
        self.check();
    }

    fn record(&mut self, writes: &[Write], is_accepted: bool) {
        let before = self.running.clone();
        self.state.begin_record();
        for write in writes {
            write_both(&mut self.state, &mut self.running, write);
        }
        if is_accepted {
            self.state.accept_record();
        } else {
            self.state.rollback_record();
            self.running = before;
        }
    }

    fn reopen(&mut self, end: impl FnOnce(TaskState)) {
        let Some(dir) = &self.dir else { return };
        end(std::mem::replace(&mut self.state, TaskState::in_memory(&[])));
        self.state = open(dir.path(), &small(NOW_MS)).unwrap();
        self.log.restore(&mut self.state, None, 3);
        // The horizon is not in the log: the caller, who knows the time, raises it again.
        self.state.dedup_expire(IDS, self.committed.horizon).unwrap();
        self.running = self.committed.clone();
    }

    fn check(&self) {
        assert_eq!(contents(&self.state, IDENTITIES, self.running.horizon), live(&self.running));
        check_scans(&self.state, &self.running);
    }

    /// The log alone gives the same state, and the dedup store's log does so from the first live position.
    fn check_rebuild(&self) {
        let expected = live(&self.committed);
        let mut rebuilt = TaskState::in_memory(&crate::scenario::specs());
        self.log.restore(&mut rebuilt, Some(0), 2);
        assert_eq!(contents(&rebuilt, IDENTITIES, self.committed.horizon), expected);
        self.log.restore(&mut rebuilt, Some(0), 1000);
        assert_eq!(contents(&rebuilt, IDENTITIES, self.committed.horizon), expected, "restoring again changes nothing");
        if let Some(from) = self.state.dedup_live_from(IDS) {
            let mut trimmed = TaskState::in_memory(&crate::scenario::specs());
            self.log.restore_store(&mut trimmed, IDS, from, 5);
            assert_eq!(contents(&trimmed, IDENTITIES, self.committed.horizon).ids, expected.ids, "from {from}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_on_disk_holds_what_the_model_holds(steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new(Some(tempfile::tempdir().unwrap()));
        for step in &steps {
            run.step(step);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_in_memory_holds_what_the_model_holds(steps in prop::collection::vec(step(), 1..80)) {
        let mut run = Run::new(None);
        for step in &steps {
            run.step(step);
        }
    }
}
