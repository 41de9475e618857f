//! The key-value store: point reads and writes, and scans in key order.

use crate::backend::{KeyRange, Visit};
use crate::error::StateError;
use crate::spec::{StoreId, StoreKind};
use crate::task_state::TaskState;
use crate::value_ref::ValueRef;

/// Key-value stores.
impl TaskState {
    /// The value of a key.
    ///
    /// ```
    /// use highwater_state::{StoreKind, StoreSpec, TaskState};
    /// let mut state = TaskState::in_memory(&[StoreSpec::new("names", StoreKind::KeyValue)]);
    /// let names = state.store("names").unwrap();
    /// state.put(names, b"7", b"Ada")?;
    /// assert_eq!(state.get(names, b"7")?.as_deref(), Some(&b"Ada"[..]));
    /// state.delete(names, b"7")?;
    /// assert!(state.get(names, b"7")?.is_none());
    /// # Ok::<(), highwater_state::StateError>(())
    /// ```
    pub fn get(&self, store: StoreId, key: &[u8]) -> Result<Option<ValueRef<'_>>, StateError> {
        self.check_key_value(store)?;
        self.read(Self::family(store), key)
    }

    /// Sets the value of a key.
    pub fn put(&mut self, store: StoreId, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        self.check_key_value(store)?;
        self.overlay.put(Self::family(store), key, Some(value));
        Ok(())
    }

    /// Deletes a key.
    pub fn delete(&mut self, store: StoreId, key: &[u8]) -> Result<(), StateError> {
        self.check_key_value(store)?;
        self.overlay.put(Self::family(store), key, None);
        Ok(())
    }

    /// Visits the entries of a range in key order until `visit` breaks.
    ///
    /// ```
    /// use std::ops::{Bound, ControlFlow};
    /// use highwater_state::{StoreKind, StoreSpec, TaskState};
    /// let mut state = TaskState::in_memory(&[StoreSpec::new("names", StoreKind::KeyValue)]);
    /// let names = state.store("names").unwrap();
    /// for key in [b"b", b"a", b"c"] {
    ///     state.put(names, key, b"")?;
    /// }
    /// let mut keys = Vec::new();
    /// state.scan(names, (Bound::Included(b"b"), Bound::Unbounded), &mut |key, _| {
    ///     keys.push(key.to_vec());
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(keys, [b"b", b"c"]);
    /// # Ok::<(), highwater_state::StateError>(())
    /// ```
    pub fn scan(&self, store: StoreId, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), StateError> {
        self.check_key_value(store)?;
        self.scan_family(Self::family(store), range, visit)
    }

    fn check_key_value(&self, store: StoreId) -> Result<(), StateError> {
        match self.specs.get(usize::from(store.0)).map(|spec| &spec.kind) {
            Some(StoreKind::KeyValue) => Ok(()),
            _ => Err(self.wrong_kind(store, "key-value")),
        }
    }
}
