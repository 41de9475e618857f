//! What `Emit::Commit` holds back: which places of a store the transaction has changed, and what each held before.
//!
//! A place is bytes that its owner understands. The set only remembers: whether something is emitted for a place is found by
//! comparing what it held with what it holds at the commit, so a record that was taken back leaves no trace.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::record::Timestamp;

/// Places that the running transaction has changed, in the order in which they first were.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    table: HashTable<u32>,
    hasher: FixedState,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    place: Range<usize>,
    before: Option<Range<usize>>,
    /// The event time of its last deletion.
    deleted_at: Option<Timestamp>,
    is_taken: bool,
}

/// What a place held when the transaction began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held<'a>(pub(crate) Option<&'a [u8]>);

impl Pending {
    /// A place, given in two pieces, changes; what it held counts only the first time, when it was deleted only the last.
    pub(crate) fn touch(&mut self, place: [&[u8]; 2], before: Option<[&[u8]; 2]>, deleted_at: Option<Timestamp>) {
        let hash = self.hash(place);
        if let Some(index) = self.find(hash, place) {
            let entry = &mut self.entries[index as usize];
            entry.deleted_at = deleted_at.or(entry.deleted_at);
            return;
        }
        let place = self.keep(place);
        let before = before.map(|before| self.keep(before));
        self.entries.push(Entry { hash, place, before, deleted_at, is_taken: false });
        let entries = &self.entries;
        self.table.insert_unique(hash, (entries.len() - 1) as u32, |&other| entries[other as usize].hash);
    }

    /// Takes a place out ahead of the commit, if it has changed, and gives what it held.
    pub(crate) fn take(&mut self, place: [&[u8]; 2]) -> Option<Held<'_>> {
        let hash = self.hash(place);
        let index = self.find(hash, place)?;
        if let Ok(found) = self.table.find_entry(hash, |&other| other == index) {
            found.remove();
        }
        let entry = &mut self.entries[index as usize];
        entry.is_taken = true;
        Some(Held(entry.before.clone().map(|before| &self.bytes[before])))
    }

    /// Calls with each place, what it held and when it was deleted, in order. The places stay until [`clear`](Self::clear).
    pub(crate) fn each<E>(
        &self,
        mut call: impl FnMut(&[u8], Option<&[u8]>, Option<Timestamp>) -> Result<(), E>,
    ) -> Result<(), E> {
        for entry in self.entries.iter().filter(|entry| !entry.is_taken) {
            let before = entry.before.clone().map(|before| &self.bytes[before]);
            call(&self.bytes[entry.place.clone()], before, entry.deleted_at)?;
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.table.clear();
    }

    fn keep(&mut self, pieces: [&[u8]; 2]) -> Range<usize> {
        let start = self.bytes.len();
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        start..self.bytes.len()
    }

    fn hash(&self, [head, tail]: [&[u8]; 2]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(head);
        hasher.write(tail);
        hasher.finish()
    }

    fn find(&self, hash: u64, [head, tail]: [&[u8]; 2]) -> Option<u32> {
        let is_it = |&index: &u32| {
            let entry = &self.entries[index as usize];
            let place = &self.bytes[entry.place.clone()];
            entry.hash == hash && place.len() == head.len() + tail.len() && place.starts_with(head) && place.ends_with(tail)
        };
        self.table.find(hash, is_it).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pending: &Pending) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut all = Vec::new();
        let listed: Result<(), ()> = pending.each(|place, before, _| {
            all.push((place.to_vec(), before.map(<[u8]>::to_vec)));
            Ok(())
        });
        listed.unwrap();
        all
    }

    #[test]
    fn the_first_touch_says_what_was_there() {
        let mut pending = Pending::default();
        pending.touch([b"b", b"1"], Some([b"o", b"ld"]), None);
        pending.touch([b"a", b""], None, None);
        pending.touch([b"b", b"1"], Some([b"newer", b""]), None);
        assert_eq!(all(&pending), [(b"b1".to_vec(), Some(b"old".to_vec())), (b"a".to_vec(), None)]);
    }

    #[test]
    fn what_is_taken_is_taken_once() {
        let mut pending = Pending::default();
        pending.touch([b"a", b""], Some([b"old", b""]), None);
        assert_eq!(pending.take([b"a", b""]), Some(Held(Some(&b"old"[..]))));
        assert_eq!(pending.take([b"a", b""]), None);
        assert_eq!(pending.take([b"b", b""]), None);
        assert!(all(&pending).is_empty());
        pending.clear();
        assert!(pending.is_empty());
    }
}
