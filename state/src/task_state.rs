//! A task's state: its stores, the overlay of the running transaction, and the metadata that goes with every batch.
//!
//! Start reading here; [`open`](self::open) makes one, `apply` ends a transaction, `restore` follows the log, and the kinds
//! (`key_value`, `window`, `session`, `dedup`) are what processors call. It is driven by one thread and knows no log client, no
//! clock and no transaction but its own.

mod apply;
mod durable;
mod inspect;
mod open;
mod restore;
mod scan;
mod write_back;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

pub use self::apply::EmitChange;
use self::durable::Durable;
pub use self::inspect::{Inspection, StoreInspection};
pub use self::open::OpenOptions;
pub use self::restore::LogRecord;
use crate::backend::{Backend, Family, FlushWait, Usage};
use crate::dedup::Dedup;
use crate::error::StateError;
use crate::expiry::ExpiryMark;
use crate::limits::{FLUSH_AFTER, FLUSH_AFTER_BYTES, IDLE_STAMP_AFTER};
use crate::overlay::{Known, Overlay};
use crate::rocks;
use crate::session::LastRead;
use crate::spec::{LogPosition, StoreId, StoreSpec};
use crate::value_ref::ValueRef;

/// All state of one task.
///
/// Changes belong to the running transaction until [`apply`](TaskState::apply). Committed ones are written with the log positions
/// that they stand for in one atomic batch, many transactions at a time. So what is on disk is never ahead of the log, and a
/// crash costs a replay of its tail.
///
/// ```
/// use highwater_state::{LogPosition, StoreKind, StoreSpec, TaskState};
///
/// let mut state = TaskState::in_memory(&[StoreSpec::new("counts", StoreKind::KeyValue)]);
/// let counts = state.store("counts").unwrap();
///
/// state.begin_record();
/// state.put(counts, b"apples", b"1")?;
/// state.accept_record();
/// state.begin_record();
/// state.put(counts, b"pears", b"1")?;
/// state.rollback_record();
///
/// let mut log = Vec::new();
/// state.log_changes(&mut |_, key, value| log.push((key.to_vec(), value.map(<[u8]>::to_vec))));
/// assert_eq!(log, [(b"apples".to_vec(), Some(b"1".to_vec()))]);
///
/// state.apply(&[(counts, LogPosition { log_id: [7; 16], next: 1 })], 0)?;
/// assert_eq!(state.get(counts, b"apples")?.as_deref(), Some(&b"1"[..]));
/// assert_eq!(state.position(counts).unwrap().next, 1);
/// # Ok::<(), highwater_state::StateError>(())
/// ```
#[derive(Debug)]
pub struct TaskState {
    pub(crate) specs: Vec<StoreSpec>,
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) overlay: Overlay,
    /// By store; only dedup stores have one.
    pub(crate) dedups: Vec<Option<Dedup>>,
    /// By store; how far the expiry index has been worked off.
    pub(crate) expiry: Vec<ExpiryMark>,
    /// By store; the number that stands for it in keys.
    numbers: Vec<u16>,
    /// By store.
    positions: Vec<Option<LogPosition>>,
    /// By store; whether its position is newer than the written one.
    moved: Vec<bool>,
    write_back_bytes: usize,
    stamp_ms: Option<i64>,
    /// Whether the stamp is newer than the written one.
    is_stamp_moved: bool,
    durable: Durable,
    cadence: Cadence,
    /// The session key that was read from disk last: who finds a key's sessions changes them next.
    pub(crate) last_read: RefCell<LastRead>,
    /// A buffer that kinds put values together in.
    pub(crate) scratch: Vec<u8>,
}

/// When to flush.
#[derive(Clone, Copy, Debug, Default)]
struct Cadence {
    /// Bytes of the log that were applied since the last flush.
    unflushed_bytes: usize,
    last_flush_ms: i64,
    stamp_every_ms: i64,
}

impl TaskState {
    /// Removes a task's state from disk; one that is not there is no error.
    pub fn destroy(dir: &Path) -> Result<(), StateError> {
        rocks::destroy(dir)
    }

    /// The stores, in the order of their ids.
    pub fn specs(&self) -> &[StoreSpec] {
        &self.specs
    }

    /// The store of a name.
    pub fn store(&self, name: &str) -> Option<StoreId> {
        self.specs.iter().position(|spec| spec.name == name).map(|index| StoreId(index as u16))
    }

    /// How far a store has followed its log; `None` when it never did, so that it starts at the log's start.
    pub fn position(&self, store: StoreId) -> Option<LogPosition> {
        self.positions.get(usize::from(store.0))?.clone()
    }

    /// How far a store would have followed its log after a crash right now, as far as that is known.
    pub fn durable_position(&self, store: StoreId) -> Option<LogPosition> {
        let positions = if self.backend.is_volatile() { &self.positions } else { self.durable.positions() };
        positions.get(usize::from(store.0))?.clone()
    }

    /// When the state on disk was last known to follow its log.
    pub fn stamp_ms(&self) -> Option<i64> {
        self.stamp_ms
    }

    /// Begins an input record: what it changes can be rolled back until it is accepted.
    pub fn begin_record(&mut self) {
        self.overlay.begin_record();
        self.dedups.iter_mut().flatten().for_each(Dedup::begin_record);
    }

    /// The record's changes join the transaction.
    pub fn accept_record(&mut self) {
        self.overlay.accept_record();
    }

    /// The record's changes never were. Without an open record it does nothing.
    pub fn rollback_record(&mut self) {
        if !self.overlay.is_record_open() {
            return;
        }
        self.overlay.rollback_record();
        self.dedups.iter_mut().flatten().for_each(Dedup::rollback_record);
        self.expiry.iter_mut().for_each(ExpiryMark::discard);
    }

