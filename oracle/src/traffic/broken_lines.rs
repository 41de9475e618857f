//! Records of `raw.payments` that are wrong in one way each, for every reason.

use super::lines::{self, TOPIC};
use super::stage::{Draft, Stage};

/// Sends one broken record.
pub(super) fn begin(stage: &mut Stage, begin_ms: i64) {
    let line = lines::line(stage, "shop-0", Some("1"), begin_ms);
    let mut draft = Draft::new(TOPIC, begin_ms + 60_000, &lines::key(&line), &line);
    let text = line.text();
    let set = |name: &str, raw: &str| Some(line.clone().set(name, raw).bytes());
    match stage.turn("broken lines", 26) {
        0 => draft.key = None,
        1 => draft.key = Some(vec![]),
        2 => draft.key = Some(b"shop-0|stripe:\xff".to_vec()),
        3 => draft.key = Some(b"shop-0|stripe:another".to_vec()),
        4 => draft.value = None,
        5 => draft.value = Some(vec![]),
        6 if stage.may_oversize() => draft.value = set("description", &format!("\"{}\"", "x".repeat(524_288))),
        7 => draft.value = Some([b"\x80", text.as_bytes()].concat()),
        8 => draft.value = Some(text.replace(':', "=").into_bytes()),
        9 => draft.value = Some(b"null".to_vec()),
        10 => draft.value = set("gross_minor", "10.0"),
        11 => draft.value = set("fee_minor", "\"29\""),
        12 => draft.value = set("order_id", "[]"),
        13 => draft.value = set("net_minor", "null"),
        14 => draft.value = set("kind", "\"\""),
        15 => draft.value = set("occurred_at", "null"),
        16 => draft.value = set("kind", "\"gift\""),
        17 => draft.value = set("gross_minor", "9223372036854775808"),
        18 => draft.value = set("provider", "\"paypal\""),
        19 => draft.value = set("currency", "\"XXX\""),
        20 => draft.value = set("occurred_at", "\"2026-01-05 10:00:00\""),
        21 => draft.value = set("available_on", "\"soon\""),
        22 => draft.value = set("line_id", "\"other\""),
        23 => draft.value = set("shop_id", "\"other\""),
        24 => draft.value = set("gross_minor", "1e3"),
        _ => draft.value = Some(text.as_bytes()[1..].to_vec()),
    }
    stage.send(draft);
}
