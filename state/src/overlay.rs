//! The changes of the running transaction, and what the last ones left behind: one table of recent entries over all families of a task.
//!
//! A slot is *dirty* (changed in this transaction, not yet on disk) or *clean* (equal to what is on disk, kept because it was written lately). A commit turns dirty
//! slots clean, so a hot key is read from disk once. Clean slots are bounded in bytes and leave by second chance; dirty ones are bounded by the caller, who commits.
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
    Dirty,
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    /// The record that last put this slot in the journal.
    mark: u64,
    key: Box<[u8]>,
    /// `None` is a delete, which only a dirty slot can be.
    value: Option<Vec<u8>>,
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

/// The dirty keys of one family in order; kept only from the family's first scan on.
type DirtyOrder = RefCell<Option<BTreeMap<Box<[u8]>, u32>>>;

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

/// Dirty and clean entries of all families.
#[derive(Debug)]
pub(crate) struct Overlay {
    slots: Vec<Slot>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: FixedState,
    /// In the order in which the slots became dirty, which lets a rollback pop.
    dirty: Vec<u32>,
    orders: Vec<DirtyOrder>,
    journal: Journal,
    dirty_bytes: usize,
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
            orders: (0..families).map(|_| RefCell::new(None)).collect(),
            journal: Journal::default(),
            dirty_bytes: 0,
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

    pub(crate) fn clean_bytes(&self) -> usize {
        self.clean_bytes
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The changes of the transaction in order of family and key.
    pub(crate) fn sorted_changes(&self) -> Vec<Write<'_>> {
        let mut changes: Vec<Write<'_>> = self
            .dirty
            .iter()
            .map(|&index| {
                let slot = &self.slots[index as usize];
                Write { family: slot.family, key: &slot.key, value: slot.value.as_deref() }
            })
            .collect();
        changes.sort_unstable_by(|a, b| (a.family, a.key).cmp(&(b.family, b.key)));
        changes
    }

    /// Calls with the changes of one family within a range, in key order, through an iterator.
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
        while let Some(Undo { slot, before }) = self.journal.take_back() {
            self.dirty_bytes -= self.slots[slot as usize].bytes();
            match before {
                Before::Absent => {
                    self.pop_dirty(slot);
                    self.release(slot);
                }
                Before::Clean(value) => {
                    self.pop_dirty(slot);
                    let restored = &mut self.slots[slot as usize];
                    restored.value = value;
                    restored.state = SlotState::Clean;
                    self.clean_bytes += restored.bytes();
                }
                Before::Dirty(value) => {
                    let restored = &mut self.slots[slot as usize];
                    restored.value = value;
                    self.dirty_bytes += restored.bytes();
                }
            }
        }
    }

    /// The transaction is on disk: what was dirty is clean now.
    pub(crate) fn settle(&mut self) {
        debug_assert!(!self.journal.is_open(), "a transaction ends between records");
        for index in mem::take(&mut self.dirty) {
            let slot = &mut self.slots[index as usize];
            slot.state = SlotState::Clean;
            if slot.value.is_some() && self.clean_limit_bytes > 0 {
                self.clean_bytes += slot.bytes();
            } else {
                self.release(index);
            }
        }
        self.forget_dirty();
        self.evict();
    }

    /// The transaction is void: what was dirty is gone.
    pub(crate) fn discard(&mut self) {
        self.journal.accept();
        for index in mem::take(&mut self.dirty) {
            self.release(index);
        }
        self.forget_dirty();
    }

    /// Drops the clean slots, since the disk is about to change under them.
    pub(crate) fn forget_clean(&mut self) {
        for index in 0..self.slots.len() {
            if self.slots[index].state == SlotState::Clean {
                self.release(index as u32);
            }
        }
        self.clean_bytes = 0;
    }

    fn forget_dirty(&mut self) {
        self.dirty_bytes = 0;
        for order in &mut self.orders {
            if let Some(order) = order.get_mut() {
                order.clear();
            }
        }
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
        let was_clean = slot.state == SlotState::Clean;
        let bytes_before = slot.bytes();
        if let Some(mark) = self.journal.must_remember(slot.mark) {
            slot.mark = mark;
            let previous = slot.value.take();
            let before = if was_clean { Before::Clean(previous) } else { Before::Dirty(previous) };
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
        let bytes = slot.bytes();
        if was_clean {
            self.clean_bytes -= bytes_before;
            self.push_dirty(index);
        } else {
            self.dirty_bytes -= bytes_before;
        }
        self.dirty_bytes += bytes;
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
            family,
            state: SlotState::Dirty,
            referenced: Cell::new(true),
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
        self.push_dirty(index);
        if mark.is_some() {
            self.journal.remember(Undo { slot: index, before: Before::Absent });
        }
    }

    fn push_dirty(&mut self, index: u32) {
        self.dirty.push(index);
        let slot = &self.slots[index as usize];
        if let Some(order) = self.orders[usize::from(slot.family.0)].get_mut() {
            order.insert(slot.key.clone(), index);
        }
    }

    /// A record's steps are taken back newest first, so what became dirty in it leaves from the end.
    fn pop_dirty(&mut self, index: u32) {
        let popped = self.dirty.pop();
        assert_eq!(popped, Some(index), "slots become clean again in the reverse order of becoming dirty");
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
        self.dirty.iter().filter(of_family).map(|&index| (self.slots[index as usize].key.clone(), index)).collect()
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

#[cfg(test)]
#[path = "overlay/tests.rs"]
mod tests;
