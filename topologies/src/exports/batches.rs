//! Adyen's own check of a settlement batch: what its lines sum up to is what it pays out. It spans a whole file, so it is taken anew when a
//! load goes on in the middle.

use std::collections::BTreeMap;
use std::fmt;

use crate::money::Currency;

/// So many batches of one file are remembered at most.
const BATCHES_MAX: usize = 10_000;

/// A batch: one merchant account's, one currency's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchKey {
    merchant: String,
    number: String,
    currency: Option<String>,
    exponent: u8,
}

/// What a line does to its batch, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Movement {
    /// A line's net credit less its net debit.
    Line(i128),
    /// What a payout takes out.
    Payout(i128),
    /// A line whose amounts can't be read.
    Unreadable,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    lines: i128,
    payouts: Option<i128>,
    unreadable: u64,
}

/// The batches of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Batches(BTreeMap<BatchKey, Sums>);

/// A batch whose lines are not what it pays out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    key: BatchKey,
    lines: i128,
    payouts: i128,
    unreadable: u64,
}

impl BatchKey {
    pub(super) fn new(merchant: &str, number: &str, currency: Option<Currency>) -> Self {
        Self {
            merchant: merchant.to_owned(),
            number: number.to_owned(),
            currency: currency.map(|currency| currency.as_str().to_owned()),
            exponent: currency.map_or(0, Currency::exponent),
        }
    }
}

impl Batches {
    pub(super) fn book(&mut self, key: BatchKey, movement: Movement) {
        let sums = self.0.entry(key).or_default();
        match movement {
            // Sums of 64-bit numbers: no file is long enough to leave 128 bits.
            Movement::Line(net) => sums.lines += net,
            Movement::Payout(paid) => *sums.payouts.get_or_insert(0) += paid,
            Movement::Unreadable => sums.unreadable += 1,
        }
    }

    pub(super) fn is_over_limit(&self) -> bool {
        self.0.len() > BATCHES_MAX
    }

    /// The batches that do not add up. One without a payout is not closed, and can't be checked.
    pub(super) fn mismatches(&self) -> Vec<Mismatch> {
        let closed = self.0.iter().filter_map(|(key, sums)| Some((key, sums, sums.payouts?)));
        let wrong = closed.filter(|(_, sums, payouts)| sums.lines != *payouts);
        wrong
            .map(|(key, sums, payouts)| Mismatch {
                key: key.clone(),
                lines: sums.lines,
                payouts,
                unreadable: self.unreadable(key),
            })
            .collect()
    }

    /// Lines of the batch that can't be read, whatever currency they are in.
    fn unreadable(&self, key: &BatchKey) -> u64 {
        let same = self.0.iter().filter(|(other, _)| (&other.merchant, &other.number) == (&key.merchant, &key.number));
        same.map(|(_, sums)| sums.unreadable).sum()
    }

    /// How many batches add up, and how many have no payout.
    pub(super) fn checked(&self) -> (usize, usize) {
        let closed = self.0.values().filter(|sums| sums.payouts.is_some_and(|payouts| payouts == sums.lines)).count();
        let open = self.0.values().filter(|sums| sums.payouts.is_none()).count();
        (closed, open)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, lines, payouts, unreadable } = self;
        let currency = key.currency.as_deref().unwrap_or("no currency");
        let [lines, payouts, gap] = [*lines, *payouts, lines - payouts].map(|minor| major(minor, key.exponent));
        write!(
            f,
            "batch {} of {}: its lines sum up to {lines} {currency}, and it pays out {payouts}: {gap} too much",
            key.number, key.merchant
        )?;
        if *unreadable > 0 {
            write!(f, " ({unreadable} of its lines can't be read)")?;
        }
        Ok(())
    }
}

/// Minor units as decimal text.
fn major(minor: i128, exponent: u8) -> String {
    let unit = 10_u128.pow(u32::from(exponent));
    let (sign, minor) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    if exponent == 0 {
        return format!("{sign}{minor}");
    }
    format!("{sign}{}.{:0width$}", minor / unit, minor % unit, width = usize::from(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: &str) -> BatchKey {
        BatchKey::new("ShopCOM", number, Currency::parse("EUR"))
    }

    #[test]
    fn a_batch_adds_up_if_its_lines_are_what_it_pays_out() {
        let mut batches = Batches::default();
        for (number, movement) in [
            ("1", Movement::Line(1_000)),
            ("1", Movement::Line(-250)),
            ("1", Movement::Payout(750)),
            ("2", Movement::Line(500)),
            ("2", Movement::Unreadable),
            ("2", Movement::Payout(505)),
            ("3", Movement::Line(7)),
            ("4", Movement::Payout(0)),
        ] {
            batches.book(key(number), movement);
        }
        assert_eq!(batches.checked(), (2, 1));
        let told: Vec<String> = batches.mismatches().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "batch 2 of ShopCOM: its lines sum up to 5.00 EUR, and it pays out 5.05: -0.05 too much (1 of its lines can't be read)"
            ]
        );
    }

    #[test]
    fn minor_units_are_shown_as_major_ones() {
        for (minor, exponent, text) in [(0, 2, "0.00"), (-5, 2, "-0.05"), (12_345, 3, "12.345"), (-700, 0, "-700")] {
            assert_eq!(major(minor, exponent), text);
        }
    }
}
