//! Where an entry of a table lies: under its key alone, or under its key and a window.
//!
//! The same table code serves both; session stores, whose entries share one value per key, have code of their own.

use std::ops::{Bound, ControlFlow};

use highwater_state::{StateError, StoreId, TaskState, ValueRef};

use crate::dsl::windows::Windowed;
use crate::record::Timestamp;
use crate::serde::Data;

/// What is called with the key, the place and the bytes of entries.
pub(crate) type Visit<'a, P> = &'a mut dyn FnMut(&[u8], P, &[u8]);

/// How a store is addressed below its key.
pub(crate) trait Placing: Copy + Send + Sync + 'static {
    /// What tells entries of one key apart.
    type Place: Copy;
    /// Its bytes.
    type Tail: AsRef<[u8]>;
    /// The key as it is emitted.
    type Key<K: Data>: Data;

    fn get<'a>(state: &'a TaskState, store: StoreId, key: &[u8], place: Self::Place) -> Result<Option<ValueRef<'a>>, StateError>;
    fn put(state: &mut TaskState, store: StoreId, key: &[u8], place: Self::Place, value: &[u8]) -> Result<(), StateError>;
    fn delete(state: &mut TaskState, store: StoreId, key: &[u8], place: Self::Place) -> Result<(), StateError>;
    /// Visits all entries.
    fn each(state: &TaskState, store: StoreId, visit: Visit<'_, Self::Place>) -> Result<(), StateError>;
    /// The key as it is emitted for an entry.
    fn key<K: Data>(self, key: K, place: Self::Place) -> Self::Key<K>;
    fn tail(place: Self::Place) -> Self::Tail;
    /// Key and place of what `tail` was appended to.
    fn split(bytes: &[u8]) -> (&[u8], Self::Place);
}

/// Under its key alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByKey;

impl Placing for ByKey {
    type Place = ();
    type Tail = [u8; 0];
    type Key<K: Data> = K;

    fn get<'a>(state: &'a TaskState, store: StoreId, key: &[u8], (): ()) -> Result<Option<ValueRef<'a>>, StateError> {
        state.get(store, key)
    }

    fn put(state: &mut TaskState, store: StoreId, key: &[u8], (): (), value: &[u8]) -> Result<(), StateError> {
        state.put(store, key, value)
    }

    fn delete(state: &mut TaskState, store: StoreId, key: &[u8], (): ()) -> Result<(), StateError> {
        state.delete(store, key)
    }

    fn each(state: &TaskState, store: StoreId, visit: Visit<'_, ()>) -> Result<(), StateError> {
        state.scan(store, (Bound::Unbounded, Bound::Unbounded), &mut |key, value| {
            visit(key, (), value);
            ControlFlow::Continue(())
        })
    }

    fn key<K: Data>(self, key: K, (): ()) -> K {
        key
    }

    fn tail((): ()) -> [u8; 0] {
        []
    }

    fn split(bytes: &[u8]) -> (&[u8], ()) {
        (bytes, ())
    }
}

/// Under its key and the start of a window of a fixed size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByWindow {
    pub(crate) size_ms: i64,
}

impl Placing for ByWindow {
    type Place = i64;
    type Tail = [u8; 8];
    type Key<K: Data> = Windowed<K>;

    fn get<'a>(state: &'a TaskState, store: StoreId, key: &[u8], start_ms: i64) -> Result<Option<ValueRef<'a>>, StateError> {
        state.window_get(store, key, start_ms)
    }

    fn put(state: &mut TaskState, store: StoreId, key: &[u8], start_ms: i64, value: &[u8]) -> Result<(), StateError> {
        state.window_put(store, key, start_ms, value)
    }

    fn delete(state: &mut TaskState, store: StoreId, key: &[u8], start_ms: i64) -> Result<(), StateError> {
        state.window_delete(store, key, start_ms)
    }

    fn each(state: &TaskState, store: StoreId, visit: Visit<'_, i64>) -> Result<(), StateError> {
        state.window_all(store, i64::MIN..=i64::MAX, visit)
    }

    fn key<K: Data>(self, key: K, start_ms: i64) -> Windowed<K> {
        let start = Timestamp::from_millis(start_ms);
        Windowed { key, start, end: Timestamp::from_millis(start_ms.saturating_add(self.size_ms)) }
    }

    fn tail(start_ms: i64) -> [u8; 8] {
        start_ms.to_be_bytes()
    }

    fn split(bytes: &[u8]) -> (&[u8], i64) {
        let (key, tail) = bytes.split_last_chunk::<8>().expect("a window's place ends with its start");
        (key, i64::from_be_bytes(*tail))
    }
}
