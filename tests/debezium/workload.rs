//! What a shop does to its tables: statements from a seed, the same every time. Not their outcome, which the database itself tells.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Longer than what PostgreSQL keeps in the row itself, and made so that it can't be pressed.
const LARGE_BYTES: std::ops::Range<usize> = 3_000..9_000;
const SHOPS: [&str; 3] = ["shop-a", "shop-b", "shop-c"];
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];

/// The shop, as far as it must be known to go on writing into it.
pub(crate) struct Workload {
    random: StdRng,
    customers: Vec<i64>,
    orders: Vec<i64>,
    items: Vec<i64>,
    last_id: i64,
    seconds: i64,
    /// Whether a customer's key may change: with the default identity its large values would be lost with it.
    pub(crate) has_full_identity: bool,
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { random, customers: vec![], orders: vec![], items: vec![], last_id: 0, seconds: 0, has_full_identity: true }
    }

    /// The largest id that was ever given.
    pub(crate) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// All items are gone.
    pub(crate) fn lose_items(&mut self) {
        self.items.clear();
    }

    /// So many transactions, each of one to five statements, with a pause after each.
    pub(crate) fn transactions(&mut self, count: usize, pause_ms: u32) -> String {
        let mut text = String::new();
        for _ in 0..count {
            let statements: Vec<String> = (0..self.random.random_range(1..=5)).map(|_| self.statement()).collect();
            writeln!(text, "begin;\n{}\ncommit;", statements.join("\n")).expect("text takes every write");
            if pause_ms > 0 {
                writeln!(text, "select pg_sleep({pause_ms}e-3);").expect("text takes every write");
            }
        }
        text
    }

    fn statement(&mut self) -> String {
        match self.random.random_range(0..100) {
            0..15 => self.insert_customer(),
            15..30 => self.insert_order(),
            30..45 => self.insert_item(),
            45..60 => self.update_customer(),
            60..75 => self.update_order(),
            75..85 => self.update_item(),
            85..92 => self.change_key(),
            _ => self.delete(),
        }
    }

    fn insert_customer(&mut self) -> String {
        let id = self.id();
        self.customers.push(id);
        let (shop, name, at) = (self.shop(), self.name(), self.now());
        let country = ["'DE'", "'F'", "''", "null"].choose(&mut self.random).expect("one of four");
        format!("insert into customers values ({id}, '{shop}', 'c{id}@example.org', {name}, null, {country}, false, {at}, {at});")
    }

    fn insert_order(&mut self) -> String {
        let id = self.id();
        self.orders.push(id);
        let (shop, at) = (self.shop(), self.now());
        let currency = CURRENCIES.choose(&mut self.random).expect("one of three");
        let customer = self.customers.choose(&mut self.random).map_or_else(|| "null".to_owned(), i64::to_string);
        let [discount, shipping, tax] = [2_000, 9_000, 20_000].map(|most| self.amount(0..most));
        let columns = format!("{id}, '{shop}', {customer}, 'new', '{currency}', {discount}, {shipping}, {tax}, {at}, {at}");
        format!("insert into orders values ({columns});")
    }

    fn insert_item(&mut self) -> String {
        let Some(&order) = self.orders.choose(&mut self.random) else { return self.insert_order() };
        let id = self.id();
        self.items.push(id);
        let (quantity, price, title) = (self.random.random_range(-1..9), self.amount(0..99_999), self.name());
        format!("insert into order_items values ({id}, {order}, 'sku-{}', {title}, {quantity}, {price});", id % 17)
    }

    fn update_customer(&mut self) -> String {
        let Some(&id) = self.customers.choose(&mut self.random) else { return self.insert_customer() };
        let at = self.now();
        let what = match self.random.random_range(0..5) {
            0 => format!("email = 'c{id}@{}.example.org'", self.seconds),
            1 => format!("name = {}", self.name()),
            2 => format!("shop_id = '{}'", self.shop()),
            3 => "marketing_opt_in = not marketing_opt_in".to_owned(),
            _ => format!("phone = '+49 {}'", self.seconds),
        };
        format!("update customers set {what}, updated_at = {at} where id = {id};")
    }

    fn update_order(&mut self) -> String {
        let Some(&id) = self.orders.choose(&mut self.random) else { return self.insert_order() };
        let at = self.now();
        let what = match self.random.random_range(0..4) {
            0 => format!("shop_id = '{}'", self.shop()),
            1 => format!("discount = {}, tax = {}", self.amount(0..3_000), self.amount(0..20_000)),
            2 => "customer_id = null".to_owned(),
            _ => format!("status = '{}'", ["paid", "packed", "sent"].choose(&mut self.random).expect("one of three")),
        };
        format!("update orders set {what}, updated_at = {at} where id = {id};")
    }

    fn update_item(&mut self) -> String {
        let Some((&id, &order)) = self.items.choose(&mut self.random).zip(self.orders.choose(&mut self.random)) else {
            return self.insert_item();
        };
        let what = match self.random.random_range(0..4) {
            0 => format!("order_id = {order}"),
            1 => format!("title = {}", self.name()),
            2 => format!("unit_price = {}", self.amount(0..99_999)),
            _ => format!("quantity = {}", self.random.random_range(0..20)),
        };
        format!("update order_items set {what} where id = {id};")
    }

    fn change_key(&mut self) -> String {
        let new = self.id();
        let table = if self.has_full_identity { self.random.random_range(0..3) } else { 1 };
        let (name, ids) = match table {
            0 => ("customers", &mut self.customers),
            1 => ("orders", &mut self.orders),
            _ => ("order_items", &mut self.items),
        };
        let Some(old) = ids.pop() else { return self.insert_customer() };
        ids.push(new);
        format!("update {name} set id = {new} where id = {old};")
    }

    fn delete(&mut self) -> String {
        let (name, ids) = match self.random.random_range(0..3) {
            0 => ("customers", &mut self.customers),
            1 => ("orders", &mut self.orders),
            _ => ("order_items", &mut self.items),
        };
        if ids.len() < 5 {
            return self.insert_customer();
        }
        let id = ids.swap_remove(self.random.random_range(0..ids.len()));
        format!("delete from {name} where id = {id};")
    }

    fn id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn shop(&mut self) -> &'static str {
        SHOPS.choose(&mut self.random).expect("one of three")
    }

    /// The shop's own clock, which says nothing of when a change is committed.
    fn now(&mut self) -> String {
        self.seconds += 1;
        format!("timestamptz '2026-01-01 00:00:00.123456+00' + interval '{} s'", self.seconds)
    }

    fn name(&mut self) -> String {
        if self.random.random_bool(0.8) {
            return format!("'Name {}'", self.random.random_range(0..1_000));
        }
        let length = self.random.random_range(LARGE_BYTES);
        let letters: String = (0..length).map(|_| self.random.random_range('a'..='z')).collect();
        format!("'{letters}'")
    }

    /// With three digits behind the point, many of them halves of a cent.
    fn amount(&mut self, thousandths: std::ops::Range<i64>) -> String {
        let thousandths = self.random.random_range(thousandths) / 5 * 5;
        format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
    }
}
