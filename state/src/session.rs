//! The session store: a value per record key, session start and session end. All sessions of a key lie in one value, so finding
//! what a record may join is one point read.

use std::mem;
use std::ops::{Bound, ControlFlow};

use crate::error::StateError;
use crate::expiry::Dropped;
use crate::layout::hour_of_ms;
use crate::layout::session::{self as layout, BadSessions, Session};
use crate::overlay::Known;
use crate::spec::{StoreId, StoreKind};
use crate::task_state::TaskState;
use crate::value_ref::ValueRef;

/// What is called with the key, the start, the end and the value of sessions.
pub type VisitSession<'a> = dyn FnMut(&[u8], i64, i64, &[u8]) + 'a;

/// What the disk said of the key that was asked for last; it holds until the disk changes.
#[derive(Debug, Default)]
pub(crate) struct LastRead {
    store: Option<StoreId>,
    key: Vec<u8>,
    /// Empty if there are no sessions.
    packed: Vec<u8>,
}

impl LastRead {
    pub(crate) fn forget(&mut self) {
        self.store = None;
    }

    fn remember(&mut self, store: StoreId, key: &[u8], packed: Option<&[u8]>) {
        self.store = Some(store);
        self.key.clear();
        self.key.extend_from_slice(key);
        self.packed.clear();
        self.packed.extend_from_slice(packed.unwrap_or_default());
    }

    fn is_of(&self, store: StoreId, key: &[u8]) -> bool {
        self.store == Some(store) && self.key == key
    }
}

/// Session stores.
impl TaskState {
    /// Visits the sessions of a key that end at or after `earliest_end_ms` and start at or before `latest_start_ms`, in order of
    /// (start, end).
    ///
    /// ```
    /// use highwater_state::{StoreKind, StoreSpec, TaskState};
    /// let mut state = TaskState::in_memory(&[StoreSpec::new("visits", StoreKind::Session { retention_ms: 3_600_000 })]);
    /// let visits = state.store("visits").unwrap();
    /// state.session_put(visits, b"ada", 100, 200, b"2 pages")?;
    /// let mut found = Vec::new();
    /// state.session_find(visits, b"ada", 150, 250, &mut |start_ms, end_ms, value| found.push((start_ms, end_ms, value.to_vec())))?;
    /// assert_eq!(found, [(100, 200, b"2 pages".to_vec())]);
    /// # Ok::<(), highwater_state::StateError>(())
    /// ```
    pub fn session_find(
        &self,
        store: StoreId,
        key: &[u8],
        earliest_end_ms: i64,
        latest_start_ms: i64,
        visit: &mut dyn FnMut(i64, i64, &[u8]),
    ) -> Result<(), StateError> {
        self.check_session(store)?;
        let Some(packed) = self.read_sessions(store, key)? else {
            return Ok(());
        };
        let mut sessions = layout::sessions(&packed).map_err(|bad| self.bad_sessions(store, bad))?;
        while let Some(session) = sessions.next().map_err(|bad| self.bad_sessions(store, bad))? {
            if session.start_ms > latest_start_ms {
                break;
            }
            if session.end_ms >= earliest_end_ms {
                visit(session.start_ms, session.end_ms, session.value);
            }
        }
        Ok(())
    }

    /// Sets the value of a key's session.
    pub fn session_put(
        &mut self,
        store: StoreId,
        key: &[u8],
        start_ms: i64,
        end_ms: i64,
        value: &[u8],
    ) -> Result<(), StateError> {
        self.check_session(store)?;
        self.change_sessions(store, key, |packed, into| {
            layout::with(packed, Session { start_ms, end_ms, value }, into).map(|()| true)
        })?;
        self.note_hour(store, hour_of_ms(end_ms), key);
        Ok(())
    }

    /// Puts one session in the place of those that are `gone`, given as (start, end), in one change: what a session that grows or merges needs.
    pub fn session_replace(
        &mut self,
        store: StoreId,
        key: &[u8],
        gone: &[(i64, i64)],
        (start_ms, end_ms): (i64, i64),
        value: &[u8],
    ) -> Result<(), StateError> {
        self.check_session(store)?;
        self.change_sessions(store, key, |packed, into| {
            layout::replaced(packed, gone, Session { start_ms, end_ms, value }, into).map(|()| true)
        })?;
        self.note_hour(store, hour_of_ms(end_ms), key);
        Ok(())
    }

    /// Removes a key's session.
    pub fn session_remove(&mut self, store: StoreId, key: &[u8], start_ms: i64, end_ms: i64) -> Result<(), StateError> {
        self.check_session(store)?;
        self.change_sessions(store, key, |packed, into| layout::without(packed, start_ms, end_ms, into)).map(drop)
    }

