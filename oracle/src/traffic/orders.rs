//! The lives of orders: items come, change, move and go; payments come before, after, in part, or for no order at all.

use super::disturb::disturb;
use super::lines::{self, Due};
use super::members::{Members, quoted};
use super::script::{ORDER_ITEMS, ORDERS, Script};
use super::stage::Stage;
use crate::time::{MILLI_MICROS, format};

const MINUTE_MS: i64 = 60_000;
/// Currencies with the number of their decimals.
const CURRENCIES: [(&str, u32); 6] = [("EUR", 2), ("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)];

/// Begins an order's life.
pub(super) fn begin(stage: &mut Stage, begin_ms: i64) {
    let id = stage.next_id();
    let (currency, decimals) = CURRENCIES[stage.random.below(CURRENCIES.len() as u64) as usize];
    let shop = stage.shop(id);
    let due = Due { shop: shop.clone(), order_id: id.to_string(), currency, gross_minor: 0, at_ms: begin_ms };
    if stage.random.chance(100) {
        // The order is another system's: only its payments are seen.
        let order_id = if stage.random.chance(500) { format!("POS-{id}") } else { due.order_id.clone() };
        return lines::pay(stage, &Due { order_id, gross_minor: 4_990, ..due });
    }
    let charges = charges(stage);
    let (mut items, items_minor) = items(stage, id, begin_ms, decimals);
    let gross_minor = items_minor + charges.gross_minor(decimals);
    let columns = columns(stage, &shop, currency, &charges, begin_ms);
    let mut order = Script::new(stage, ORDERS, id, &columns);
    order.insert(stage, begin_ms);
    let mut ts_ms = begin_ms;
    for status in ["paid", "packed", "shipped"].into_iter().take(stage.random.below(4) as usize) {
        ts_ms += stage.random.between(MINUTE_MS, 100 * MINUTE_MS);
        order.update(stage, ts_ms, "status", &quoted(status));
    }
    match stage.random.below(30) {
        0..3 => order.delete(stage, ts_ms + MINUTE_MS),
        3 => {
            let other = stage.shop(id + 1);
            order.update(stage, ts_ms + MINUTE_MS, "shop_id", &quoted(&other));
        }
        _ => {}
    }
    for item in &mut items {
        live(stage, item, begin_ms);
    }
    for mut script in items.into_iter().chain([order]) {
        disturb(stage, &mut script);
        script.send(stage);
    }
    if !stage.random.chance(150) {
        lines::pay(stage, &Due { gross_minor, ..due });
    }
}

/// What is charged beside the items, in thousandths.
struct Charges {
    discount: i64,
    shipping: i64,
    tax: i64,
}

impl Charges {
    fn gross_minor(&self, decimals: u32) -> i64 {
        rounded(self.shipping, decimals) + rounded(self.tax, decimals) - rounded(self.discount, decimals)
    }
}

fn charges(stage: &mut Stage) -> Charges {
    let mut some = |permille: u32, greatest: i64| {
        if stage.random.chance(permille) { stage.random.between(0, greatest) } else { 0 }
    };
    Charges { discount: some(300, 5_000), shipping: some(600, 9_990), tax: some(800, 20_000) }
}

fn columns(stage: &mut Stage, shop: &str, currency: &str, charges: &Charges, begin_ms: i64) -> Members {
    let mut columns = Members::new();
    columns.set("id", "0").set_text("shop_id", shop);
    let customer = stage.random.below(9_000);
    columns.set("customer_id", if customer < 900 { "null".to_owned() } else { customer.to_string() });
    columns.set_text("status", "new").set_text("currency", currency);
    columns.set_text("discount", &thousandths(charges.discount)).set_text("shipping", &thousandths(charges.shipping));
    columns.set_text("tax", &thousandths(charges.tax));
    columns.set_text("placed_at", &format(begin_ms * MILLI_MICROS - 12_345, 6)).set("updated_at", "null");
    columns
}

/// The items that are inserted with the order, and what they come to.
fn items(stage: &mut Stage, order_id: u64, begin_ms: i64, decimals: u32) -> (Vec<Script>, i64) {
    let mut total = 0;
    let mut scripts = vec![];
    for _ in 0..stage.random.below(4) {
        let id = stage.next_id();
        let (quantity, price) = (stage.random.between(1, 5), stage.random.between(0, 80_000));
        total += rounded(quantity * price, decimals);
        let mut columns = Members::new();
        columns.set_plain("id", id).set_plain("order_id", order_id).set_text("sku", &format!("sku-{}", id % 400));
        columns.set("title", stage.random.pick(&["null", "\"Running shoe\"", "\"靴 \\ud83d\\udc5f\""]));
        columns.set_plain("quantity", quantity).set_text("unit_price", &thousandths(price));
        let mut script = Script::new(stage, ORDER_ITEMS, id, &columns);
        script.insert(stage, begin_ms);
        scripts.push(script);
    }
    (scripts, total)
}

/// Some items change, move to another order, or go.
fn live(stage: &mut Stage, item: &mut Script, begin_ms: i64) {
    let ts_ms = begin_ms + stage.random.between(MINUTE_MS, 60 * MINUTE_MS);
    match stage.random.below(14) {
        0 => item.update(stage, ts_ms, "quantity", "2"),
        1 => {
            let other = item.id.saturating_sub(stage.random.below(40)).max(1);
            item.update(stage, ts_ms, "order_id", &other.to_string());
        }
        2 => item.delete(stage, ts_ms),
        3 => {
            item.update(stage, ts_ms, "unit_price", "\"3.335\"");
            item.hide("title");
        }
        _ => {}
    }
}

fn thousandths(amount: i64) -> String {
    format!("{}.{:03}", amount / 1_000, amount % 1_000)
}

/// Thousandths in minor units; amounts are positive here.
fn rounded(thousandths: i64, decimals: u32) -> i64 {
    (thousandths * 10_i64.pow(decimals) + 500) / 1_000
}
