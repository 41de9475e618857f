//! What is known of one order id, and the facts that follow.
//!
//! The state is the set of the components' last states, so the facts don't depend on the order in which topics are read. How the contract is
//! read here:
//!
//! * One order id may have several facts: one for the shop of its row, and one for every other shop whose payment lines name it. Lines of
//!   another shop never enter the order's own sums.
//! * Items belong to the order's row. Without it they are kept and show nowhere.
//! * `updated_at` is the latest event time of any change that touched the fact: of its row (also where it left for another shop or was
//!   deleted), of its shop's lines (also of those that moved away), and while the row is live of its items. These times are remembered after
//!   their component is gone, so the column never falls back, and they are maxima, so the order of arrival doesn't matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::orders::component::{Component, ComponentUpdate, ItemPrice, LineAmounts, OrderColumns};
use crate::orders::sums::{Items, Payments, cut};
use crate::payments::line::LineKey;
use crate::stored::Stored;

/// The components of one order id.
///
/// ```
/// use shoppulse::orders::component::LineAmounts;
/// use shoppulse::orders::{Component, ComponentUpdate, OrderState};
/// use shoppulse::payments::{Kind, LineKey, Provider};
///
/// let line = LineKey { shop_id: "s1".into(), provider: Provider::Stripe, line_id: "txn_1".into() };
/// let amounts = LineAmounts { kind: Kind::Charge, currency: "EUR".into(), gross_minor: 1_000, fee_minor: 30, occurred_at: 5 };
/// let mut state = OrderState::default();
/// state.apply(ComponentUpdate { order_id: "17".into(), changed_at: 5, component: Component::Line(line, Some(amounts)) });
/// let fact = &state.facts("17")["s1"];
/// assert_eq!((fact.has_order, fact.paid_minor, fact.net_minor, fact.payment_state.as_str()), (false, 1_000, 970, "paid"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrderState {
    order: Option<OrderColumns>,
    items: BTreeMap<i64, ItemPrice>,
    lines: BTreeMap<LineKey, LineAmounts>,
    /// Latest change of the row or a line, by shop.
    shops_changed_at: BTreeMap<String, i64>,
    /// Latest change of an item.
    items_changed_at: Option<i64>,
}

/// A row of `curated.order_facts`, in its columns' order; without `row_version` and `processed_at`, which are the engine's to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactColumns {
    /// Key.
    pub shop_id: String,
    /// Key.
    pub order_id: String,
    /// In decimal.
    pub customer_id: Option<String>,
    /// The shop's own word.
    pub status: Option<String>,
    /// The order's; without order that of the first line.
    pub currency: Option<String>,
    /// In microseconds.
    pub placed_at: Option<i64>,
    /// Count of items.
    pub lines: i64,
    /// Sum of quantities.
    pub units: i64,
    /// Sum of the items' prices.
    pub items_minor: i64,
    /// The order's.
    pub discount_minor: i64,
    /// The order's.
    pub shipping_minor: i64,
    /// The order's.
    pub tax_minor: i64,
    /// items − discount + shipping + tax.
    pub gross_minor: i64,
    /// Sum of charges.
    pub paid_minor: i64,
    /// Sum of refunds, positive.
    pub refunded_minor: i64,
    /// Sum of disputes less their reversals, positive.
    pub disputed_minor: i64,
    /// What providers kept.
    pub fees_minor: i64,
    /// paid − refunded − disputed − fees.
    pub net_minor: i64,
    /// How payments stand against gross.
    pub payment_state: PaymentState,
    /// Count of payment lines.
    pub payments: i64,
    /// Earliest charge, in microseconds.
    pub first_paid_at: Option<i64>,
    /// Latest line, in microseconds.
    pub last_payment_at: Option<i64>,
    /// Whether the order's row is known and live.
    pub has_order: bool,
    /// Whether the fact is gone.
    pub is_deleted: bool,
    /// Event time of the latest change, in microseconds.
    pub updated_at: i64,
}

/// How payments stand against an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// Nothing was paid.
    Unpaid,
    /// Less than due.
    Partial,
    /// What is due.
    Paid,
    /// More than due.
    Overpaid,
    /// All that was paid went back.
    Refunded,
    /// A bank has taken money back.
    Disputed,
    /// Some line is in another currency.
    CurrencyMismatch,
}

impl PaymentState {
    /// The column's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Partial => "partial",
            Self::Paid => "paid",
            Self::Overpaid => "overpaid",
            Self::Refunded => "refunded",
            Self::Disputed => "disputed",
            Self::CurrencyMismatch => "currency_mismatch",
        }
    }

    /// The first that holds; `due` is the gross and the number of items of a live order.
    fn of(payments: &Payments, due: Option<(i128, i64)>) -> Self {
        let paid = payments.paid;
        if payments.mismatch {
            Self::CurrencyMismatch
        } else if payments.disputed > 0 {
            Self::Disputed
        } else if payments.refunded > 0 && payments.refunded >= paid {
            Self::Refunded
        } else {
            match due {
                None if paid > 0 => Self::Paid,
                None => Self::Unpaid,
                Some((gross, items)) if paid <= 0 && items > 0 && gross <= 0 => Self::Paid,
                Some(_) if paid <= 0 => Self::Unpaid,
                Some((gross, _)) if paid < gross => Self::Partial,
                Some((gross, _)) if paid == gross => Self::Paid,
                Some(_) => Self::Overpaid,
            }
        }
    }
}

