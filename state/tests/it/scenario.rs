//! What the tests share: the stores of a task, a place on disk, a log that remembers everything, and a plain model of what the
//! stores should hold.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use highwater_state::{
    LogPosition, OpenError, OpenOptions, ResourceLimits, SharedResources, StoreId, StoreKind, StoreSpec, TaskState,
};

pub(crate) const KV: StoreId = StoreId(0);
pub(crate) const WINDOWS: StoreId = StoreId(1);
pub(crate) const SESSIONS: StoreId = StoreId(2);
pub(crate) const IDS: StoreId = StoreId(3);
pub(crate) const LOCAL: StoreId = StoreId(4);
pub(crate) const LOGGED: [StoreId; 4] = [KV, WINDOWS, SESSIONS, IDS];
pub(crate) const LOG_ID: [u8; 16] = [1; 16];
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
const ALL: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

pub(crate) fn specs() -> Vec<StoreSpec> {
    vec![
        StoreSpec::new("kv", StoreKind::KeyValue),
        StoreSpec::new("windows", StoreKind::Window { retention_ms: HOUR_MS }),
        StoreSpec::new("sessions", StoreKind::Session { retention_ms: HOUR_MS }),
        StoreSpec::new("ids", StoreKind::Dedup { memory_hours: 25 }),
        StoreSpec::new("local", StoreKind::KeyValue).unlogged(),
    ]
}

pub(crate) fn shared() -> SharedResources {
    SharedResources::new(&ResourceLimits { block_cache_bytes: 8 << 20, memtable_bytes: 64 << 20, background_threads: 2 })
}

pub(crate) fn open(dir: &Path, options: &OpenOptions) -> Result<TaskState, OpenError> {
    TaskState::open(dir, &specs(), &shared(), options)
}

/// Small memories, so that tests reach the disk.
pub(crate) fn small(now_ms: i64) -> OpenOptions {
    OpenOptions { dedup_front_bytes: 600, clean_cache_bytes: 600, write_back_bytes: 1500, ..OpenOptions::at(now_ms) }
}

/// Everything that was ever committed to the logs of a task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(pub(crate) BTreeMap<StoreId, Vec<Record>>);

pub(crate) type Record = (Vec<u8>, Option<Vec<u8>>);

impl Log {
    /// Commits the transaction to the log and applies it.
    pub(crate) fn commit(&mut self, state: &mut TaskState, now_ms: i64) {
        state.log_changes(&mut |store, key, value| {
            self.0.entry(store).or_default().push((key.to_vec(), value.map(<[u8]>::to_vec)));
        });
        let positions = LOGGED.map(|store| (store, LogPosition { log_id: LOG_ID, next: self.end(store) }));
        state.apply(&positions, now_ms).unwrap();
        assert!(!state.is_dirty() && state.overlay_bytes() == 0);
    }

    pub(crate) fn end(&self, store: StoreId) -> i64 {
        self.0.get(&store).map_or(0, |records| records.len() as i64)
    }

    /// Brings every store up to the end of its log, from its position or from `from`.
    pub(crate) fn restore(&self, state: &mut TaskState, from: Option<i64>, batch: usize) {
        for store in LOGGED {
            let begin = from.or_else(|| Some(state.position(store)?.next)).unwrap_or(0);
            self.restore_store(state, store, begin, batch);
        }
    }

    pub(crate) fn restore_store(&self, state: &mut TaskState, store: StoreId, begin: i64, batch: usize) {
        let none = Vec::new();
        let records = self.0.get(&store).unwrap_or(&none);
        let mut begin = begin as usize;
        while begin < records.len() {
            let end = records.len().min(begin + batch);
            let mut batch = (begin..end).map(|at| (records[at].0.as_slice(), records[at].1.as_deref(), at as i64));
            state.restore(store, &mut batch, end as i64, LOG_ID, NOW_MS).unwrap();
            begin = end;
        }
    }
}

/// What the stores should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) kv: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) windows: BTreeMap<(Vec<u8>, i64), Vec<u8>>,
    pub(crate) sessions: BTreeMap<(Vec<u8>, i64, i64), Vec<u8>>,
    pub(crate) ids: BTreeMap<u128, i64>,
    pub(crate) horizon: i64,
}

/// What the stores do hold, read every way there is; the ways must agree.
pub(crate) fn contents(state: &TaskState, ids: impl IntoIterator<Item = u128>, horizon: i64) -> Model {
    let mut found = Model { horizon, ..Model::default() };
    state
        .scan(KV, ALL, &mut |key, value| {
            assert_eq!(state.get(KV, key).unwrap().as_deref(), Some(value));
            found.kv.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    state
        .window_all(WINDOWS, i64::MIN..=i64::MAX, &mut |key, start, value| {
            found.windows.insert((key.to_vec(), start), value.to_vec());
        })
        .unwrap();
    state
        .session_all(SESSIONS, &mut |key, start, end, value| {
            found.sessions.insert((key.to_vec(), start, end), value.to_vec());
        })
        .unwrap();
    for ((key, start), value) in &found.windows {
        assert_eq!(state.window_get(WINDOWS, key, *start).unwrap().as_deref(), Some(&**value));
        let mut fetched = Vec::new();
        state.window_fetch(WINDOWS, key, *start..=*start, &mut |start, value| fetched.push((start, value.to_vec()))).unwrap();
        assert_eq!(fetched, [(*start, value.clone())]);
    }
    for ((key, start, end), value) in &found.sessions {
        let mut is_found = false;
        state.session_find(SESSIONS, key, *end, *start, &mut |s, e, v| is_found |= (s, e, v) == (*start, *end, value)).unwrap();
        assert!(is_found);
    }
    for id in ids {
        if let Some(hour) = state.dedup_seen(IDS, id).unwrap().filter(|&hour| hour >= horizon) {
            found.ids.insert(id, hour);
        }
    }
    found
}

/// The model as far as a store still has to know it: expired identities don't count.
pub(crate) fn live(model: &Model) -> Model {
    let mut live = model.clone();
    live.ids.retain(|_, hour| *hour >= model.horizon);
    live
}
