//! Adds up items and payment lines.
//!
//! Sums run in 128 bits, which no number of 64-bit parts overflows, and are cut to 64 at the end: a sum beyond that stays at the end of the
//! range. Such an order is nonsense, but a fact that says so beats a pipeline that stops.

use crate::orders::component::{ItemPrice, LineAmounts};
use crate::payments::line::Kind;

/// What the payment lines of one order and shop amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Payments {
    pub(super) lines: i64,
    pub(super) paid: i128,
    pub(super) refunded: i128,
    pub(super) disputed: i128,
    pub(super) fees: i128,
    /// Some line is in another currency; it is in no sum.
    pub(super) mismatch: bool,
    pub(super) first_paid_at: Option<i64>,
    pub(super) last_payment_at: Option<i64>,
}

impl Payments {
    /// The amounts of lines in that currency, and the times of all.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a LineAmounts>, currency: &str) -> Self {
        lines.fold(Self::default(), |sums, line| sums.add(line, currency))
    }

    fn add(mut self, line: &LineAmounts, currency: &str) -> Self {
        self.lines += 1;
        self.last_payment_at = self.last_payment_at.max(Some(line.occurred_at));
        if line.kind == Kind::Charge {
            self.first_paid_at = Some(self.first_paid_at.map_or(line.occurred_at, |first| first.min(line.occurred_at)));
        }
        if line.currency != currency {
            self.mismatch = true;
            return self;
        }
        let gross = i128::from(line.gross_minor);
        self.fees += i128::from(line.fee_minor);
        match line.kind {
            Kind::Charge => self.paid += gross,
            Kind::Refund => self.refunded -= gross,
            Kind::Dispute | Kind::DisputeReversal => self.disputed -= gross,
            Kind::Fee => self.fees -= gross,
            Kind::Payout | Kind::Adjustment | Kind::Other => {}
        }
        self
    }

    pub(super) fn net(&self) -> i128 {
        self.paid - self.refunded - self.disputed - self.fees
    }
}

/// What an order's items amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Items {
    pub(super) lines: i64,
    pub(super) units: i128,
    pub(super) minor: i128,
}

impl Items {
    /// The items, each rounded by the currency's digits.
    pub(super) fn of<'a>(items: impl Iterator<Item = &'a ItemPrice>, exponent: u8) -> Self {
        items.fold(Self::default(), |sums, item| Self {
            lines: sums.lines + 1,
            units: sums.units + i128::from(item.quantity),
            minor: sums.minor + i128::from(item.unit_price.times_in_minor(item.quantity, exponent)),
        })
    }
}

/// The nearest 64-bit number.
pub(super) fn cut(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}