    /// Visits the sessions of all keys, in order of (key, start, end).
    pub fn session_all(&self, store: StoreId, visit: &mut VisitSession<'_>) -> Result<(), StateError> {
        self.check_session(store)?;
        let mut outcome = Ok(());
        self.scan_family(Self::family(store), (Bound::Unbounded, Bound::Unbounded), &mut |key, packed| {
            outcome = visit_all(key, packed, visit);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome.map_err(|bad| self.bad_sessions(store, bad))
    }

    /// Removes sessions that end before a time, rounded down to the hour, and says how many; no further key once it has removed
    /// `max`. They leave the log too. [`session_is_expired`](TaskState::session_is_expired) tells whether more are due.
    pub fn session_expire(&mut self, store: StoreId, before_end_ms: i64, max: usize) -> Result<usize, StateError> {
        self.session_expire_with(store, before_end_ms, max, &mut |_, _, _, _| {})
    }

    /// As [`session_expire`](TaskState::session_expire), and shows each session that leaves.
    pub fn session_expire_with(
        &mut self,
        store: StoreId,
        before_end_ms: i64,
        max: usize,
        leaving: &mut VisitSession<'_>,
    ) -> Result<usize, StateError> {
        self.check_session(store)?;
        let before_hour = hour_of_ms(before_end_ms);
        self.expire_before(store, before_hour, max, |state, _, key, _| {
            let mut entries = 0;
            state.change_sessions(store, key, |packed, into| {
                entries = layout::without_hours_before(packed, before_hour, into, &mut |session| {
                    leaving(key, session.start_ms, session.end_ms, session.value);
                })?;
                Ok(entries > 0)
            })?;
            Ok(Dropped { entries, is_done: true })
        })
    }

    /// Whether no session is left that [`session_expire`](TaskState::session_expire) would remove.
    pub fn session_is_expired(&self, store: StoreId, before_end_ms: i64) -> bool {
        self.is_expired_before(store, hour_of_ms(before_end_ms))
    }

    /// Rewrites the sessions of a key with `change(packed, into)`, which says whether anything changed.
    fn change_sessions(
        &mut self,
        store: StoreId,
        key: &[u8],
        change: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<bool, BadSessions>,
    ) -> Result<(), StateError> {
        let mut changed = mem::take(&mut self.scratch);
        let is_changed = self.with_known_sessions(store, key, |packed| change(packed, &mut changed))?;
        if is_changed {
            self.overlay.put(Self::family(store), key, (!changed.is_empty()).then_some(&changed));
        }
        self.scratch = changed;
        Ok(())
    }

    /// Reads the packed sessions of a key, and remembers what the disk said.
    fn read_sessions(&self, store: StoreId, key: &[u8]) -> Result<Option<ValueRef<'_>>, StateError> {
        let family = Self::family(store);
        match self.overlay.get(family, key) {
            Known::Value(packed) => Ok(Some(ValueRef::slice(packed))),
            Known::Deleted => Ok(None),
            Known::Nothing => {
                let packed = self.backend.get(family, key)?;
                self.last_read.borrow_mut().remember(store, key, packed.as_deref());
                Ok(packed)
            }
        }
    }

    /// Calls with the packed sessions of a key, from memory if they were just read.
    fn with_known_sessions<R>(
        &self,
        store: StoreId,
        key: &[u8],
        then: impl FnOnce(&[u8]) -> Result<R, BadSessions>,
    ) -> Result<R, StateError> {
        let outcome = match self.overlay.get(Self::family(store), key) {
            Known::Value(packed) => then(packed),
            Known::Deleted => then(b""),
            Known::Nothing => {
                if !self.last_read.borrow().is_of(store, key) {
                    self.read_sessions(store, key)?;
                }
                then(&self.last_read.borrow().packed)
            }
        };
        outcome.map_err(|bad| self.bad_sessions(store, bad))
    }

    fn bad_sessions(&self, store: StoreId, BadSessions: BadSessions) -> StateError {
        StateError::Corrupt(format!("a value of session store `{}` can't be read", self.name_of(store)))
    }

    fn check_session(&self, store: StoreId) -> Result<(), StateError> {
        match self.specs.get(usize::from(store.0)).map(|spec| &spec.kind) {
            Some(StoreKind::Session { .. }) => Ok(()),
            _ => Err(self.wrong_kind(store, "session")),
        }
    }
}

fn visit_all(key: &[u8], packed: &[u8], visit: &mut VisitSession<'_>) -> Result<(), BadSessions> {
    let mut sessions = layout::sessions(packed)?;
    while let Some(session) = sessions.next()? {
        visit(key, session.start_ms, session.end_ms, session.value);
    }
    Ok(())
}
