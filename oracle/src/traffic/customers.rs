//! The lives of customers: they register, change their minds and addresses, move to another shop, get another number, and
//! ask to be forgotten.

use super::disturb::disturb;
use super::members::{Members, quoted};
use super::script::{self, CUSTOMERS, Script};
use super::stage::Stage;
use crate::time::{MILLI_MICROS, format};

const MINUTE_MS: i64 = 60_000;

/// Begins a customer's life.
pub(super) fn begin(stage: &mut Stage, begin_ms: i64) {
    let id = stage.next_id();
    let columns = columns(stage, id, begin_ms);
    let mut script = Script::new(stage, CUSTOMERS, id, &columns);
    script.insert(stage, begin_ms);
    let mut ts_ms = begin_ms;
    for _ in 0..stage.random.below(5) {
        ts_ms += stage.random.between(MINUTE_MS, 150 * MINUTE_MS);
        change(stage, &mut script, ts_ms);
    }
    ts_ms += 5 * MINUTE_MS;
    match stage.random.below(10) {
        0..3 => {
            script.delete(stage, ts_ms);
            disturb(stage, &mut script);
            script.send(stage);
        }
        3 => renumber(stage, script, ts_ms),
        _ => {
            disturb(stage, &mut script);
            script.send(stage);
        }
    }
}

fn columns(stage: &mut Stage, id: u64, begin_ms: i64) -> Members {
    let mut columns = Members::new();
    columns.set_plain("id", id).set_text("shop_id", &stage.shop(id));
    columns.set_text("email", &format!("person{id}@mail.example")).set_text("name", &format!("Zoë Müller {id}"));
    columns.set("phone", stage.random.pick(&["null", "\"\"", "\"+49 30 123456\""]));
    columns.set("country", stage.random.pick(&["\"DE\"", "\"US\"", "\"  \"", "\"J \"", "null"]));
    columns.set_plain("marketing_opt_in", stage.random.chance(500));
    columns.set_text("created_at", &format(begin_ms * MILLI_MICROS - 5_000, 6)).set("updated_at", "null");
    if stage.random.chance(200) {
        columns.set("loyalty_tier", "{\"unknown\":[\"column\"]}");
    }
    columns
}

fn change(stage: &mut Stage, script: &mut Script, ts_ms: i64) {
    let number = stage.next_id();
    match stage.random.below(8) {
        0 | 1 => script.update(stage, ts_ms, "email", &quoted(&format!("other{number}@mail.example"))),
        2 => script.update(stage, ts_ms, "phone", "null"),
        3 => script.update(stage, ts_ms, "marketing_opt_in", "true"),
        4 => script.update(stage, ts_ms, "country", "\"FR\""),
        5 => {
            let shop = stage.shop(number);
            script.update(stage, ts_ms, "shop_id", &quoted(&shop));
        }
        _ => {
            script.update(stage, ts_ms, "email", &quoted(&format!("other{number}@mail.example")));
            script.hide("name");
        }
    }
}

/// The primary key changes: the old row is deleted and the new one created, and headers name the other key.
fn renumber(stage: &mut Stage, mut old: Script, ts_ms: i64) {
    let id = stage.next_id();
    let mut new = Script::new(stage, CUSTOMERS, id, &old.row);
    old.delete(stage, ts_ms);
    new.insert(stage, ts_ms);
    let name_key = |script: &mut Script, header: &str, other: u64| {
        let header = (header.to_owned(), Some(script::key(other).into_bytes()));
        script.changes.last_mut().into_iter().for_each(|change| change.headers.push(header.clone()));
    };
    name_key(&mut old, "__debezium.newkey", id);
    name_key(&mut new, "__debezium.oldkey", old.id);
    old.send(stage);
    new.send(stage);
}
