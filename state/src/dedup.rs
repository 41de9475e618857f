//! The dedup store: 128-bit identities, each with the UTC hour in which it was kept.
//!
//! One step is a lookup in the front and an append; the disk is asked only where the front may be incomplete. Expired identities
//! are not deleted key by key: raising the horizon lets compaction drop them, and the log before the oldest live hour can be
//! trimmed.

pub(crate) mod front;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;

use self::front::Front;
use crate::backend::Backend;
use crate::error::StateError;
use crate::layout::dedup as layout;
use crate::limits::DEDUP_IDS_PER_RECORD;
use crate::metadata::{self, MetaWrite};
use crate::spec::{StoreId, StoreKind};
use crate::task_state::TaskState;

/// What one kept identity costs the running transaction: its entry in the front and in the list of changes.
const CHANGE_BYTES: usize = 80;

/// What one committed identity costs until it is written.
const HELD_BYTES: usize = 32;

/// The in-memory side of one dedup store.
#[derive(Debug)]
pub(crate) struct Dedup {
    front: Front,
    /// What the running transaction kept, oldest first.
    changes: Vec<Kept>,
    /// What was committed but is not yet on disk, oldest first. The front has all of it.
    held: Vec<(u128, i32)>,
    /// The metadata that goes to disk with it.
    held_metadata: Vec<MetaWrite>,
    /// How many changes there were when the open record began.
    record_mark: usize,
    horizon: Horizon,
    /// By hour: the first log position that may hold an identity of it.
    buckets: BTreeMap<i64, i64>,
}

/// Identities of earlier hours are forgotten.
#[derive(Clone, Copy, Debug)]
struct Horizon {
    applied: i64,
    /// As the running transaction wants it.
    staged: i64,
    /// As it was staged when the open record began.
    record_mark: i64,
    /// Whether the applied one is newer than the written one.
    is_moved: bool,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    id: u128,
    hour: i32,
    previous: Option<i32>,
}

impl Dedup {
    pub(crate) fn new(front_bytes: usize, horizon: Option<i64>, buckets: BTreeMap<i64, i64>) -> Self {
        let horizon = horizon.unwrap_or(i64::MIN);
        let complete_from_hour = buckets.last_key_value().map_or(i64::MIN, |(&hour, _)| hour + 1);
        Self {
            front: Front::new(front_bytes, complete_from_hour),
            changes: Vec::new(),
            held: Vec::new(),
            held_metadata: Vec::new(),
            record_mark: 0,
            horizon: Horizon { applied: horizon, staged: horizon, record_mark: horizon, is_moved: false },
            buckets,
        }
    }

    pub(crate) fn horizon(&self) -> i64 {
        self.horizon.applied
    }

    /// Whether so many identities fit into the front with room to spare.
    pub(crate) fn has_room_for(&self, identities: u64) -> bool {
        identities <= self.front.max_entries() as u64 / 2
    }

    /// Takes all identities on disk into the front, which is complete from then on.
    pub(crate) fn warm(&mut self, identities: impl Iterator<Item = (u128, i32)>) {
        for (id, hour) in identities {
            self.front.set(id, hour);
        }
        self.front.set_complete_from_hour(i64::MIN);
        self.front.trim(self.horizon.applied);
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.changes.is_empty()
    }

    pub(crate) fn dirty_bytes(&self) -> usize {
        self.changes.len() * CHANGE_BYTES
    }

    pub(crate) fn begin_record(&mut self) {
        self.record_mark = self.changes.len();
        self.horizon.record_mark = self.horizon.staged;
    }

    pub(crate) fn rollback_record(&mut self) {
        self.take_back(self.record_mark);
        self.horizon.staged = self.horizon.record_mark;
    }

    pub(crate) fn discard(&mut self) {
        self.take_back(0);
        self.horizon.staged = self.horizon.applied;
    }

