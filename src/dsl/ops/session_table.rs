//! Sessions in their store: one read and one write for a record, and the emission of what has changed by the table's policy.
//!
//! It does not choose the session (`session_choice`) nor aggregate (`session_window`).

use std::ops::Range;

use highwater_state::StoreId;
use smallvec::SmallVec;

use super::pending::Held;
use super::session_choice::Bounds;
use super::stored::{Header, Last};
use super::table::{Policy, difference, keeps, policy};
use super::throttle::{MOST_AT_ONCE, Throttle, Until};
use super::window_clock::OpenWindows;
use crate::dsl::change::Change;
use crate::dsl::emit::Emit;
use crate::dsl::materialized::Materialized;
use crate::dsl::windows::Windowed;
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::{Data, SharedSerde};
use crate::task::TaskCore;
use crate::task::edge::Outlet;
use crate::topology::{NodeId, OldValues, StoreRef, TaskBuilder};

/// A turn of the loop forgets no more expired sessions than this.
const MOST_EXPIRED_AT_ONCE: usize = 1_000;

/// The sessions of a task.
pub(crate) struct SessionTable<K, A> {
    store: StoreId,
    key: SharedSerde<K>,
    value: SharedSerde<A>,
    pub(crate) policy: Policy,
    /// Whether a session that grows at its end stays the same row.
    by_start: bool,
    sends_old: bool,
    open: OpenWindows,
    near: Near,
    outlet: Outlet<Windowed<K>, Change<A>>,
}

/// The sessions that a record may join, copied out of the store.
#[derive(Debug, Default)]
pub(crate) struct Near {
    pub(crate) bounds: Vec<Bounds>,
    entries: Vec<Range<usize>>,
    bytes: Vec<u8>,
}

impl Near {
    fn clear(&mut self) {
        self.bounds.clear();
        self.entries.clear();
        self.bytes.clear();
    }

    fn push(&mut self, bounds: Bounds, entry: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(entry);
        self.bounds.push(bounds);
        self.entries.push(start..self.bytes.len());
    }

    fn entry(&self, index: usize) -> &[u8] {
        &self.bytes[self.entries[index].clone()]
    }
}

/// A session that takes the place of others.
pub(crate) struct Successor<A> {
    pub(crate) absorbed: SmallVec<[usize; 2]>,
    pub(crate) bounds: Bounds,
    pub(crate) aggregate: A,
}

impl<K: Data, A: Data> SessionTable<K, A> {
    pub(crate) fn new(
        task: &mut TaskBuilder<'_>,
        node: NodeId,
        store: StoreRef,
        options: &Materialized<K, A>,
        by_start: bool,
    ) -> Self {
        let sends_old = task.old_values(node) == Some(OldValues::Always);
        Self {
            store: task.store(store),
            key: options.key.clone(),
            value: options.value.clone(),
            policy: policy(options.emit, &options.name, keeps(sends_old, false), task),
            by_start: by_start || matches!(options.emit, Emit::AtMostEvery(_)),
            sends_old,
            open: OpenWindows::default(),
            near: Near::default(),
            outlet: task.outlet(node),
        }
    }

    pub(crate) fn is_null_key(&self, key: &K) -> bool {
        self.key.is_null(key)
    }

    /// Reads the sessions of a key that end at or after a time and start at or before another; the key's bytes stay in the
    /// scratch buffer until [`replace`](Self::replace).
    pub(crate) fn find(
        &mut self,
        key: &K,
        (earliest_end_ms, latest_start_ms): Bounds,
        core: &mut TaskCore,
    ) -> Result<&[Bounds], ProcessError> {
        core.scratch.key.clear();
        self.key.encode(key, &mut core.scratch.key)?;
        let near = &mut self.near;
        near.clear();
        core.state.session_find(self.store, &core.scratch.key, earliest_end_ms, latest_start_ms, &mut |start, end, entry| {
            near.push((start, end), entry);
        })?;
        Ok(&self.near.bounds)
    }

    /// The aggregate of a session that was found.
    pub(crate) fn aggregate(&self, index: usize) -> Result<A, ProcessError> {
        let (_, payload) = Header::read(self.near.entry(index))?;
        Ok(self.value.decode(payload)?)
    }

