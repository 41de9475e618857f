//! What the task knows beyond its disk: the running transaction, committed changes that wait to be written, and recent entries.
//! One table over all families of a task.
//!
//! A slot is *dirty* (changed in this transaction), *held* (committed, but not yet on disk) or *clean* (equal to what is on disk,
//! kept because it was written lately). A commit turns dirty slots into held ones; a write-back, every so many bytes, turns those
//! clean. So a hot key is written once for many transactions, and read from disk once. Nothing is lost by waiting: what RocksDB
//! takes without a write-ahead log is not safer than what lies here. Clean slots are bounded in bytes and leave by second chance;
//! held ones are bounded by the write-back, dirty ones by the caller, who commits.
//!
//! Not here: what keys and values mean, and the disk.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::mem;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::backend::{Family, KeyRange, Write};
use crate::journal::{Before, Journal, Undo};
use crate::limits::SLOT_OVERHEAD_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotState {
    Free,
    Clean,
    Held,
    Dirty,
}

/// What a dirty slot goes back to when the transaction is aborted.
#[derive(Debug)]
enum Base {
    /// What is on disk; the slot goes.
    OnDisk,
    /// A committed change that is not yet on disk.
    Held(Option<Vec<u8>>),
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    /// The record that last put this slot in the journal.
    mark: u64,
    key: Box<[u8]>,
    /// `None` is a delete, which a clean slot can't be.
    value: Option<Vec<u8>>,
    base: Base,
    /// What the slot counts among the held ones; zero says that it is not listed there.
    held_bytes: usize,
    family: Family,
    state: SlotState,
    /// Read or written since the clock hand came by.
    referenced: Cell<bool>,
}

impl Slot {
    fn bytes(&self) -> usize {
        SLOT_OVERHEAD_BYTES + self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// The keys of one family that are dirty or held, in order; kept only from the family's first scan on.
type Order = RefCell<Option<BTreeMap<Box<[u8]>, u32>>>;

/// What the overlay knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<'a> {
    /// The newest value.
    Value(&'a [u8]),
    /// The transaction has deleted the key.
    Deleted,
    /// The disk has the newest value, if there is one.
    Nothing,
}

/// Dirty, held and clean entries of all families.
#[derive(Debug)]
pub(crate) struct Overlay {
    slots: Vec<Slot>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: FixedState,
    /// In the order in which the slots became dirty, which lets a rollback pop.
    dirty: Vec<u32>,
    /// Held slots, also those that the transaction has changed again.
    held: Vec<u32>,
    orders: Vec<Order>,
    journal: Journal,
    dirty_bytes: usize,
    held_bytes: usize,
    clean_bytes: usize,
    clean_limit_bytes: usize,
    hand: usize,
}

impl Overlay {
    pub(crate) fn new(families: usize, clean_limit_bytes: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            hasher: FixedState::default(),
            dirty: Vec::new(),
            held: Vec::new(),
            orders: (0..families).map(|_| RefCell::new(None)).collect(),
            journal: Journal::default(),
            dirty_bytes: 0,
            held_bytes: 0,
            clean_bytes: 0,
            clean_limit_bytes,
            hand: 0,
        }
    }

    /// What is known of a key without asking the disk.
    pub(crate) fn get(&self, family: Family, key: &[u8]) -> Known<'_> {
        let Some(index) = self.find(self.hash(family, key), family, key) else {
            return Known::Nothing;
        };
        let slot = &self.slots[index as usize];
        slot.referenced.set(true);
        slot.value.as_deref().map_or(Known::Deleted, Known::Value)
    }

    /// Changes a key; a change to what the slot already holds is none.
    pub(crate) fn put(&mut self, family: Family, key: &[u8], value: Option<&[u8]>) {
        let hash = self.hash(family, key);
        match self.find(hash, family, key) {
            Some(index) => self.replace(index, value),
            None => self.insert(hash, family, key, value),
        }
    }

    pub(crate) fn dirty_bytes(&self) -> usize {
        self.dirty_bytes
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(crate) fn clean_bytes(&self) -> usize {
        self.clean_bytes
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The changes of the transaction in order of family and key.
    pub(crate) fn sorted_changes(&self) -> Vec<Write<'_>> {
        let change = |&index: &u32| {
            let slot = &self.slots[index as usize];
            Write { family: slot.family, key: &slot.key, value: slot.value.as_deref() }
        };
        sorted(self.dirty.iter().map(change))
    }

    /// The committed changes that are not yet on disk, in order of family and key.
    pub(crate) fn sorted_held(&self) -> Vec<Write<'_>> {
        let change = |&index: &u32| {
            let slot = &self.slots[index as usize];
            let value = match &slot.base {
                Base::Held(value) => value,
                Base::OnDisk => &slot.value,
            };
            Write { family: slot.family, key: &slot.key, value: value.as_deref() }
        };
        sorted(self.held.iter().map(change))
    }

