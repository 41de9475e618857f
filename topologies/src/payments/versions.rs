//! The versions of one payment line, and what each does to the orders.
//!
//! Exports overlap and are corrected: the same line comes again from other files, as it was or changed. How the contract is read here:
//!
//! * A version equal to any of the last eight **kept** ones, the current one among them, is a duplicate and changes nothing; it is not kept
//!   again and doesn't move. So a correction back to a value that is still remembered doesn't count.
//! * Any other version becomes the current one: `corrected` from the second on.
//! * A version without an order is kept like any other and takes the line away from the order that had it, but is booked as `no_order`.

use serde::{Deserialize, Serialize};

use crate::orders::component::{Component, ComponentUpdate, LineAmounts};
use crate::payments::line::{LineKey, LineVersion};
use crate::stored::Stored;
use crate::verdict::Verdict;

/// So many versions of a line are remembered.
pub const MAX_VERSIONS: usize = 8;

/// A line's last versions, the current one at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineState {
    versions: Vec<LineVersion>,
}

impl Stored for LineState {
    const FORMAT: u8 = 1;
}

impl LineState {
    /// The version that counts.
    pub fn current(&self) -> Option<&LineVersion> {
        self.versions.last()
    }

    /// Takes a version in, and tells the orders concerned: the one that loses the line, then the one that has it.
    ///
    /// ```
    /// use shoppulse::payments::{Kind, LineKey, LineState, LineVersion, Provider};
    /// use shoppulse::verdict::Verdict;
    ///
    /// let key = LineKey { shop_id: "s1".into(), provider: Provider::Stripe, line_id: "txn_1".into() };
    /// let charge = LineVersion {
    ///     order_id: Some("17".into()),
    ///     kind: Kind::Charge,
    ///     currency: "EUR".into(),
    ///     gross_minor: 1_000,
    ///     fee_minor: 30,
    ///     net_minor: 970,
    ///     occurred_at: 1,
    ///     available_on: None,
    /// };
    /// let mut state = LineState::default();
    /// assert_eq!(state.apply(&key, charge.clone()).0, Verdict::Processed);
    /// assert_eq!(state.apply(&key, charge.clone()).0, Verdict::DUPLICATE_LINE);
    /// let (verdict, updates) = state.apply(&key, LineVersion { order_id: Some("18".into()), ..charge });
    /// assert_eq!(verdict, Verdict::Corrected);
    /// let orders: Vec<_> = updates.iter().map(|update| update.order_id.as_str()).collect();
    /// assert_eq!(orders, ["17", "18"]);
    /// ```
    pub fn apply(&mut self, key: &LineKey, version: LineVersion) -> (Verdict, Vec<ComponentUpdate>) {
        if self.versions.contains(&version) {
            return (Verdict::DUPLICATE_LINE, Vec::new());
        }
        let had = self.current().and_then(|current| current.order_id.clone());
        let verdict = match &version.order_id {
            None => Verdict::NO_ORDER,
            Some(_) if self.versions.is_empty() => Verdict::Processed,
            Some(_) => Verdict::Corrected,
        };
        let changed_at = version.occurred_at;
        let update = |order_id: String, amounts| ComponentUpdate {
            order_id,
            changed_at,
            component: Component::Line(key.clone(), amounts),
        };
        let mut updates = Vec::new();
        if let Some(had) = had.filter(|had| version.order_id.as_ref() != Some(had)) {
            updates.push(update(had, None));
        }
        if let Some(has) = &version.order_id {
            updates.push(update(has.clone(), Some(LineAmounts::of(&version))));
        }
        if self.versions.len() == MAX_VERSIONS {
            self.versions.remove(0);
        }
        self.versions.push(version);
        (verdict, updates)
    }
}

#[cfg(test)]
mod tests;