    /// Puts a session in the place of those that it absorbed, and emits that or holds it back.
    pub(crate) fn replace(&mut self, key: &K, successor: Successor<A>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let near = std::mem::take(&mut self.near);
        let result = self.replace_in(&near, key, successor, core);
        self.near = near;
        result
    }

    fn replace_in(&mut self, near: &Near, key: &K, new: Successor<A>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let same = new.absorbed.iter().copied().find(|&index| self.is_same(near.bounds[index], new.bounds));
        let others: SmallVec<[usize; 2]> = new.absorbed.iter().copied().filter(|&index| Some(index) != same).collect();
        let timestamp = Timestamp::from_millis(new.bounds.1);
        let (header, vanished) = match &self.policy {
            Policy::AtMostEvery(throttle) => succession(throttle, near, same, &others, timestamp, core)?,
            _ => (Header::at(timestamp), others),
        };
        let TaskCore { state, scratch, ruling, .. } = &mut *core;
        scratch.value.clear();
        header.write(&mut scratch.value);
        self.value.encode(&new.aggregate, &mut scratch.value)?;
        let gone: SmallVec<[Bounds; 2]> = new.absorbed.iter().map(|&index| near.bounds[index]).collect();
        state.session_replace(self.store, &scratch.key, &gone, new.bounds, &scratch.value)?;
        ruling.take_effect();
        match &mut self.policy {
            Policy::Update => self.tell(near, key, &vanished, same, new, core),
            Policy::Commit(pending) => {
                for &index in vanished.iter().chain(&same) {
                    let (start_ms, end_ms) = near.bounds[index];
                    let before = [&end_ms.to_be_bytes(), near.entry(index)];
                    pending.touch([&scratch.key, &tail(self.by_start, (start_ms, end_ms))], Some(before), None);
                }
                pending.touch([&scratch.key, &tail(self.by_start, new.bounds)], None, None);
                Ok(())
            }
            Policy::AtMostEvery(throttle) => {
                let due_before =
                    same.map(|index| Header::read(near.entry(index))).transpose()?.and_then(|(header, _)| header.due);
                if let Some(due) = header.due.filter(|due| due_before != Some(*due)) {
                    throttle.enqueue(due, [&scratch.key, &tail(true, new.bounds)]);
                }
                if header.due.is_none() {
                    return self.tell(near, key, &vanished, None, new, core);
                }
                self.tell_vanished(near, key, &vanished, core)
            }
            Policy::Close => {
                let is_new = !new.absorbed.iter().any(|&index| near.bounds[index].0 == new.bounds.0);
                if is_new {
                    self.open.insert(new.bounds.1, [&scratch.key, &tail(true, new.bounds)]);
                }
                Ok(())
            }
        }
    }

    fn is_same(&self, one: Bounds, other: Bounds) -> bool {
        one.0 == other.0 && (self.by_start || one.1 == other.1)
    }

    /// Emits a session and before it the end of those that it took the place of.
    fn tell(
        &self,
        near: &Near,
        key: &K,
        vanished: &[usize],
        same: Option<usize>,
        new: Successor<A>,
        core: &mut TaskCore,
    ) -> Result<(), ProcessError> {
        let old = same.filter(|_| self.sends_old);
        let old = old.map(|index| Header::read(near.entry(index))).transpose()?;
        let old = old.map(|(_, payload)| self.value.decode(payload)).transpose()?;
        self.tell_vanished(near, key, vanished, core)?;
        self.emit(key.clone(), new.bounds, Change::new(old, Some(new.aggregate)), core)
    }

    fn tell_vanished(&self, near: &Near, key: &K, vanished: &[usize], core: &mut TaskCore) -> Result<(), ProcessError> {
        for &index in vanished {
            let (header, payload) = Header::read(near.entry(index))?;
            // What was told last is what is taken back; the session may have changed unseen since.
            let told = match (&self.policy, header.last) {
                (Policy::AtMostEvery(throttle), Last::Value(last)) if throttle.is_waiting(&header, &core.times) => last,
                _ => payload,
            };
            let old = Some(self.value.decode(told)?);
            self.emit(key.clone(), near.bounds[index], Change::new(old, None), core)?;
        }
        Ok(())
    }

    fn emit(&self, key: K, (start_ms, end_ms): Bounds, change: Change<A>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let (start, end) = (Timestamp::from_millis(start_ms), Timestamp::from_millis(end_ms));
        self.outlet.forward(Record::new(Windowed { key, start, end }, change, end), core)
    }