    /// The transaction is committed. Hours that are new begin at `from`, a lower bound of the positions of its records in the
    /// log.
    pub(crate) fn settle(&mut self, number: u16, from: i64) {
        for kept in self.changes.drain(..) {
            self.held.push((kept.id, kept.hour));
            if let Entry::Vacant(bucket) = self.buckets.entry(i64::from(kept.hour)) {
                bucket.insert(from);
                self.held_metadata.push(metadata::bucket(number, i64::from(kept.hour), Some(from)));
            }
        }
        if self.horizon.staged != self.horizon.applied {
            self.horizon.applied = self.horizon.staged;
            self.horizon.is_moved = true;
            let live = self.buckets.split_off(&self.horizon.applied);
            self.held_metadata.extend(self.buckets.keys().map(|&hour| metadata::bucket(number, hour, None)));
            self.buckets = live;
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held.len() * HELD_BYTES
    }

    /// The entries to write, in order of their keys.
    pub(crate) fn sorted_held(&self) -> Vec<([u8; 16], [u8; 4])> {
        let mut held = self.held.clone();
        // The sort is stable, so of an identity that was kept twice the later hour comes later, and the batch lets the last write
        // win.
        held.sort_by_key(|&(id, _)| id);
        held.into_iter().map(|(id, hour)| (id.to_be_bytes(), layout::encode_hour(hour))).collect()
    }

    /// The metadata to write with them.
    pub(crate) fn take_metadata(&mut self, number: u16) -> Vec<MetaWrite> {
        let mut writes = mem::take(&mut self.held_metadata);
        if mem::take(&mut self.horizon.is_moved) {
            writes.push(metadata::horizon(number, self.horizon.applied));
        }
        writes
    }

    /// What was held is on disk.
    pub(crate) fn written(&mut self) {
        self.held.clear();
        // What the running transaction kept is nowhere but in the front.
        if self.changes.is_empty() {
            self.trim();
        }
    }

    /// What the transaction kept, each identity once and with its last hour, in order of the identities.
    fn kept(&self) -> Vec<(u128, i32)> {
        // Only an identity that was known before can have been kept twice; that is rare, and looking everything up again is not
        // cheap.
        let may_repeat = self.changes.iter().any(|kept| kept.previous.is_some());
        let is_last = |kept: &&Kept| !may_repeat || self.front.get(kept.id) == Some(kept.hour);
        let mut kept: Vec<(u128, i32)> = self.changes.iter().filter(is_last).map(|kept| (kept.id, kept.hour)).collect();
        kept.sort_unstable_by_key(|&(id, _)| id);
        if may_repeat {
            kept.dedup();
        }
        kept
    }

    /// Calls with the packed records of the log.
    pub(crate) fn log_records(&self, emit: &mut dyn FnMut(&[u8], &[u8])) {
        let mut kept = self.kept();
        if kept.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            kept.sort_by_key(|&(_, hour)| hour);
        }
        let mut value = Vec::new();
        for of_hour in kept.chunk_by(|a, b| a.1 == b.1) {
            for chunk in of_hour.chunks(DEDUP_IDS_PER_RECORD) {
                let hour = chunk[0].1;
                layout::pack(hour, chunk.iter().map(|&(id, _)| id), &mut value);
                emit(&layout::record_key(hour), &value);
            }
        }
    }

    /// Takes what a log record holds; the caller writes it.
    pub(crate) fn restore(
        &mut self,
        number: u16,
        hour: i32,
        position: i64,
        ids: impl Iterator<Item = u128>,
    ) -> Option<MetaWrite> {
        for id in ids {
            self.front.set(id, hour);
        }
        let first = self.buckets.entry(i64::from(hour)).or_insert(i64::MAX);
        let is_earlier = position < *first;
        *first = position.min(*first);
        is_earlier.then(|| metadata::bucket(number, i64::from(hour), Some(position)))
    }

    /// Makes room after a restored chunk.
    pub(crate) fn trim(&mut self) {
        self.front.trim(self.horizon.applied);
    }

    fn seen(&self, id: u128, on_disk: impl FnOnce() -> Result<Option<i64>, StateError>) -> Result<Option<i64>, StateError> {
        match self.front.get(id) {
            Some(hour) => Ok(Some(i64::from(hour))),
            None if self.front.complete_from_hour() <= self.horizon.staged => Ok(None),
            None => on_disk(),
        }
    }

    fn keep(&mut self, id: u128, hour: i32) {
        let previous = self.front.set(id, hour);
        if previous != Some(hour) {
            self.changes.push(Kept { id, hour, previous });
        }
    }

    fn take_back(&mut self, mark: usize) {
        for kept in self.changes.drain(mark..).rev() {
            match kept.previous {
                Some(hour) => drop(self.front.set(kept.id, hour)),
                None => self.front.remove(kept.id),
            }
        }
    }
}

