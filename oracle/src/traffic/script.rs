//! The life of one row in the shop's database, as Debezium tells it: envelopes, keys, tombstones. Which changes happen is
//! decided in `orders` and `customers`; in which disorder they come, in `disturb`.

use super::members::Members;
use super::stage::{Draft, Stage};
use crate::time::{MILLI_MICROS, format};

/// How long a change is on its way from the commit to Kafka.
const ON_THE_WAY_MS: i64 = 300;
/// The microseconds by which a row's `updated_at` is before its commit.
const BEFORE_COMMIT_MICROS: i64 = 2_345;

/// What Debezium puts where a value did not change and was not logged.
pub(super) const UNAVAILABLE: &str = "\"__debezium_unavailable_value\"";

/// The changes of one row in the order in which they are to be sent.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) table: Table,
    pub(super) id: u64,
    /// The row as it is now in the database.
    pub(super) row: Members,
    pub(super) changes: Vec<Planned>,
    /// REPLICA IDENTITY FULL: old rows are logged as a whole.
    full_identity: bool,
}

/// A table by its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) topic: &'static str,
    name: &'static str,
    /// Whether rows carry the time of their last update.
    is_stamped: bool,
}

pub(super) const CUSTOMERS: Table = Table { topic: "cdc.shop.public.customers", name: "customers", is_stamped: true };
pub(super) const ORDERS: Table = Table { topic: "cdc.shop.public.orders", name: "orders", is_stamped: true };
pub(super) const ORDER_ITEMS: Table = Table { topic: "cdc.shop.public.order_items", name: "order_items", is_stamped: false };

impl Table {
    /// A column of text that may say anything and is seen in the output.
    pub(super) fn name_of_free_text(self) -> Option<&'static str> {
        match self.name {
            "customers" => Some("name"),
            "orders" => Some("status"),
            _ => None,
        }
    }
}

/// One change, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) op: char,
    pub(super) before: Option<Members>,
    pub(super) after: Option<Members>,
    pub(super) lsn: Option<i64>,
    pub(super) ts_ms: i64,
    pub(super) arrival_ms: i64,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Script {
    /// A row that is about to be inserted.
    pub(super) fn new(stage: &mut Stage, table: Table, id: u64, columns: &Members) -> Self {
        let mut row = columns.clone();
        row.set_plain("id", id);
        let full_identity = stage.random.chance(500);
        Self { table, id, row, changes: vec![], full_identity }
    }

    pub(super) fn insert(&mut self, stage: &mut Stage, ts_ms: i64) {
        self.stamp(ts_ms);
        let after = Some(self.row.clone());
        self.push(stage, 'c', None, after, ts_ms);
    }

    /// An update that sets one column.
    pub(super) fn update(&mut self, stage: &mut Stage, ts_ms: i64, column: &str, raw: &str) {
        let before = self.full_identity.then(|| self.row.clone());
        self.row.set(column, raw);
        self.stamp(ts_ms);
        let after = Some(self.row.clone());
        self.push(stage, 'u', before, after, ts_ms);
    }

    /// The last change did not log this column, because its large value stayed the same.
    pub(super) fn hide(&mut self, column: &str) {
        let hidden = |change: &mut Planned| Some(change.after.as_mut()?.set(column, UNAVAILABLE).text());
        self.changes.last_mut().and_then(hidden);
    }

    pub(super) fn delete(&mut self, stage: &mut Stage, ts_ms: i64) {
        let key_only = || {
            let mut key = Members::new();
            key.set_plain("id", self.id).set("shop_id", "null");
            key
        };
        let before = if self.full_identity { self.row.clone() } else { key_only() };
        self.push(stage, 'd', Some(before), None, ts_ms);
    }

    /// A snapshot that reads a row as it was at some time, or as it is.
    pub(super) fn snapshot(&mut self, row: Members, ts_ms: i64) {
        let change = Planned {
            op: 'r',
            before: None,
            after: Some(row),
            lsn: None,
            ts_ms,
            arrival_ms: ts_ms + ON_THE_WAY_MS,
            headers: vec![],
        };
        self.changes.push(change);
    }

    fn stamp(&mut self, ts_ms: i64) {
        if self.table.is_stamped {
            self.row.set_text("updated_at", &format(ts_ms * MILLI_MICROS - BEFORE_COMMIT_MICROS, 6));
        }
    }

    fn push(&mut self, stage: &mut Stage, op: char, before: Option<Members>, after: Option<Members>, ts_ms: i64) {
        let lsn = Some(lsn(stage, ts_ms));
        let arrival_ms = ts_ms + ON_THE_WAY_MS;
        self.changes.push(Planned { op, before, after, lsn, ts_ms, arrival_ms, headers: vec![] });
    }

    /// When the last change was committed.
    pub(super) fn last_ts_ms(&self) -> i64 {
        self.changes.iter().map(|change| change.ts_ms).max().unwrap_or_default()
    }

    /// Schedules all changes; deletes bring their tombstones.
    pub(super) fn send(self, stage: &mut Stage) {
        let key = key(self.id);
        for change in self.changes {
            let value = envelope(self.table, &change);
            let is_delete = change.op == 'd';
            let draft = Draft::new(self.table.topic, change.arrival_ms, &key, &value);
            let draft = Draft { headers: change.headers, ..draft };
            let tombstone = is_delete.then(|| Draft { value: None, ..draft.clone() });
            stage.send(draft);
            if let Some(tombstone) = tombstone {
                stage.send(tombstone);
            }
        }
    }
}

pub(super) fn key(id: u64) -> String {
    format!("{{\"id\":{id}}}")
}

/// LSNs grow with the commit time, and no two are equal.
fn lsn(stage: &mut Stage, ts_ms: i64) -> i64 {
    let since_start_ms = (ts_ms - stage.settings.start_ms).max(0);
    24_000_000 + since_start_ms * 10_000 + (stage.next_id() % 10_000) as i64
}

/// A change as Debezium writes it.
pub(super) fn envelope(table: Table, change: &Planned) -> Members {
    let row = |row: &Option<Members>| row.as_ref().map_or_else(|| "null".to_owned(), Members::text);
    let snapshot = if change.op == 'r' { "incremental" } else { "false" };
    let mut source = Members::new();
    source.set_text("version", "2.7.4.Final").set_text("connector", "postgresql").set_text("name", "cdc.shop");
    source.set_plain("ts_ms", change.ts_ms).set_text("snapshot", snapshot).set_text("db", "shop");
    source.set_text("schema", "public").set_text("table", table.name).set("xmin", "null");
    match change.lsn {
        Some(lsn) => source.set_plain("lsn", lsn).set_plain("txId", lsn / 100),
        None => source.set("lsn", "null").set("txId", "null"),
    };
    let mut envelope = Members::new();
    envelope.set("before", row(&change.before)).set("after", row(&change.after)).set("source", source.text());
    envelope.set("transaction", "null").set_text("op", &change.op.to_string());
    envelope.set_plain("ts_ms", change.arrival_ms);
    envelope
}
