//! Records of the `cdc` topics that are wrong in one way each, for every reason, and some that are no changes of rows.

use super::members::Members;
use super::script::{CUSTOMERS, ORDER_ITEMS, ORDERS, Planned, Table, envelope, key};
use super::stage::{Draft, Stage};

/// Sends one broken record.
pub(super) fn begin(stage: &mut Stage, begin_ms: i64) {
    let table = [CUSTOMERS, ORDERS, ORDER_ITEMS][stage.turn("broken tables", 3)];
    let id = stage.next_id();
    let row = row(table, id);
    let change = Planned {
        op: 'c',
        before: None,
        after: Some(row.clone()),
        lsn: Some(100_000 + id as i64),
        ts_ms: begin_ms,
        arrival_ms: begin_ms + 300,
        headers: vec![],
    };
    let whole = envelope(table, &change);
    let mut draft = Draft::new(table.topic, change.arrival_ms, &key(id), &whole);
    match stage.turn_in(table.topic, "broken", 4) {
        0 => break_record(stage, table, &whole, &mut draft),
        1 | 2 => {
            let broken = break_row(stage, table, row);
            draft.value = Some(envelope(table, &Planned { after: Some(broken), ..change }).bytes());
        }
        _ => draft.value = Some(break_envelope(stage, table, whole).bytes()),
    }
    stage.send(draft);
}

fn row(table: Table, id: u64) -> Members {
    const STAMP: &str = "2026-01-05T10:00:00.123456Z";
    let mut row = Members::new();
    row.set_plain("id", id);
    if table == ORDER_ITEMS {
        row.set("order_id", "1").set_text("sku", "sku-1").set("title", "null").set("quantity", "1");
        row.set_text("unit_price", "1.000");
        return row;
    }
    row.set_text("shop_id", "shop-0").set_text("updated_at", STAMP);
    if table == CUSTOMERS {
        row.set_text("email", "broken@mail.example").set("name", "null").set("phone", "null").set("country", "null");
        row.set("marketing_opt_in", "false").set_text("created_at", STAMP);
    } else {
        row.set("customer_id", "null").set_text("status", "new").set_text("currency", "EUR");
        row.set_text("discount", "0.000").set_text("shipping", "0.000").set_text("tax", "0.000");
        row.set_text("placed_at", STAMP);
    }
    row
}

fn break_record(stage: &mut Stage, table: Table, whole: &Members, draft: &mut Draft) {
    let text = whole.text();
    match stage.turn_in(table.topic, "broken records", 12) {
        0 => draft.key = None,
        1 => draft.key = Some(b"{\"id\":\"1\"}".to_vec()),
        2 => draft.key = Some(b"7".to_vec()),
        3 => draft.key = Some(b"{\"id\":1".to_vec()),
        4 => draft.value = Some(vec![]),
        5 if stage.may_oversize() => draft.value = Some(whole.clone().set_text("x", &"x".repeat(524_288)).bytes()),
        6 => draft.value = Some([text.as_bytes(), b"\xc3"].concat()),
        7 => draft.value = Some(text.as_bytes()[1..].to_vec()),
        8 => draft.value = Some(b"[]".to_vec()),
        // A tombstone needs no delete before it, and no good key.
        9 => (draft.key, draft.value) = (Some(b"?".to_vec()), None),
        10 => draft.value = Some(whole.clone().set("op", "\"\\udfff\"").bytes()),
        _ => draft.value = Some(b"  ".to_vec()),
    }
}

fn break_envelope(stage: &mut Stage, table: Table, mut whole: Members) -> Members {
    let source = |from: &str, to: &str, whole: &mut Members| {
        let text = whole.get("source").replace(from, to);
        whole.set("source", text);
    };
    match stage.turn_in(table.topic, "broken envelopes", 11) {
        0 => _ = whole.set("op", "\"x\""),
        1 => _ = whole.set("op", "\"t\"").set("after", "null"),
        2 => _ = whole.set("op", "\"m\"").set("after", "null").set("message", r#"{"prefix":"p","content":"AA=="}"#),
        3 => _ = whole.set("op", "3"),
        4 => _ = whole.remove("op"),
        5 => _ = whole.remove("source"),
        6 => _ = whole.set("after", "null"),
        7 => _ = whole.set("after", "\"text\""),
        8 => source("\"lsn\":", "\"elsewhere\":", &mut whole),
        9 => source("\"ts_ms\":", "\"elsewhere\":", &mut whole),
        _ => source("\"lsn\":", "\"lsn\":1.5,\"elsewhere\":", &mut whole),
    }
    whole
}

fn break_row(stage: &mut Stage, table: Table, mut row: Members) -> Members {
    let breaks: &[(&str, &str)] = match table.topic {
        "cdc.shop.public.customers" => &[
            ("id", "1"),
            ("marketing_opt_in", "\"yes\""),
            ("marketing_opt_in", "null"),
            ("email", "17"),
            ("created_at", "\"infinity\""),
            ("updated_at", "\"2026-01-05\""),
            ("shop_id", "null"),
            ("shop_id", "\"\\ud800\""),
        ],
        "cdc.shop.public.orders" => &[
            ("id", "1"),
            ("discount", "0.5"),
            ("shipping", "\"NaN\""),
            ("tax", "\"1e3\""),
            ("tax", "null"),
            ("currency", "\"DEM\""),
            ("currency", "\"XAU\""),
            ("customer_id", "\"5\""),
            ("placed_at", "\"infinity\""),
            ("status", "false"),
        ],
        _ => &[
            ("id", "1"),
            ("quantity", "\"1\""),
            ("quantity", "1.0"),
            ("unit_price", "\"NaN\""),
            ("unit_price", "9.99"),
            ("order_id", "null"),
            ("sku", "null"),
        ],
    };
    let (column, raw) = breaks[stage.turn_in(table.topic, "broken rows", breaks.len())];
    row.set(column, raw);
    row
}
