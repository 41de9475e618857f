//! The pure rules of customers, orders and payments against the oracle: on its own traffic, and on small worlds where everything collides.
//!
//! No engine takes part: records go straight to the state machines, partition by partition.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use shoppulse::cdc::{self, Change, CustomerRow, ItemRow, OrderRow, RowState};
use shoppulse::customers::{CustomerColumns, CustomerState, CustomerVersionColumns};
use shoppulse::orders::component::{apply_item, apply_order};
use shoppulse::orders::{ComponentUpdate, FactColumns, OrderState};
use shoppulse::payments::{self, LineKey, LineState};
use shoppulse::stored::Stored;
use shoppulse::verdict::Verdict;
use shoppulse_oracle::{InputRecord, Traffic, TrafficSettings, expect};

const CUSTOMERS: &str = "cdc.shop.public.customers";
const ORDERS: &str = "cdc.shop.public.orders";
const ITEMS: &str = "cdc.shop.public.order_items";
const PAYMENTS: &str = "raw.payments";

type Outcomes = BTreeMap<(String, i32, String, String), i64>;
type Tables = BTreeMap<String, BTreeMap<String, Value>>;

/// All state machines and what came out of them.
#[derive(Default)]
struct World {
    customers: BTreeMap<i64, CustomerState>,
    orders: BTreeMap<i64, RowState<OrderRow>>,
    items: BTreeMap<i64, RowState<ItemRow>>,
    lines: BTreeMap<LineKey, LineState>,
    facts: BTreeMap<String, OrderState>,
    outcomes: Outcomes,
}

impl World {
    fn take(&mut self, record: &InputRecord) {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let (verdict, updates) = match record.topic.as_str() {
            CUSTOMERS => (self.take_customer(key, value), vec![]),
            ORDERS => self.take_row(key, value, |world| &mut world.orders, apply_order),
            ITEMS => self.take_row(key, value, |world| &mut world.items, apply_item),
            PAYMENTS => self.take_line(key, value),
            _ => return,
        };
        for update in updates {
            let mut bytes = Vec::new();
            update.encode(&mut bytes);
            let update = ComponentUpdate::decode(&bytes).expect("what was just encoded");
            self.facts.entry(update.order_id.clone()).or_default().apply(update);
        }
        let (outcome, reason) = verdict.booking();
        for (outcome, reason) in [("in", ""), (outcome, reason)] {
            *self.outcomes.entry((record.topic.clone(), record.partition, outcome.into(), reason.into())).or_default() += 1;
        }
    }