    /// Finds what waits and what is open, after the state was opened.
    pub(crate) fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Self { policy, open, store, .. } = self;
        if matches!(policy, Policy::Update | Policy::Commit(_)) {
            return Ok(());
        }
        let mut outcome = Ok(());
        core.state.session_all(*store, &mut |key, start, end, entry| match (&mut *policy, Header::read(entry)) {
            (Policy::AtMostEvery(throttle), Ok((header, _))) => {
                if let Some(due) = header.due.filter(|_| throttle.is_waiting(&header, &core.times)) {
                    throttle.enqueue(due, [key, &tail(true, (start, end))]);
                }
            }
            (_, Ok(_)) => open.insert(end, [key, &tail(true, (start, end))]),
            (_, Err(error)) => outcome = Err(error),
        })?;
        Ok(outcome?)
    }

    /// Emits what a commit is for.
    pub(crate) fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Policy::Commit(pending) = &self.policy else { return Ok(()) };
        if pending.is_empty() {
            return Ok(());
        }
        pending.each(|place, before, _| {
            let (key, bounds) = split(self.by_start, place);
            let now = current(self.store, key, bounds, &mut self.near, core)?;
            let before = before.and_then(<[u8]>::split_first_chunk::<8>);
            let now_entry = now.map(|_| self.near.entry(0));
            let told = difference(before.map(|(_, entry)| entry), now_entry, &*self.value, self.sends_old, false)?;
            let Some((change, end)) = told else { return Ok(()) };
            let windowed = Windowed { key: self.key.decode(key)?, start: Timestamp::from_millis(bounds.0), end };
            self.outlet.forward(Record::new(windowed, change, end), core)
        })?;
        if let Policy::Commit(pending) = &mut self.policy {
            pending.clear();
        }
        Ok(())
    }

    /// Emits what is due.
    pub(crate) fn emit_due(&mut self, until: Until, core: &mut TaskCore) -> Result<(), ProcessError> {
        let mut emitted = 0;
        while let Policy::AtMostEvery(throttle) = &mut self.policy
            && (emitted < MOST_AT_ONCE || until == Until::TheEnd)
            && let Some((due, places)) = throttle.pop(until, core.now)
        {
            emitted += places.len();
            for place in &places {
                let (key, bounds) = split(true, place);
                let Some(bounds) = current(self.store, key, bounds, &mut self.near, core)? else { continue };
                let (header, _) = Header::read(self.near.entry(0))?;
                if header.due == Some(due) {
                    self.emit_entry(key, bounds, self.near.entry(0), core)?;
                }
            }
            if let Policy::AtMostEvery(throttle) = &self.policy {
                throttle.emitted(due, core);
            }
        }
        Ok(())
    }

    fn emit_entry(&self, key: &[u8], bounds: Bounds, entry: &[u8], core: &mut TaskCore) -> Result<(), ProcessError> {
        let (header, payload) = Header::read(entry)?;
        let old = if let Last::Value(last) = header.last { Some(self.value.decode(last)?) } else { None };
        let change = Change::new(old.filter(|_| self.sends_old), Some(self.value.decode(payload)?));
        self.emit(self.key.decode(key)?, bounds, change, core)
    }

    /// Emits and forgets the sessions that end before a time, or, by the other policies, only forgets them, some in each call.
    pub(crate) fn close_before(&mut self, end_ms: i64, core: &mut TaskCore) -> Result<(), ProcessError> {
        if matches!(self.policy, Policy::Close) { self.close(end_ms, core) } else { self.expire(end_ms, core) }
    }

    fn close(&mut self, end_ms: i64, core: &mut TaskCore) -> Result<(), ProcessError> {
        while let Some(place) = self.open.pop_before(end_ms) {
            let (key, bounds) = split(true, &place);
            let Some(bounds) = current(self.store, key, bounds, &mut self.near, core)? else { continue };
            if bounds.1 >= end_ms {
                self.open.insert(bounds.1, [&place, b""]);
                continue;
            }
            core.state.session_remove(self.store, key, bounds.0, bounds.1)?;
            self.emit_entry(key, bounds, self.near.entry(0), core)?;
        }
        Ok(())
    }

    fn expire(&mut self, end_ms: i64, core: &mut TaskCore) -> Result<(), ProcessError> {
        if core.state.session_is_expired(self.store, end_ms) {
            return Ok(());
        }
        let mut leaving: Vec<(Vec<u8>, Bounds, Vec<u8>)> = Vec::new();
        let holds_back = self.policy.holds_back();
        core.state.session_expire_with(self.store, end_ms, MOST_EXPIRED_AT_ONCE, &mut |key, start, end, entry| {
            if holds_back {
                leaving.push((key.to_vec(), (start, end), entry.to_vec()));
            }
        })?;
        leaving.iter().try_for_each(|(key, bounds, entry)| self.emit_leaving(key, *bounds, entry, core))
    }

    /// A session has left the store because its time is over: what it held back is emitted now.
    fn emit_leaving(&mut self, key: &[u8], bounds: Bounds, entry: &[u8], core: &mut TaskCore) -> Result<(), ProcessError> {
        match &mut self.policy {
            Policy::Commit(pending) => {
                let Some(Held(before)) = pending.take([key, &tail(self.by_start, bounds)]) else { return Ok(()) };
                let before = before.and_then(<[u8]>::split_first_chunk::<8>).map(|(_, entry)| entry);
                let Some((change, _)) = difference(before, Some(entry), &*self.value, self.sends_old, false)? else {
                    return Ok(());
                };
                self.emit(self.key.decode(key)?, bounds, change, core)
            }
            Policy::AtMostEvery(throttle) if throttle.is_waiting(&Header::read(entry)?.0, &core.times) => {
                self.emit_entry(key, bounds, entry, core)
            }
            _ => Ok(()),
        }
    }
}

