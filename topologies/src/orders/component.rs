//! What one row or payment line says to one order: its last state, or that it is gone.
//!
//! Updates of one component arrive in order, since each component lives in one partition; updates of different components arrive in any.

use serde::{Deserialize, Serialize};

use crate::cdc::rows::Amount;
use crate::cdc::{Change, ItemRow, OrderRow, RowState, Step};
use crate::payments::line::{Kind, LineKey, LineVersion};
use crate::stored::Stored;
use crate::verdict::Verdict;

/// The message that crosses the repartition topic; its record key is the order id's text.
///
/// ```
/// use shoppulse::orders::{Component, ComponentUpdate};
/// use shoppulse::stored::Stored;
///
/// let update = ComponentUpdate { order_id: "17".into(), changed_at: 5, component: Component::Item(3, None) };
/// let mut bytes = Vec::new();
/// update.encode(&mut bytes);
/// assert_eq!(ComponentUpdate::decode(&bytes), Ok(update));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentUpdate {
    /// The order, as text: payment exports may name orders that are no numbers.
    pub order_id: String,
    /// Event time of the change, in microseconds.
    pub changed_at: i64,
    /// What is new.
    pub component: Component,
}

/// A part of an order and its state; `None` if it is gone from this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Component {
    /// The order's row.
    Order(Option<OrderColumns>),
    /// An item, by its id.
    Item(i64, Option<ItemPrice>),
    /// A payment line.
    Line(LineKey, Option<LineAmounts>),
}

/// What a fact takes from the order's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderColumns {
    /// The shop.
    pub shop_id: String,
    /// Null for a guest.
    pub customer_id: Option<i64>,
    /// Null only where the log never said it.
    pub status: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// Decimal digits of the currency's minor unit; items are rounded by it.
    pub exponent: u8,
    /// Rounded.
    pub discount_minor: i64,
    /// Rounded.
    pub shipping_minor: i64,
    /// Rounded.
    pub tax_minor: i64,
    /// In microseconds.
    pub placed_at: i64,
}

/// What a fact takes from an item. The price stays exact: only the order knows its currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemPrice {
    /// How many.
    pub quantity: i64,
    /// Price of one.
    pub unit_price: Amount,
}

/// What a fact takes from a payment line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineAmounts {
    /// What for.
    pub kind: Kind,
    /// ISO 4217.
    pub currency: String,
    /// In minor units.
    pub gross_minor: i64,
    /// In minor units.
    pub fee_minor: i64,
    /// In microseconds.
    pub occurred_at: i64,
}

impl Stored for ComponentUpdate {
    const FORMAT: u8 = 1;
}

impl LineAmounts {
    /// The part of a line's version that its order adds up.
    #[must_use]
    pub fn of(version: &LineVersion) -> Self {
        let LineVersion { kind, currency, gross_minor, fee_minor, occurred_at, .. } = version;
        Self {
            kind: *kind,
            currency: currency.clone(),
            gross_minor: *gross_minor,
            fee_minor: *fee_minor,
            occurred_at: *occurred_at,
        }
    }
}

impl OrderColumns {
    /// The part of an order's row that its fact shows.
    #[must_use]
    pub fn of(row: &OrderRow) -> Self {
        let minor = |amount: &Amount| amount.in_minor(row.exponent).expect("a row whose amounts don't fit is dead-lettered");
        Self {
            shop_id: row.shop_id.clone(),
            customer_id: row.customer_id,
            status: row.status.as_text().map(str::to_owned),
            currency: row.currency.clone(),
            exponent: row.exponent,
            discount_minor: minor(&row.discount),
            shipping_minor: minor(&row.shipping),
            tax_minor: minor(&row.tax),
            placed_at: row.placed_at,
        }
    }
}

/// Takes a change of `orders` in, and tells the order of it if it counts.
pub fn apply_order(state: &mut RowState<OrderRow>, change: Change<OrderRow>) -> (Verdict, Vec<ComponentUpdate>) {
    let (id, changed_at) = (change.id, change.event_time());
    let (verdict, step) = state.apply(change);
    let update = |step: Step<OrderRow>| {
        let columns = step.after.as_ref().map(OrderColumns::of);
        ComponentUpdate { order_id: id.to_string(), changed_at, component: Component::Order(columns) }
    };
    (verdict, step.map(update).into_iter().collect())
}

/// Takes a change of `order_items` in, and tells the orders concerned if it counts: the one that loses the item, then the one that has it.
pub fn apply_item(state: &mut RowState<ItemRow>, change: Change<ItemRow>) -> (Verdict, Vec<ComponentUpdate>) {
    let (id, changed_at) = (change.id, change.event_time());
    let (verdict, step) = state.apply(change);
    let update = |order_id: i64, price| ComponentUpdate {
        order_id: order_id.to_string(),
        changed_at,
        component: Component::Item(id, price),
    };
    let mut updates = Vec::new();
    if let Some(Step { before, after }) = step {
        let has = after.as_ref().map(|row| row.order_id);
        updates.extend(before.map(|row| row.order_id).filter(|had| has != Some(*had)).map(|had| update(had, None)));
        updates.extend(
            after.map(|row| update(row.order_id, Some(ItemPrice { quantity: row.quantity, unit_price: row.unit_price }))),
        );
    }
    (verdict, updates)
}
