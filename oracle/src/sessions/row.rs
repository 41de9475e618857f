//! The columns of a session, from all of its events (rules 28–30).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::PlacedEvent;
use crate::clean::SessionEvent;
use crate::digest::sha256_32;
use crate::time::MILLI_MICROS;

/// The row of a session that consists of these events, in any order.
pub(super) fn read(mut events: Vec<PlacedEvent<'_>>) -> Value {
    events.sort_by_key(|(place, event)| (event.occurred_ms, *place));
    let events: Vec<&SessionEvent> = events.into_iter().map(|(_, event)| event).collect();
    let (first, last) = (events[0], events[events.len() - 1]);
    let tracked = |name: &str| events.iter().filter(|event| event.tracks(name)).count();
    let page_views = events.iter().filter(|event| event.kind == "page" || event.kind == "screen").count();
    let utm = events.iter().map(|event| &event.utm).find(|utm| utm.iter().any(Option::is_some));
    let utm = utm.cloned().unwrap_or_default();
    let ended_at = last.occurred_ms * MILLI_MICROS;
    json!({
        "shop_id": first.shop_id,
        "session_id": session_id(first),
        "visitor": first.visitor,
        "user_id": events.iter().rev().find_map(|event| event.user_id.as_ref()),
        "started_at": first.occurred_ms * MILLI_MICROS,
        "ended_at": ended_at,
        "events": events.len(),
        "page_views": page_views,
        "product_views": tracked("Product Viewed"),
        "cart_adds": tracked("Product Added"),
        "checkouts": tracked("Checkout Started"),
        "orders": tracked("Order Completed"),
        "revenue": revenue(&events),
        "entry_page": events.iter().find_map(|event| event.page_path.as_ref()),
        "exit_page": events.iter().rev().find_map(|event| event.page_path.as_ref()),
        "referrer": events.iter().find_map(|event| event.referrer.as_ref()),
        "utm_source": utm[0],
        "utm_medium": utm[1],
        "utm_campaign": utm[2],
        "order_ids": order_ids(&events),
        "is_deleted": false,
        "updated_at": ended_at,
    })
}

/// The first 32 hex digits of SHA-256 over shop, visitor and start.
fn session_id(first: &SessionEvent) -> String {
    let text = format!("{}|{}|{}", first.shop_id, first.visitor, first.occurred_ms);
    sha256_32(&text)
}

fn revenue(events: &[&SessionEvent]) -> Vec<Value> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (currency, minor) in events.iter().filter_map(|event| event.revenue.as_ref()) {
        let sum = sums.entry(currency).or_default();
        *sum = sum.saturating_add(*minor);
    }
    sums.into_iter().map(|(currency, minor)| json!({"currency": currency, "amount_minor": minor})).collect()
}

/// The distinct ids of completed orders, by the first time each was seen.
fn order_ids<'a>(events: &[&'a SessionEvent]) -> Vec<&'a str> {
    let mut ids: Vec<&str> = vec![];
    for id in events.iter().filter(|event| event.tracks("Order Completed")).filter_map(|event| event.order_id.as_deref()) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}