    /// Whether the transaction changed anything.
    pub fn is_dirty(&self) -> bool {
        self.overlay.is_dirty() || self.dedups.iter().flatten().any(Dedup::is_dirty)
    }

    /// What the transaction's changes hold in memory.
    pub fn overlay_bytes(&self) -> usize {
        self.overlay.dirty_bytes() + self.dedups.iter().flatten().map(Dedup::dirty_bytes).sum::<usize>()
    }

    /// What committed changes that are not yet written hold in memory.
    pub fn held_bytes(&self) -> usize {
        self.overlay.held_bytes() + self.dedups.iter().flatten().map(Dedup::held_bytes).sum::<usize>()
    }

    /// What recent entries hold in memory beside the transaction's changes.
    pub fn clean_cache_bytes(&self) -> usize {
        self.overlay.clean_bytes()
    }

    /// The transaction was aborted: its changes never were.
    pub fn discard(&mut self) {
        self.overlay.discard();
        self.dedups.iter_mut().flatten().for_each(Dedup::discard);
        self.expiry.iter_mut().for_each(ExpiryMark::discard);
    }

    /// Housekeeping, to be called now and then while the task is owned and its restore is complete: flushes what was applied
    /// after five minutes or 64 MiB, and renews the clock stamp, so that an idle state does not turn stale. It does not wait for
    /// the disk.
    ///
    /// A transaction may be running, but no record.
    pub fn maintain(&mut self, now_ms: i64) -> Result<(), StateError> {
        self.durable.check(self.backend.as_ref());
        let since_flush_ms = now_ms.saturating_sub(self.cadence.last_flush_ms);
        let has_unflushed = self.cadence.unflushed_bytes > 0;
        let is_flush_due =
            self.cadence.unflushed_bytes >= FLUSH_AFTER_BYTES || has_unflushed && since_flush_ms >= as_ms(FLUSH_AFTER);
        let is_stamp_due = since_flush_ms >= self.cadence.stamp_every_ms;
        if !is_flush_due && !is_stamp_due {
            return Ok(());
        }
        self.stamp(now_ms);
        self.flush_and(FlushWait::Background)?;
        self.cadence.last_flush_ms = now_ms;
        Ok(())
    }

    /// Makes everything that was applied durable.
    pub fn flush(&mut self) -> Result<(), StateError> {
        self.flush_and(FlushWait::UntilDurable)
    }

    /// Drops what was not applied and makes the rest durable. A state that is dropped instead is as after a crash: what was
    /// flushed is there.
    pub fn close(mut self) -> Result<(), StateError> {
        self.discard();
        self.flush()
    }

    /// Bytes of files on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.usage().disk_bytes
    }

    /// What the state uses of memory and disk, overlay and shared cache apart.
    pub fn usage(&self) -> Usage {
        self.backend.usage()
    }

    /// Reads everything on disk and checks its sums; slow, for an operator who doubts.
    pub fn verify(&self) -> Result<(), StateError> {
        self.backend.verify()
    }

    /// Rewrites everything on disk, so that what has expired or was deleted takes no space; slow, for an operator who needs room.
    pub fn compact(&self) {
        self.backend.compact();
    }

    fn stamp(&mut self, now_ms: i64) {
        self.stamp_ms = Some(now_ms);
        self.is_stamp_moved = true;
    }

    fn flush_and(&mut self, wait: FlushWait) -> Result<(), StateError> {
        self.write_back()?;
        self.backend.flush(wait)?;
        self.durable.flushed(wait, &self.positions);
        self.cadence.unflushed_bytes = 0;
        Ok(())
    }

    pub(crate) fn family(store: StoreId) -> Family {
        Family(store.0)
    }

    pub(crate) fn expiry_family(&self) -> Family {
        Family(self.specs.len() as u16)
    }

    fn metadata_family(&self) -> Family {
        Family(self.specs.len() as u16 + 1)
    }

    pub(crate) fn number(&self, store: StoreId) -> u16 {
        self.numbers[usize::from(store.0)]
    }

    pub(crate) fn name_of(&self, store: StoreId) -> &str {
        self.specs.get(usize::from(store.0)).map_or("?", |spec| &spec.name)
    }

    pub(crate) fn wrong_kind(&self, store: StoreId, wanted: &'static str) -> StateError {
        StateError::WrongKind { store: self.name_of(store).to_owned(), wanted }
    }

    /// The newest value: the transaction's, else the one on disk.
    pub(crate) fn read(&self, family: Family, key: &[u8]) -> Result<Option<ValueRef<'_>>, StateError> {
        match self.overlay.get(family, key) {
            Known::Value(value) => Ok(Some(ValueRef::slice(value))),
            Known::Deleted => Ok(None),
            Known::Nothing => self.backend.get(family, key),
        }
    }
}

fn as_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// An idle state is stamped often enough that it never gets near the age at which it is stale.
fn stamp_every_ms(max_age_ms: i64) -> i64 {
    (max_age_ms / 8).clamp(1, as_ms(IDLE_STAMP_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_can_move_to_another_thread() {
        fn assert_send<T: Send>() {}
        assert_send::<TaskState>();
    }

    #[test]
    fn an_idle_state_is_stamped_well_before_it_is_stale() {
        for (max_age_ms, every_ms) in [(86_400_000, 3_600_000), (8_000, 1_000), (0, 1)] {
            assert_eq!(stamp_every_ms(max_age_ms), every_ms);
        }
    }
}
