//! Orders, items and payment lines → `curated.order_facts` (rules 38–41).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::books::Books;
use crate::expected::Expected;
use crate::input::{InputRecord, partitions_of};
use crate::money;
use crate::orders::live_rows;
use crate::payments::{self, Line, Lines};
use crate::tables::{Cell, ORDER_ITEMS, ORDERS, Row};

const TOPOLOGY: &str = "orders";
const TABLE: &str = "curated.order_facts";

/// Books all that concerns orders and adds their facts.
pub(crate) fn run(records: &[InputRecord], books: &mut Books, expected: &mut Expected) {
    let orders = live_rows(records, &ORDERS, TOPOLOGY, books);
    let mut items: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
    for item in live_rows(records, &ORDER_ITEMS, TOPOLOGY, books).into_values() {
        items.entry(item.number("order_id").unwrap_or_default()).or_default().push(item);
    }
    let mut lines = Lines::default();
    for placed in partitions_of(records, payments::TOPIC).into_values().flatten() {
        let verdict = lines.arrive(&placed);
        books.book(TOPOLOGY, &placed, verdict);
    }
    let mut lines = lines.by_order();
    for (id, order) in &orders {
        let shop_id = order.text("shop_id").unwrap_or_default();
        let key = (shop_id.to_owned(), id.to_string());
        let paid = lines.remove(&key).unwrap_or_default();
        let goods = Goods::of(order, items.get(id).map_or(&[], Vec::as_slice));
        expected.add_row(TABLE, row(&key, Some(order), &goods, &paid));
    }
    for (key, paid) in lines {
        expected.add_row(TABLE, row(&key, None, &Goods::default(), &paid));
    }
}

/// What was ordered, in minor units. Sums are wider than the 64 bits of what is summed.
#[derive(Default)]
struct Goods {
    lines: usize,
    units: i128,
    items: i128,
    discount: i128,
    shipping: i128,
    tax: i128,
}

impl Goods {
    fn of(order: &Row, items: &[Row]) -> Self {
        let decimals = order.text("currency").and_then(money::exponent).unwrap_or(2);
        Self {
            lines: items.len(),
            units: items.iter().filter_map(|item| item.number("quantity")).map(i128::from).sum(),
            items: items.iter().map(|item| i128::from(item_minor(item, decimals))).sum(),
            discount: order.minor("discount", decimals).into(),
            shipping: order.minor("shipping", decimals).into(),
            tax: order.minor("tax", decimals).into(),
        }
    }

    fn gross(&self) -> i128 {
        self.items - self.discount + self.shipping + self.tax
    }
}

/// A sum as the column of 64 bits that it ends in.
fn long(sum: i128) -> i64 {
    sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Quantity times price, rounded once.
fn item_minor(item: &Row, decimals: u32) -> i64 {
    match (item.number("quantity"), item.cell("unit_price")) {
        (Some(quantity), Cell::Decimal(price)) => {
            price.times(quantity).and_then(|total| total.minor(decimals)).unwrap_or_default()
        }
        _ => 0,
    }
}

/// What the payment lines in the fact's currency sum up to.
#[derive(Default)]
struct Payments {
    paid: i128,
    refunded: i128,
    disputed: i128,
    fees: i128,
    other_currency: bool,
}

impl Payments {
    fn of(lines: &[Line], currency: Option<&str>) -> Self {
        let mut sums = Self::default();
        for line in lines {
            if currency != Some(line.currency.as_str()) {
                sums.other_currency = true;
                continue;
            }
            let gross = i128::from(line.gross_minor);
            sums.fees += i128::from(line.fee_minor);
            match line.kind.as_str() {
                "charge" => sums.paid += gross,
                "refund" => sums.refunded -= gross,
                "dispute" | "dispute_reversal" => sums.disputed -= gross,
                "fee" => sums.fees -= gross,
                _ => {}
            }
        }
        sums
    }

    fn net(&self) -> i128 {
        self.paid - self.refunded - self.disputed - self.fees
    }

    /// Rule 41: the first state that holds.
    fn state(&self, has_order: bool, goods: &Goods) -> &'static str {
        let gross = goods.gross();
        match self {
            _ if self.other_currency => "currency_mismatch",
            _ if self.disputed > 0 => "disputed",
            _ if self.refunded > 0 && self.refunded >= self.paid => "refunded",
            _ if !has_order => {
                if self.paid > 0 {
                    "paid"
                } else {
                    "unpaid"
                }
            }
            _ if self.paid <= 0 => {
                if goods.lines > 0 && gross <= 0 {
                    "paid"
                } else {
                    "unpaid"
                }
            }
            _ if self.paid < gross => "partial",
            _ if self.paid == gross => "paid",
            _ => "overpaid",
        }
    }
}

fn row((shop_id, order_id): &(String, String), order: Option<&Row>, goods: &Goods, lines: &[Line]) -> Value {
    let first = lines.iter().min_by_key(|line| (line.occurred_at, &line.provider, &line.id));
    let currency = match order {
        Some(order) => order.text("currency"),
        None => first.map(|line| line.currency.as_str()),
    };
    let sums = Payments::of(lines, currency);
    let charges = lines.iter().filter(|line| line.kind == "charge");
    json!({
        "shop_id": shop_id,
        "order_id": order_id,
        "customer_id": order.and_then(|order| order.number("customer_id")).map(|id| id.to_string()),
        "status": order.and_then(|order| order.text("status")),
        "currency": currency,
        "placed_at": order.and_then(|order| order.time("placed_at")),
        "lines": goods.lines,
        "units": long(goods.units),
        "items_minor": long(goods.items),
        "discount_minor": long(goods.discount),
        "shipping_minor": long(goods.shipping),
        "tax_minor": long(goods.tax),
        "gross_minor": long(goods.gross()),
        "paid_minor": long(sums.paid),
        "refunded_minor": long(sums.refunded),
        "disputed_minor": long(sums.disputed),
        "fees_minor": long(sums.fees),
        "net_minor": long(sums.net()),
        "payment_state": sums.state(order.is_some(), goods),
        "payments": lines.len(),
        "first_paid_at": charges.map(|line| line.occurred_at).min(),
        "last_payment_at": lines.iter().map(|line| line.occurred_at).max(),
        "has_order": order.is_some(),
        "is_deleted": false,
    })
}