/// Dedup stores.
impl TaskState {
    /// The hour in which an identity was kept last, if it is remembered. It may lie before the horizon, since expiry is lazy: the
    /// caller compares.
    ///
    /// ```
    /// use highwater_state::{StoreKind, StoreSpec, TaskState};
    /// let mut state = TaskState::in_memory(&[StoreSpec::new("ids", StoreKind::Dedup { memory_hours: 25 })]);
    /// let ids = state.store("ids").unwrap();
    /// assert_eq!(state.dedup_seen(ids, 42)?, None);
    /// state.dedup_keep(ids, 42, 490_000)?;
    /// assert_eq!(state.dedup_seen(ids, 42)?, Some(490_000));
    /// # Ok::<(), highwater_state::StateError>(())
    /// ```
    pub fn dedup_seen(&self, store: StoreId, id: u128) -> Result<Option<i64>, StateError> {
        let on_disk = || {
            let found = self.backend.get(Self::family(store), &id.to_be_bytes())?;
            let damaged = || StateError::Corrupt(format!("an entry of dedup store `{}` can't be read", self.name_of(store)));
            found.map(|value| layout::decode_hour(&value).ok_or_else(damaged)).transpose()
        };
        self.dedup(store)?.seen(id, on_disk)
    }

    /// Keeps an identity in an hour.
    pub fn dedup_keep(&mut self, store: StoreId, id: u128, hour: i64) -> Result<(), StateError> {
        let hour = i32::try_from(hour).map_err(|_| StateError::OutOfRange("an hour of a dedup store must fit into 32 bits"))?;
        self.dedup_mut(store)?.keep(id, hour);
        Ok(())
    }

    /// Forgets identities that were kept before an hour, from the next `apply` on. The horizon never goes back.
    pub fn dedup_expire(&mut self, store: StoreId, before_hour: i64) -> Result<(), StateError> {
        let dedup = self.dedup_mut(store)?;
        dedup.horizon.staged = dedup.horizon.staged.max(before_hour);
        Ok(())
    }

    /// The log position from which on live hours stand; the log before it can be trimmed. `None` while nothing is known of the
    /// log.
    ///
    /// It is never beyond the durable position: a state that came back from a crash would find the log that it has to follow cut
    /// off.
    pub fn dedup_live_from(&self, store: StoreId) -> Option<i64> {
        let dedup = self.dedup(store).ok()?;
        let next = self.durable_position(store)?.next;
        let live = dedup.buckets.range(dedup.horizon.applied..).map(|(_, &first)| first);
        Some(live.min().unwrap_or(next).min(next))
    }

    fn dedup(&self, store: StoreId) -> Result<&Dedup, StateError> {
        match self.dedups.get(usize::from(store.0)) {
            Some(Some(dedup)) => Ok(dedup),
            _ => Err(self.wrong_kind(store, "dedup")),
        }
    }

    pub(crate) fn dedup_mut(&mut self, store: StoreId) -> Result<&mut Dedup, StateError> {
        if !matches!(self.specs[usize::from(store.0)].kind, StoreKind::Dedup { .. }) {
            return Err(self.wrong_kind(store, "dedup"));
        }
        Ok(self.dedups[usize::from(store.0)].as_mut().expect("every dedup store has its front"))
    }
}

/// Reads all identities of a family into the front, when they are few enough.
pub(crate) fn warm(dedup: &mut Dedup, backend: &dyn Backend, store: StoreId) -> Result<(), StateError> {
    use std::ops::{Bound, ControlFlow};
    let family = TaskState::family(store);
    if !dedup.has_room_for(backend.estimated_keys(family)) {
        return Ok(());
    }
    let mut identities = Vec::new();
    let mut is_damaged = false;
    backend.scan(family, (Bound::Unbounded, Bound::Unbounded), &mut |key, value| {
        match (key.try_into().map(u128::from_be_bytes), layout::decode_hour(value)) {
            (Ok(id), Some(hour)) => identities.push((id, hour as i32)),
            _ => is_damaged = true,
        }
        ControlFlow::Continue(())
    })?;
    if is_damaged {
        return Err(StateError::Corrupt("an entry of a dedup store can't be read".to_owned()));
    }
    dedup.warm(identities.into_iter());
    Ok(())
}