    /// Calls with what differs from the disk in one family within a range, in key order, through an iterator.
    pub(crate) fn with_changes_in<R>(
        &self,
        family: Family,
        range: KeyRange<'_>,
        then: impl FnOnce(&mut dyn Iterator<Item = (&[u8], Option<&[u8]>)>) -> R,
    ) -> R {
        let order = &self.orders[usize::from(family.0)];
        if order.borrow().is_none() {
            *order.borrow_mut() = Some(self.order_of(family));
        }
        let order = order.borrow();
        let order = order.as_ref().expect("the order was made above");
        let mut changes =
            order.range::<[u8], _>(range).map(|(key, &index)| (&**key, self.slots[index as usize].value.as_deref()));
        then(&mut changes)
    }

    pub(crate) fn begin_record(&mut self) {
        self.journal.begin();
    }

    pub(crate) fn accept_record(&mut self) {
        self.journal.accept();
    }

    pub(crate) fn is_record_open(&self) -> bool {
        self.journal.is_open()
    }

    /// Puts every slot back to what it was when the record began.
    pub(crate) fn rollback_record(&mut self) {
        while let Some(Undo { slot: index, before }) = self.journal.take_back() {
            self.dirty_bytes -= self.slots[index as usize].bytes();
            if !matches!(before, Before::Dirty(_)) {
                self.pop_dirty(index);
            }
            let slot = &mut self.slots[index as usize];
            match before {
                Before::Absent => {
                    self.unorder(index);
                    self.release(index);
                }
                Before::Clean(value) => {
                    slot.value = value;
                    slot.state = SlotState::Clean;
                    self.clean_bytes += slot.bytes();
                    self.unorder(index);
                }
                Before::Held => self.restore_held(index),
                Before::Dirty(value) => {
                    slot.value = value;
                    self.dirty_bytes += slot.bytes();
                }
            }
        }
    }

    /// The transaction is committed: what was dirty is held.
    pub(crate) fn settle(&mut self) {
        debug_assert!(!self.journal.is_open(), "a transaction ends between records");
        for index in mem::take(&mut self.dirty) {
            let slot = &mut self.slots[index as usize];
            slot.state = SlotState::Held;
            if let Base::Held(Some(buffer)) = mem::replace(&mut slot.base, Base::OnDisk) {
                self.journal.recycle(buffer);
            }
            if slot.held_bytes == 0 {
                self.held.push(index);
            }
            let bytes = slot.bytes();
            self.held_bytes = self.held_bytes - mem::replace(&mut slot.held_bytes, bytes) + bytes;
        }
        self.dirty_bytes = 0;
    }

    /// What was held is on disk: it is clean now.
    pub(crate) fn written(&mut self) {
        debug_assert!(!self.journal.is_open(), "held changes are written between records");
        for index in mem::take(&mut self.held) {
            let slot = &mut self.slots[index as usize];
            slot.held_bytes = 0;
            if slot.state == SlotState::Dirty {
                slot.base = Base::OnDisk;
                continue;
            }
            slot.state = SlotState::Clean;
            let is_kept = slot.value.is_some() && self.clean_limit_bytes > 0;
            let bytes = slot.bytes();
            self.unorder(index);
            if is_kept {
                self.clean_bytes += bytes;
            } else {
                self.release(index);
            }
        }
        self.held_bytes = 0;
        self.evict();
    }

    /// The transaction is void: what was dirty is as it was before.
    pub(crate) fn discard(&mut self) {
        self.journal.accept();
        for index in mem::take(&mut self.dirty) {
            if matches!(self.slots[index as usize].base, Base::Held(_)) {
                self.restore_held(index);
            } else {
                self.unorder(index);
                self.release(index);
            }
        }
        self.dirty_bytes = 0;
    }

    /// Drops the clean slots, since the disk is about to change under them.
    pub(crate) fn forget_clean(&mut self) {
        debug_assert!(self.held.is_empty() && self.dirty.is_empty(), "only the disk knows anything that counts");
        for index in 0..self.slots.len() {
            if self.slots[index].state == SlotState::Clean {
                self.release(index as u32);
            }
        }
        self.clean_bytes = 0;
    }

    fn hash(&self, family: Family, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u16(family.0);
        hasher.write(key);
        hasher.finish()
    }

    fn find(&self, hash: u64, family: Family, key: &[u8]) -> Option<u32> {
        let is_it = |&index: &u32| {
            let slot = &self.slots[index as usize];
            slot.hash == hash && slot.family == family && *slot.key == *key
        };
        self.table.find(hash, is_it).copied()
    }

