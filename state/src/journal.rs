//! The undo journal of one input record: what each touched slot of the overlay held before the record's first write to it.
//! It only remembers; the overlay puts things back.

use crate::limits::{SPARE_BUFFER_MAX_BYTES, SPARE_BYTES};

/// What a slot was before the record touched it.
#[derive(Debug)]
pub(crate) enum Before {
    /// There was no slot.
    Absent,
    /// The slot had what is on disk.
    Clean(Option<Vec<u8>>),
    /// The slot was committed but not yet on disk; it keeps that itself.
    Held,
    /// The slot had an earlier change of the same transaction.
    Dirty(Option<Vec<u8>>),
}

/// One step to take back.
#[derive(Debug)]
pub(crate) struct Undo {
    pub(crate) slot: u32,
    pub(crate) before: Before,
}

/// The steps of the open record, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    steps: Vec<Undo>,
    /// The number of the open record; a slot that carries it is already in the journal.
    record: u64,
    open: bool,
    spares: Vec<Vec<u8>>,
    spare_bytes: usize,
}

impl Journal {
    pub(crate) fn begin(&mut self) {
        assert!(!self.open, "a record is begun only after the one before it was accepted or rolled back");
        debug_assert!(self.steps.is_empty(), "an accepted or rolled back record leaves no steps");
        self.open = true;
        self.record += 1;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// The mark of the open record, if a step of a slot that carries `mark` still has to be remembered.
    pub(crate) fn must_remember(&self, mark: u64) -> Option<u64> {
        (self.open && mark != self.record).then_some(self.record)
    }

    pub(crate) fn remember(&mut self, undo: Undo) {
        debug_assert!(self.open, "only an open record has steps");
        self.steps.push(undo);
    }

    /// Forgets the steps and keeps their buffers.
    pub(crate) fn accept(&mut self) {
        self.open = false;
        while let Some(undo) = self.steps.pop() {
            if let Before::Clean(Some(value)) | Before::Dirty(Some(value)) = undo.before {
                self.recycle(value);
            }
        }
    }

    /// The steps to take back, newest first, one a call.
    pub(crate) fn take_back(&mut self) -> Option<Undo> {
        self.open = false;
        self.steps.pop()
    }

    /// An empty buffer, used before if possible.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        let buffer = self.spares.pop().unwrap_or_default();
        self.spare_bytes -= buffer.capacity();
        buffer
    }

    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if self.spare_bytes + bytes <= SPARE_BYTES && (1..=SPARE_BUFFER_MAX_BYTES).contains(&bytes) {
            buffer.clear();
            self.spare_bytes += bytes;
            self.spares.push(buffer);
        }
    }
}