    fn take_customer(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Verdict {
        match change_of::<CustomerRow>(key, value) {
            Ok(change) => self.customers.entry(change.id).or_default().apply(change).0,
            Err(verdict) => verdict,
        }
    }

    fn take_row<R: cdc::Row>(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        states: impl FnOnce(&mut Self) -> &mut BTreeMap<i64, RowState<R>>,
        apply: impl FnOnce(&mut RowState<R>, Change<R>) -> (Verdict, Vec<ComponentUpdate>),
    ) -> (Verdict, Vec<ComponentUpdate>) {
        match change_of::<R>(key, value) {
            Ok(change) => apply(states(self).entry(change.id).or_default(), change),
            Err(verdict) => (verdict, vec![]),
        }
    }

    fn take_line(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> (Verdict, Vec<ComponentUpdate>) {
        match payments::read(key, value) {
            Ok((key, version)) => self.lines.entry(key.clone()).or_default().apply(&key, version),
            Err(rejection) => (Verdict::Rejected(rejection), vec![]),
        }
    }

    fn tables(&self) -> Tables {
        let mut tables = Tables::new();
        let mut add = |topic: &str, key: Value, row: Value| {
            tables.entry(topic.into()).or_default().insert(key.to_string(), row);
        };
        for (id, state) in &self.customers {
            let (current, versions) = state.rows(*id);
            if let Some(row) = current {
                add("curated.customers", json!([row.shop_id, row.customer_id]), customer_json(&row));
            }
            for row in versions {
                add("curated.customer_history", json!([row.shop_id, row.customer_id, row.valid_from]), version_json(&row));
            }
        }
        for (order_id, state) in &self.facts {
            for fact in state.facts(order_id).into_values() {
                add("curated.order_facts", json!([fact.shop_id, fact.order_id]), fact_json(&fact));
            }
        }
        tables
    }
}

fn change_of<R: cdc::Row>(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Change<R>, Verdict> {
    cdc::read::<R>(key, value).map_err(Verdict::Rejected)?.into_change()
}

fn customer_json(row: &CustomerColumns) -> Value {
    json!({"shop_id": row.shop_id, "customer_id": row.customer_id, "email": row.email, "name": row.name, "phone": row.phone,
           "country": row.country, "marketing_opt_in": row.marketing_opt_in, "created_at": row.created_at,
           "source_updated_at": row.source_updated_at, "valid_from": row.valid_from, "is_deleted": row.is_deleted})
}

fn version_json(row: &CustomerVersionColumns) -> Value {
    json!({"shop_id": row.shop_id, "customer_id": row.customer_id, "email": row.email, "name": row.name, "phone": row.phone,
           "country": row.country, "marketing_opt_in": row.marketing_opt_in, "created_at": row.created_at,
           "source_updated_at": row.source_updated_at, "valid_from": row.valid_from, "valid_to": row.valid_to,
           "is_current": row.is_current, "is_deleted": row.is_deleted})
}

fn fact_json(fact: &FactColumns) -> Value {
    json!({"shop_id": fact.shop_id, "order_id": fact.order_id, "customer_id": fact.customer_id, "status": fact.status,
           "currency": fact.currency, "placed_at": fact.placed_at, "lines": fact.lines, "units": fact.units,
           "items_minor": fact.items_minor, "discount_minor": fact.discount_minor, "shipping_minor": fact.shipping_minor,
           "tax_minor": fact.tax_minor, "gross_minor": fact.gross_minor, "paid_minor": fact.paid_minor,
           "refunded_minor": fact.refunded_minor, "disputed_minor": fact.disputed_minor, "fees_minor": fact.fees_minor,
           "net_minor": fact.net_minor, "payment_state": fact.payment_state.as_str(), "payments": fact.payments,
           "first_paid_at": fact.first_paid_at, "last_payment_at": fact.last_payment_at, "has_order": fact.has_order,
           "is_deleted": fact.is_deleted})
}

/// Feeds the records to both, and expects the same rows and the same books.
fn agree(records: &[InputRecord], name: &str) {
    let mut world = World::default();
    for record in records {
        world.take(record);
    }
    let expected = expect(records);
    let mut outcomes = Outcomes::new();
    for ((_, _, topic, partition, outcome, reason), count) in &expected.quality {
        if [CUSTOMERS, ORDERS, ITEMS, PAYMENTS].contains(&topic.as_str()) {
            *outcomes.entry((topic.clone(), *partition, outcome.clone(), reason.clone())).or_default() += count;
        }
    }
    let differing: Vec<_> =
        world.outcomes.keys().chain(outcomes.keys()).filter(|key| world.outcomes.get(*key) != outcomes.get(*key)).collect();
    assert_eq!(differing, Vec::<&(String, i32, String, String)>::new(), "{name}: the books");
    let tables = world.tables();
    let mut by_partition: Vec<&InputRecord> = records.iter().collect();
    by_partition.sort_by(|left, right| (&right.topic, left.partition).cmp(&(&left.topic, right.partition)));
    let mut elsewhere = World::default();
    for record in by_partition {
        elsewhere.take(record);
    }
    assert!(elsewhere.tables() == tables, "{name}: one partition after the other, the last topic first");
    for topic in ["curated.customers", "curated.customer_history", "curated.order_facts"] {
        let theirs: BTreeMap<String, &Value> = expected.tables[topic].values().map(|row| (key_of(topic, row), row)).collect();
        let none = BTreeMap::new();
        let ours: BTreeMap<String, &Value> =
            tables.get(topic).unwrap_or(&none).iter().map(|(key, row)| (key.clone(), row)).collect();
        let keys = ours.keys().chain(theirs.keys()).filter(|key| ours.get(*key) != theirs.get(*key));
        let differing: Vec<_> = keys.map(|key| (ours.get(key), theirs.get(key))).collect();
        assert!(differing.is_empty(), "{name}: {topic}: {differing:#?}");
    }
}

fn key_of(topic: &str, row: &Value) -> String {
    match topic {
        "curated.order_facts" => json!([row["shop_id"], row["order_id"]]),
        "curated.customers" => json!([row["shop_id"], row["customer_id"]]),
        _ => json!([row["shop_id"], row["customer_id"], row["valid_from"]]),
    }
    .to_string()
}

#[test]
fn the_oracles_traffic_makes_the_same_rows_and_books() {
    for seed in 0..8 {
        let records: Vec<_> = Traffic::new(TrafficSettings::test(6_000, seed)).collect();
        agree(&records, &format!("seed {seed}"));
    }
}

/// Makes records of a few rows, orders and lines whose every field is drawn from a handful of values, some of them wrong.
struct Collisions {
    random: SmallRng,
}

impl Collisions {
    fn pick(&mut self, choices: &[Value]) -> Value {
        choices.choose(&mut self.random).expect("some choices").clone()
    }

    /// Usually one of the good values, rarely one of the bad.
    fn field(&mut self, good: &[Value], bad: &[Value]) -> Value {
        if self.random.random_ratio(1, 120) { self.pick(bad) } else { self.pick(good) }
    }

    fn time(&mut self) -> Value {
        let good: Vec<Value> = (0..6).map(|at| json!(format!("1970-01-01T00:00:00.{:03}Z", at * 3))).collect();
        self.field(&good, &[json!("infinity"), json!(9_223_372_036_825_200_000_i64), json!(5), Value::Null, json!("1970-01-01")])
    }

    fn amount(&mut self) -> Value {
        let good = [json!("0.000"), json!("1.005"), json!("-0.335"), json!("12.340"), json!("3")];
        self.field(&good, &[json!("NaN"), json!(1.5), Value::Null, json!("1e2")])
    }

    fn text(&mut self) -> Value {
        let marker = json!("__debezium_unavailable_value");
        self.field(&[json!("a"), json!("b"), json!("b"), json!(""), marker.clone(), marker], &[json!(1), json!({})])
    }

    fn nullable_text(&mut self) -> Value {
        if self.random.random_ratio(1, 6) { Value::Null } else { self.text() }
    }

    fn whole(&mut self, good: &[Value]) -> Value {
        self.field(good, &[json!("1"), json!(1.5), json!(true), Value::Null, json!(1e30)])
    }

    fn shop(&mut self) -> Value {
        self.field(&[json!("s1"), json!("s1"), json!("s2")], &[json!(1), Value::Null])
    }

    fn row(&mut self, topic: &str, id: i64) -> Value {
        let id = self.field(&[json!(id)], &[json!(id + 1), json!(id.to_string()), Value::Null]);
        match topic {
            CUSTOMERS => json!({"id": id, "shop_id": self.shop(), "email": self.nullable_text(), "name": self.nullable_text(),
                "phone": null, "country": self.field(&[json!("DE"), json!("  "), json!("D "), Value::Null], &[json!(3)]),
                "marketing_opt_in": self.field(&[json!(true), json!(false)], &[json!("t"), Value::Null]),
                "created_at": "2020-01-01T00:00:00Z", "updated_at": self.time()}),
            ORDERS => {
                json!({"id": id, "shop_id": self.shop(), "customer_id": self.field(&[json!(5), Value::Null], &[json!("5")]),
                "status": self.text(), "currency": self.field(&[json!("EUR"), json!("JPY"), json!("KWD")], &[json!("XXX"), json!("eur"), json!(1)]),
                "discount": self.amount(), "shipping": self.amount(), "tax": self.amount(), "placed_at": self.time(), "updated_at": self.time()})
            }
            _ => {
                json!({"id": id, "order_id": self.whole(&[json!(1), json!(2)]), "sku": self.text(), "title": self.nullable_text(),
                "quantity": self.whole(&[json!(1), json!(3), json!(-1)]), "unit_price": self.amount()})
            }
        }
    }

    fn change(&mut self, world: u64) -> InputRecord {
        let table = self.random.random_range(0..3_usize);
        let topic = [CUSTOMERS, ORDERS, ITEMS][table];
        let id = self.random.random_range(1..4_i64);
        let (op, source) = if self.random.random_ratio(1, 4) {
            let at: Vec<Value> = (0..12).map(Value::from).collect();
            (json!("r"), json!({"ts_ms": self.whole(&at), "snapshot": self.pick(&[json!("true"), json!(true)])}))
        } else {
            // What stands at a place in a row's log is always the same, however often it comes.
            let place = self.random.random_range(0..8_u64);
            self.random = SmallRng::seed_from_u64(world << 16 | place << 8 | (table as u64) << 4 | id as u64);
            let lsn = if self.random.random_ratio(1, 3) { place } else { 7 - place };
            let at: Vec<Value> = (0..12).map(Value::from).collect();
            let op = self.field(&["c", "u", "u", "u", "d"].map(Value::from), &["t", "m"].map(Value::from));
            (op, json!({"lsn": self.whole(&[json!(lsn * 100 + place)]), "ts_ms": self.whole(&at), "snapshot": "false"}))
        };
        let after = if op == "d" { Value::Null } else { self.row(topic, id) };
        let before = if self.random.random_ratio(1, 3) { self.row(topic, id) } else { Value::Null };
        let value = json!({"op": op, "before": before, "after": after, "source": source}).to_string();
        // A snapshot reads the table, where every value is.
        let value = if op == "r" { value.replace("__debezium_unavailable_value", "b") } else { value };
        let key = self.field(&[json!({"id": id})], &[json!({"id": "1"}), json!([]), json!({})]).to_string();
        let value = (!self.random.random_ratio(1, 20)).then(|| value.into_bytes());
        InputRecord {
            topic: topic.into(),
            partition: id as i32,
            key: Some(key.into_bytes()),
            value,
            headers: vec![],
            timestamp_ms: 0,
        }
    }

    fn line(&mut self) -> InputRecord {
        let [provider, line_id, shop] =
            [["stripe", "adyen"], ["a", "b"], ["s1", "s2"]].map(|pair| *pair.choose(&mut self.random).expect("two"));
        let kinds = ["charge", "charge", "refund", "dispute", "dispute_reversal", "fee", "payout", "adjustment", "other"]
            .map(Value::from);
        let amounts = [json!(0), json!(13), json!(-13), json!(1234)];
        let value = json!({
            "shop_id": self.field(&[json!(shop)], &[json!("s9"), Value::Null, json!("")]),
            "provider": self.field(&[json!(provider)], &[json!("paypal"), json!(1)]),
            "line_id": line_id,
            "order_id": self.field(&[json!("1"), json!("1"), json!("2"), Value::Null, json!("")], &[json!(1)]),
            "kind": self.field(&kinds, &[json!("x"), json!(2)]),
            "currency": self.field(&[json!("EUR"), json!("EUR"), json!("JPY")], &[json!("XXX"), json!("eur")]),
            "gross_minor": self.whole(&amounts), "fee_minor": self.whole(&amounts[..2]), "net_minor": self.whole(&amounts[..1]),
            "occurred_at": self.time(), "available_on": null, "file": self.pick(&[json!("x"), Value::Null]), "line_number": 3,
        });
        let key = format!("{shop}|{provider}:{line_id}");
        let value = Some(value.to_string().into_bytes());
        InputRecord { topic: PAYMENTS.into(), partition: 0, key: Some(key.into_bytes()), value, headers: vec![], timestamp_ms: 0 }
    }
}

#[test]
fn small_worlds_in_which_everything_collides_make_the_same_rows_and_books() {
    for seed in 0..1_500 {
        let mut random = SmallRng::seed_from_u64(seed);
        let length = random.random_range(5..80);
        let record = |_| {
            let mut collisions = Collisions { random: SmallRng::seed_from_u64(random.random()) };
            if random.random_ratio(1, 4) { collisions.line() } else { collisions.change(seed) }
        };
        let records: Vec<_> = (0..length).map(record).collect();
        agree(&records, &format!("seed {seed}"));
    }
}