    fn replace(&mut self, index: u32, value: Option<&[u8]>) {
        let slot = &mut self.slots[index as usize];
        slot.referenced.set(true);
        if slot.value.as_deref() == value {
            return;
        }
        let before = slot.state;
        let bytes_before = slot.bytes();
        let mark = self.journal.must_remember(slot.mark);
        slot.mark = mark.unwrap_or(slot.mark);
        if before == SlotState::Held {
            slot.base = Base::Held(slot.value.take());
        }
        if mark.is_some() {
            let before = match before {
                SlotState::Held => Before::Held,
                SlotState::Clean => Before::Clean(slot.value.take()),
                _ => Before::Dirty(slot.value.take()),
            };
            self.journal.remember(Undo { slot: index, before });
        }
        match (value, &mut slot.value) {
            (Some(value), Some(buffer)) => {
                buffer.clear();
                buffer.extend_from_slice(value);
            }
            (Some(value), empty) => {
                let mut buffer = self.journal.buffer();
                buffer.extend_from_slice(value);
                *empty = Some(buffer);
            }
            (None, held) => {
                if let Some(buffer) = held.take() {
                    self.journal.recycle(buffer);
                }
            }
        }
        slot.state = SlotState::Dirty;
        self.dirty_bytes += slot.bytes();
        match before {
            SlotState::Clean => {
                self.clean_bytes -= bytes_before;
                self.dirty.push(index);
                self.order(index);
            }
            SlotState::Held => self.dirty.push(index),
            SlotState::Dirty | SlotState::Free => self.dirty_bytes -= bytes_before,
        }
    }

    fn insert(&mut self, hash: u64, family: Family, key: &[u8], value: Option<&[u8]>) {
        let value = value.map(|value| {
            let mut buffer = self.journal.buffer();
            buffer.extend_from_slice(value);
            buffer
        });
        let mark = self.journal.must_remember(0);
        let slot = Slot {
            hash,
            mark: mark.unwrap_or(0),
            key: key.into(),
            value,
            base: Base::OnDisk,
            held_bytes: 0,
            family,
            state: SlotState::Dirty,
            // A key that is met once gets no second chance.
            referenced: Cell::new(false),
        };
        self.dirty_bytes += slot.bytes();
        let index = if let Some(index) = self.free.pop() {
            self.slots[index as usize] = slot;
            index
        } else {
            self.slots.push(slot);
            (self.slots.len() - 1) as u32
        };
        let slots = &self.slots;
        self.table.insert_unique(hash, index, |&other| slots[other as usize].hash);
        self.dirty.push(index);
        self.order(index);
        if mark.is_some() {
            self.journal.remember(Undo { slot: index, before: Before::Absent });
        }
    }

    /// A record's steps are taken back newest first, so what became dirty in it leaves from the end.
    fn pop_dirty(&mut self, index: u32) {
        let popped = self.dirty.pop();
        assert_eq!(popped, Some(index), "slots stop being dirty in the reverse order of becoming it");
    }

    fn restore_held(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let base = mem::replace(&mut slot.base, Base::OnDisk);
        let Base::Held(value) = base else { unreachable!("a slot that was held keeps what it held") };
        if let Some(buffer) = mem::replace(&mut slot.value, value) {
            self.journal.recycle(buffer);
        }
        slot.state = SlotState::Held;
    }

    /// The slot differs from the disk from now on.
    fn order(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if let Some(order) = self.orders[usize::from(slot.family.0)].get_mut() {
            order.insert(slot.key.clone(), index);
        }
    }

    /// The slot says what the disk says, or is about to go.
    fn unorder(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        if let Some(order) = self.orders[usize::from(slot.family.0)].get_mut() {
            order.remove(&slot.key);
        }
    }

    /// Takes a slot out of the table; the byte counts are the caller's.
    fn release(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.state = SlotState::Free;
        slot.mark = 0;
        slot.base = Base::OnDisk;
        slot.key = Box::default();
        if let Some(buffer) = slot.value.take() {
            self.journal.recycle(buffer);
        }
        if let Ok(entry) = self.table.find_entry(slot.hash, |&other| other == index) {
            entry.remove();
        }
        self.free.push(index);
    }

    fn order_of(&self, family: Family) -> BTreeMap<Box<[u8]>, u32> {
        let of_family = |&&index: &&u32| self.slots[index as usize].family == family;
        self.dirty
            .iter()
            .chain(&self.held)
            .filter(of_family)
            .map(|&index| (self.slots[index as usize].key.clone(), index))
            .collect()
    }

    /// Second chance: the hand spares what was used since it last came by.
    fn evict(&mut self) {
        while self.clean_bytes > self.clean_limit_bytes {
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            let slot = &self.slots[self.hand];
            if slot.state == SlotState::Clean && !slot.referenced.replace(false) {
                self.clean_bytes -= slot.bytes();
                self.release(self.hand as u32);
            }
        }
    }
}

fn sorted<'a>(changes: impl Iterator<Item = Write<'a>>) -> Vec<Write<'a>> {
    let mut changes: Vec<Write<'_>> = changes.collect();
    changes.sort_unstable_by(|a, b| (a.family, a.key).cmp(&(b.family, b.key)));
    changes
}

#[cfg(test)]
#[path = "overlay/tests.rs"]
mod tests;