/// The marks of a session that takes the place of others, and which of those must be told to have vanished: those that were
/// emitted. One that no row stood for so far and that takes over from such is emitted with it, at once: it is due never.
fn succession<'a>(
    throttle: &Throttle,
    near: &'a Near,
    same: Option<usize>,
    others: &[usize],
    timestamp: Timestamp,
    core: &TaskCore,
) -> Result<(Header<'a>, SmallVec<[usize; 2]>), ProcessError> {
    let mut vanished = SmallVec::new();
    let mut earliest_due: Option<Timestamp> = None;
    for &index in others {
        let (header, _) = Header::read(near.entry(index))?;
        let is_waiting = throttle.is_waiting(&header, &core.times);
        if header.emitted || !is_waiting {
            vanished.push(index);
        }
        let due = header.due.filter(|_| is_waiting);
        earliest_due = [earliest_due, due].into_iter().flatten().min();
    }
    let before = same.map(|index| Header::read(near.entry(index))).transpose()?;
    let mut header = throttle.mark(before, timestamp, &core.times, core.now);
    if before.is_none() {
        header.due = earliest_due.or(header.due);
        if !vanished.is_empty() {
            (header.emitted, header.due) = (true, None);
        }
    }
    Ok((header, vanished))
}

/// Reads the session of these bounds as it is now (its end only counts if `bounds` has one) as the only one of `near`.
fn current(
    store: StoreId,
    key: &[u8],
    (start_ms, end_ms): Bounds,
    near: &mut Near,
    core: &TaskCore,
) -> Result<Option<Bounds>, ProcessError> {
    near.clear();
    core.state.session_find(store, key, i64::MIN, start_ms, &mut |start, end, entry| {
        if start == start_ms && (end_ms == ANY_END || end == end_ms) {
            near.clear();
            near.push((start, end), entry);
        }
    })?;
    Ok(near.bounds.first().copied())
}

/// Stands for the end of a session that is known by its start.
const ANY_END: i64 = i64::MIN;

/// What follows the key in a session's place.
fn tail(by_start: bool, (start_ms, end_ms): Bounds) -> SmallVec<[u8; 16]> {
    let mut tail = SmallVec::from_slice(&start_ms.to_be_bytes());
    if !by_start {
        tail.extend_from_slice(&end_ms.to_be_bytes());
    }
    tail
}

/// Key and bounds of a session's place.
fn split(by_start: bool, place: &[u8]) -> (&[u8], Bounds) {
    let number = |bytes: &[u8; 8]| i64::from_be_bytes(*bytes);
    let (rest, last) = place.split_last_chunk::<8>().expect("a session's place ends with its start or its end");
    if by_start {
        return (rest, (number(last), ANY_END));
    }
    let (key, start) = rest.split_last_chunk::<8>().expect("a session's place has its start before its end");
    (key, (number(start), number(last)))
}
