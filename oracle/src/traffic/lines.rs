//! Lines of payment exports: charges, refunds, disputes, fees, and the mistakes that exports make.

use super::members::{Members, quoted};
use super::stage::{Draft, Stage};
use crate::time::{HOUR_MS, MILLI_MICROS, format};

/// The topic of payment lines.
pub(super) const TOPIC: &str = "raw.payments";
const MINUTE_MS: i64 = 60_000;

/// What is to be paid.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) shop: String,
    pub(super) order_id: String,
    pub(super) currency: &'static str,
    pub(super) gross_minor: i64,
    pub(super) at_ms: i64,
}

/// Kind and gross of a line.
type Entry = (&'static str, i64);

/// Pays for an order in one of many ways.
pub(super) fn pay(stage: &mut Stage, due: &Due) {
    let gross = due.gross_minor;
    let half = gross / 2;
    let (entries, currency): (Vec<Entry>, &str) = match stage.turn("payments", 14) {
        0 | 1 => (vec![("charge", gross)], due.currency),
        2 => (vec![("charge", half)], due.currency),
        3 => (vec![("charge", half), ("charge", gross - half)], due.currency),
        4 => (vec![("charge", gross + 100)], due.currency),
        5 => (vec![("charge", gross), ("refund", -half)], due.currency),
        6 => (vec![("charge", gross), ("refund", -gross)], due.currency),
        7 => (vec![("charge", gross), ("dispute", -gross), ("fee", -1_500)], due.currency),
        8 => (vec![("charge", gross), ("dispute", -gross), ("dispute_reversal", gross)], due.currency),
        9 => (vec![("charge", gross)], if due.currency == "USD" { "EUR" } else { "USD" }),
        10 => (vec![("fee", -30), ("adjustment", 77)], due.currency),
        11 => (vec![("charge", gross), ("other", 12), ("payout", -gross)], due.currency),
        12 => (vec![("refund", -half), ("charge", half)], due.currency),
        _ => (vec![("charge", gross), ("fee", -25)], due.currency),
    };
    // Some exports are loaded before the order's first change is read.
    let before = stage.random.chance(200);
    for (index, (kind, gross_minor)) in entries.into_iter().enumerate() {
        let at_ms = due.at_ms + index as i64 * stage.random.between(0, 20 * MINUTE_MS);
        let loaded_ms = at_ms + if before { 0 } else { stage.random.between(MINUTE_MS, 5 * HOUR_MS) };
        let mut line = line(stage, &due.shop, Some(&due.order_id), at_ms);
        line.set_text("kind", kind).set_text("currency", currency);
        line.set_plain("gross_minor", gross_minor).set_plain("net_minor", gross_minor - 29);
        send(stage, &line, loaded_ms);
        if stage.random.chance(stage.settings.disorder.repeated_lines_permille) {
            repeat(stage, line, loaded_ms);
        }
    }
    if stage.random.chance(60) {
        let line = line(stage, &due.shop, None, due.at_ms);
        send(stage, &line, due.at_ms + HOUR_MS);
    }
}

/// A line with all its fields.
pub(super) fn line(stage: &mut Stage, shop: &str, order_id: Option<&str>, at_ms: i64) -> Members {
    let number = stage.next_id();
    let mut line = Members::new();
    line.set_text("shop_id", shop).set_text("provider", stage.random.pick(&["stripe", "adyen"]));
    line.set_text("line_id", &format!("txn_{number:08}"));
    line.set("order_id", order_id.map_or_else(|| "null".to_owned(), quoted)).set_text("kind", "payout");
    line.set_text("currency", "EUR").set("gross_minor", "-5000").set("fee_minor", "29").set("net_minor", "-5029");
    line.set_text("occurred_at", &format(at_ms * MILLI_MICROS, if number.is_multiple_of(2) { 0 } else { 6 }));
    let available =
        if number.is_multiple_of(5) { "\"\"".to_owned() } else { quoted(&format((at_ms + 48 * HOUR_MS) * MILLI_MICROS, 0)) };
    line.set("available_on", available);
    line.set_text("file", "balance-1.csv").set_plain("line_number", number % 5_000 + 2);
    line
}

/// The key that the line's own fields make.
pub(super) fn key(line: &Members) -> String {
    let text = |name: &str| line.get(name).trim_matches('"').to_owned();
    format!("{}|{}:{}", text("shop_id"), text("provider"), text("line_id"))
}

fn send(stage: &mut Stage, line: &Members, loaded_ms: i64) {
    stage.send(Draft::new(TOPIC, loaded_ms, &key(line), line));
}

/// The line comes again: as it was in another file, corrected, corrected back, for another order, or many times over.
fn repeat(stage: &mut Stage, mut line: Members, loaded_ms: i64) {
    let again_ms = loaded_ms + stage.random.between(MINUTE_MS, HOUR_MS);
    line.set_text("file", "balance-2.csv").set_plain("line_number", 7);
    let original = line.clone();
    match stage.turn("repeated lines", 6) {
        0 | 1 => send(stage, &line, again_ms),
        2 => {
            line.set("fee_minor", "31");
            send(stage, &line, again_ms);
        }
        3 => {
            line.set("fee_minor", "31");
            send(stage, &line, again_ms);
            send(stage, &original, again_ms + 1);
        }
        4 => {
            line.set_text("order_id", &format!("moved-{}", stage.next_id() % 50));
            send(stage, &line, again_ms);
        }
        // After eight other versions the first is forgotten, and counts as a correction again.
        _ => {
            for version in 0..8 {
                line.set_plain("fee_minor", 40 + version);
                send(stage, &line, again_ms + version);
            }
            send(stage, &original, again_ms + 8);
        }
    }
}