impl Stored for OrderState {
    const FORMAT: u8 = 1;
}

impl OrderState {
    /// Takes a component's new state in.
    pub fn apply(&mut self, update: ComponentUpdate) {
        let at = update.changed_at;
        match update.component {
            Component::Order(columns) => {
                for shop_id in [&self.order, &columns].into_iter().flatten().map(|order| order.shop_id.as_str()) {
                    touch(&mut self.shops_changed_at, shop_id, at);
                }
                self.order = columns;
            }
            Component::Item(id, price) => {
                self.items_changed_at = self.items_changed_at.max(Some(at));
                replace(&mut self.items, id, price);
            }
            Component::Line(key, amounts) => {
                touch(&mut self.shops_changed_at, &key.shop_id, at);
                replace(&mut self.lines, key, amounts);
            }
        }
    }

    /// The facts by shop: that of the order's row, and those of shops that only have payment lines.
    pub fn facts(&self, order_id: &str) -> BTreeMap<String, FactColumns> {
        let shops = self.order.iter().map(|order| &order.shop_id).chain(self.lines.keys().map(|line| &line.shop_id));
        let mut facts = BTreeMap::new();
        for shop_id in shops {
            if !facts.contains_key(shop_id) {
                facts.insert(shop_id.clone(), self.fact(shop_id, order_id));
            }
        }
        facts
    }

    /// What must be written so that the facts before become those of now: what goes, then what comes, each by shop.
    pub fn differences(&self, before: &BTreeMap<String, FactColumns>, order_id: &str) -> Vec<FactColumns> {
        let after = self.facts(order_id);
        let gone = before.values().filter(|old| !after.contains_key(&old.shop_id));
        let gone: Vec<_> =
            gone.map(|old| FactColumns { is_deleted: true, updated_at: self.updated_at(&old.shop_id), ..old.clone() }).collect();
        let fresh = after.into_values().filter(|new| before.get(&new.shop_id) != Some(new));
        gone.into_iter().chain(fresh).collect()
    }

    fn fact(&self, shop_id: &str, order_id: &str) -> FactColumns {
        let order = self.order_of(shop_id);
        let lines = || self.lines.iter().filter(|(key, _)| key.shop_id == shop_id);
        // Ties of one instant fall to the smaller provider and line id, which is the map's order.
        let first_line = lines().min_by_key(|(_, line)| line.occurred_at).map(|(_, line)| line.currency.as_str());
        let currency = order.map(|order| order.currency.as_str()).or(first_line);
        let payments = Payments::of(lines().map(|(_, line)| line), currency.unwrap_or_default());
        let items = order.map_or_else(Items::default, |order| Items::of(self.items.values(), order.exponent));
        let [discount, shipping, tax] =
            order.map_or([0; 3], |order| [order.discount_minor, order.shipping_minor, order.tax_minor]);
        let gross = items.minor - i128::from(discount) + i128::from(shipping) + i128::from(tax);
        FactColumns {
            shop_id: shop_id.to_owned(),
            order_id: order_id.to_owned(),
            customer_id: order.and_then(|order| order.customer_id).map(|id| id.to_string()),
            status: order.and_then(|order| order.status.clone()),
            currency: currency.map(str::to_owned),
            placed_at: order.map(|order| order.placed_at),
            lines: items.lines,
            units: cut(items.units),
            items_minor: cut(items.minor),
            discount_minor: discount,
            shipping_minor: shipping,
            tax_minor: tax,
            gross_minor: cut(gross),
            paid_minor: cut(payments.paid),
            refunded_minor: cut(payments.refunded),
            disputed_minor: cut(payments.disputed),
            fees_minor: cut(payments.fees),
            net_minor: cut(payments.net()),
            payment_state: PaymentState::of(&payments, order.map(|_| (gross, items.lines))),
            payments: payments.lines,
            first_paid_at: payments.first_paid_at,
            last_payment_at: payments.last_payment_at,
            has_order: order.is_some(),
            is_deleted: false,
            updated_at: self.updated_at(shop_id),
        }
    }

    fn order_of(&self, shop_id: &str) -> Option<&OrderColumns> {
        self.order.as_ref().filter(|order| order.shop_id == shop_id)
    }

    fn updated_at(&self, shop_id: &str) -> i64 {
        let shop = self.shops_changed_at.get(shop_id).copied().expect("whatever makes a fact leaves its time");
        let items = self.items_changed_at.filter(|_| self.order_of(shop_id).is_some());
        items.map_or(shop, |items| items.max(shop))
    }
}

fn touch(times: &mut BTreeMap<String, i64>, shop_id: &str, at: i64) {
    match times.get_mut(shop_id) {
        Some(latest) => *latest = at.max(*latest),
        None => {
            times.insert(shop_id.to_owned(), at);
        }
    }
}

fn replace<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

#[cfg(test)]
mod tests;
