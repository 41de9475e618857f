//! Where each partition of a consuming client stands, by what was handed to the caller.
//!
//! The client's own positions are not to be trusted: its batch call moves them behind the *event* at the end of a partition, so
//! that what a rebalance or a pause resumes from skips the next record. Ours decide what is handed out, and are sought again.

use crate::kafka::Slot;

/// The next offset of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Position {
    /// Not assigned: what still comes is dropped.
    #[default]
    Gone,
    /// Assigned from a place that only the broker knows; nothing has come yet.
    Unknown,
    /// The next offset that the caller has not seen.
    Next(i64),
}

/// Positions by slot.
#[derive(Debug, Default)]
pub(super) struct Positions(Vec<Position>);

impl Positions {
    fn of(&mut self, slot: Slot) -> &mut Position {
        let index = slot.0 as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, Position::Gone);
        }
        &mut self.0[index]
    }

    /// Reads from `offset` on; a negative one is a place that only the broker knows.
    pub(super) fn start(&mut self, slot: Slot, offset: i64) {
        *self.of(slot) = if offset < 0 { Position::Unknown } else { Position::Next(offset) };
    }

    pub(super) fn stop(&mut self, slot: Slot) {
        *self.of(slot) = Position::Gone;
    }

    pub(super) fn stop_all(&mut self) {
        self.0.fill(Position::Gone);
    }

    /// Whether the record at `offset` is the caller's next; if so, the position moves behind it.
    pub(super) fn pass(&mut self, slot: Slot, offset: i64) -> bool {
        self.reach(slot, offset, offset + 1)
    }

    /// Whether the end at `offset` is news; if so, the position moves there.
    pub(super) fn pass_end(&mut self, slot: Slot, offset: i64) -> bool {
        self.reach(slot, offset, offset)
    }

    fn reach(&mut self, slot: Slot, offset: i64, next: i64) -> bool {
        let position = self.of(slot);
        let is_news = match *position {
            Position::Gone => false,
            Position::Unknown => true,
            Position::Next(expected) => offset >= expected,
        };
        if is_news {
            *position = Position::Next(next);
        }
        is_news
    }

    /// Whether no partition is read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|position| *position == Position::Gone)
    }

    /// The partitions that are read, and the next offset of each where it is known.
    pub(super) fn known(&self) -> impl Iterator<Item = (Slot, i64)> {
        (0..).zip(&self.0).filter_map(|(slot, position)| match position {
            Position::Next(next) => Some((Slot(slot), *next)),
            Position::Gone | Position::Unknown => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;
    use crate::kafka::Slot;

    #[test]
    fn each_record_passes_once_and_only_while_its_partition_is_read() {
        let (mut positions, slot) = (Positions::default(), Slot(3));
        assert!(positions.is_empty());
        assert!(!positions.pass(slot, 0), "not assigned");
        positions.start(slot, -2);
        assert!(positions.known().next().is_none() && !positions.is_empty(), "nothing has come");
        assert!(positions.pass(slot, 10), "wherever it begins");
        for (offset, passes) in [(10, false), (9, false), (12, true), (11, false)] {
            assert_eq!(positions.pass(slot, offset), passes, "{offset}");
        }
        assert!(!positions.pass_end(slot, 12), "an end before what came");
        assert!(positions.pass_end(slot, 14), "markers lie between");
        assert_eq!(positions.known().collect::<Vec<_>>(), [(slot, 14)]);
        assert!(positions.pass(slot, 14), "the end is no record");
        positions.start(slot, 5);
        assert!(positions.pass(slot, 5), "sought back");
        positions.stop(slot);
        assert!(!positions.pass(slot, 6) && positions.is_empty());
    }
}
