//! What became of the lines of a file, counted. Not of the orders: that is in `ops.quality`.

use std::collections::BTreeMap;

use crate::payments::Kind;
use crate::rejection::Reason;

/// Lines by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that are sound, by kind.
    pub lines: BTreeMap<Kind, u64>,
    /// Of those, how many name an order.
    pub with_order: u64,
    /// Lines that are not, by reason.
    pub dead_letters: BTreeMap<Reason, u64>,
}

impl Tally {
    /// How many lines are sound.
    pub fn sound(&self) -> u64 {
        self.lines.values().sum()
    }

    /// How many are not.
    pub fn rejected(&self) -> u64 {
        self.dead_letters.values().sum()
    }

    /// Both.
    pub fn total(&self) -> u64 {
        self.sound() + self.rejected()
    }

    pub(super) fn line(&mut self, kind: Kind, has_order: bool) {
        *self.lines.entry(kind).or_default() += 1;
        self.with_order += u64::from(has_order);
    }

    pub(super) fn dead_letter(&mut self, reason: Reason) {
        *self.dead_letters.entry(reason).or_default() += 1;
    }
}
