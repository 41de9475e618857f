//! The window store: a value per record key and window start.

use std::ops::{Bound, ControlFlow, RangeInclusive};

use crate::error::StateError;
use crate::expiry::Dropped;
use crate::layout::{hour_of_ms, hour_start_ms, window as layout};
use crate::spec::{StoreId, StoreKind};
use crate::task_state::TaskState;
use crate::value_ref::ValueRef;

const LAST_MS_OF_HOUR: i64 = 3_599_999;

/// What is called with the key, the start and the value of windows.
pub type VisitWindow<'a> = dyn FnMut(&[u8], i64, &[u8]) + 'a;

/// Window stores.
impl TaskState {
    /// The value of a key's window.
    ///
    /// ```
    /// use highwater_state::{StoreKind, StoreSpec, TaskState};
    /// let mut state = TaskState::in_memory(&[StoreSpec::new("views", StoreKind::Window { retention_ms: 3_600_000 })]);
    /// let views = state.store("views").unwrap();
    /// state.window_put(views, b"home", 60_000, b"3")?;
    /// assert_eq!(state.window_get(views, b"home", 60_000)?.as_deref(), Some(&b"3"[..]));
    /// let mut starts = Vec::new();
    /// state.window_fetch(views, b"home", 0..=90_000, &mut |start_ms, _| starts.push(start_ms))?;
    /// assert_eq!(starts, [60_000]);
    /// # Ok::<(), highwater_state::StateError>(())
    /// ```
    pub fn window_get(&self, store: StoreId, key: &[u8], start_ms: i64) -> Result<Option<ValueRef<'_>>, StateError> {
        self.check_window(store)?;
        self.read(Self::family(store), &layout::encode(key, start_ms))
    }

    /// Sets the value of a key's window.
    pub fn window_put(&mut self, store: StoreId, key: &[u8], start_ms: i64, value: &[u8]) -> Result<(), StateError> {
        self.check_window(store)?;
        self.overlay.put(Self::family(store), &layout::encode(key, start_ms), Some(value));
        self.note_hour(store, hour_of_ms(start_ms), key);
        Ok(())
    }

    /// Deletes a key's window.
    pub fn window_delete(&mut self, store: StoreId, key: &[u8], start_ms: i64) -> Result<(), StateError> {
        self.check_window(store)?;
        self.overlay.put(Self::family(store), &layout::encode(key, start_ms), None);
        Ok(())
    }

    /// Visits the windows of a key that start in a range, in order of their start.
    pub fn window_fetch(
        &self,
        store: StoreId,
        key: &[u8],
        range_ms: RangeInclusive<i64>,
        visit: &mut dyn FnMut(i64, &[u8]),
    ) -> Result<(), StateError> {
        self.check_window(store)?;
        let (from, to) = (layout::encode(key, *range_ms.start()), layout::encode(key, *range_ms.end()));
        let mut is_damaged = false;
        self.scan_family(Self::family(store), (Bound::Included(&from), Bound::Included(&to)), &mut |entry, value| {
            match layout::decode(entry) {
                Some((_, start_ms)) => visit(start_ms, value),
                None => is_damaged = true,
            }
            ControlFlow::Continue(())
        })?;
        self.check_windows_read(store, is_damaged)
    }

    /// Visits the windows of all keys that start in a range, in order of (length of the key, key, start).
    pub fn window_all(
        &self,
        store: StoreId,
        range_ms: RangeInclusive<i64>,
        visit: &mut VisitWindow<'_>,
    ) -> Result<(), StateError> {
        self.check_window(store)?;
        let mut is_damaged = false;
        self.scan_family(Self::family(store), (Bound::Unbounded, Bound::Unbounded), &mut |entry, value| {
            match layout::decode(entry) {
                Some((key, start_ms)) if range_ms.contains(&start_ms) => visit(key, start_ms, value),
                Some(_) => {}
                None => is_damaged = true,
            }
            ControlFlow::Continue(())
        })?;
        self.check_windows_read(store, is_damaged)
    }

    /// Deletes windows that start before a time, rounded down to the hour; at most `max` of them, and says how many. They go to
    /// the log as deletes. [`window_is_expired`](TaskState::window_is_expired) tells whether more are due.
    pub fn window_expire(&mut self, store: StoreId, before_start_ms: i64, max: usize) -> Result<usize, StateError> {
        self.window_expire_with(store, before_start_ms, max, &mut |_, _, _| {})
    }

    /// As [`window_expire`](TaskState::window_expire), and shows each window that leaves.
    pub fn window_expire_with(
        &mut self,
        store: StoreId,
        before_start_ms: i64,
        max: usize,
        leaving: &mut VisitWindow<'_>,
    ) -> Result<usize, StateError> {
        self.check_window(store)?;
        self.expire_before(store, hour_of_ms(before_start_ms), max, |state, hour, key, most| {
            state.drop_windows(store, hour, key, most, leaving)
        })
    }

    /// Whether no window is left that [`window_expire`](TaskState::window_expire) would delete.
    pub fn window_is_expired(&self, store: StoreId, before_start_ms: i64) -> bool {
        self.is_expired_before(store, hour_of_ms(before_start_ms))
    }

    fn drop_windows(
        &mut self,
        store: StoreId,
        hour: i64,
        key: &[u8],
        most: usize,
        leaving: &mut VisitWindow<'_>,
    ) -> Result<Dropped, StateError> {
        let first_ms = hour_start_ms(hour);
        let (from, to) = (layout::encode(key, first_ms), layout::encode(key, first_ms.saturating_add(LAST_MS_OF_HOUR)));
        let mut entries: Vec<Box<[u8]>> = Vec::new();
        let mut is_done = true;
        self.scan_family(Self::family(store), (Bound::Included(&from), Bound::Included(&to)), &mut |entry, value| {
            is_done = entries.len() < most;
            if is_done {
                if let Some((_, start_ms)) = layout::decode(entry) {
                    leaving(key, start_ms, value);
                }
                entries.push(entry.into());
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        for entry in &entries {
            self.overlay.put(Self::family(store), entry, None);
        }
        Ok(Dropped { entries: entries.len(), is_done })
    }

    fn check_windows_read(&self, store: StoreId, is_damaged: bool) -> Result<(), StateError> {
        if is_damaged {
            Err(StateError::Corrupt(format!("a key of window store `{}` can't be read", self.name_of(store))))
        } else {
            Ok(())
        }
    }

    fn check_window(&self, store: StoreId) -> Result<(), StateError> {
        match self.specs.get(usize::from(store.0)).map(|spec| &spec.kind) {
            Some(StoreKind::Window { .. }) => Ok(()),
            _ => Err(self.wrong_kind(store, "window")),
        }
    }
}
