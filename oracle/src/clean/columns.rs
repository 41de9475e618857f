//! The columns of `clean.events`, read from a valid message (rules 22–25), and the few that sessions need.

use serde::Serialize;

use super::message::Message;
use crate::expected::CleanRow;
use crate::json::{self, Object};
use crate::money::{self, Decimal};
use crate::time::MILLI_MICROS;

/// What a kept event means to its session.
#[derive(Clone, Debug)]
pub(crate) struct SessionEvent {
    pub(crate) shop_id: String,
    pub(crate) visitor: String,
    pub(crate) occurred_ms: i64,
    pub(crate) kind: String,
    pub(crate) event: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) page_path: Option<String>,
    pub(crate) referrer: Option<String>,
    /// Source, medium and name of the campaign.
    pub(crate) utm: [Option<String>; 3],
    pub(crate) order_id: Option<String>,
    pub(crate) revenue: Option<(String, i64)>,
}

impl SessionEvent {
    /// Whether this is a track event of the given name.
    pub(crate) fn tracks(&self, event: &str) -> bool {
        self.kind == "track" && self.event.as_deref() == Some(event)
    }
}

/// The columns in the order of their names, which is the canonical one.
#[derive(Serialize)]
struct Columns<'a> {
    anonymous_id: Option<&'a str>,
    clock_skew_ms: i64,
    currency: Option<&'a str>,
    event: Option<&'a str>,
    ip: Option<String>,
    library: Option<String>,
    locale: Option<String>,
    message_id: &'a str,
    occurred_at: i64,
    order_id: Option<&'a str>,
    original_timestamp: i64,
    page_path: Option<&'a str>,
    page_url: Option<&'a str>,
    product_ids: &'a [String],
    properties: &'a str,
    received_at: i64,
    referrer: Option<&'a str>,
    revenue_minor: Option<i64>,
    sent_at: Option<i64>,
    shop_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    user_agent: Option<String>,
    user_id: Option<&'a str>,
    utm_campaign: Option<&'a str>,
    utm_medium: Option<&'a str>,
    utm_source: Option<&'a str>,
}

/// Reads all columns of a message.
pub(crate) fn read(message: &Message<'_>, partition: i32) -> (CleanRow, SessionEvent) {
    let properties = message.properties.and_then(Object::nested).unwrap_or_default();
    let page = Page::read(message, &properties);
    let purchase = if message.kind == "track" { Purchase::read(message, &properties) } else { Purchase::default() };
    let campaign = message.context.object("campaign").unwrap_or_default();
    let utm = ["source", "medium", "name"].map(|name| campaign.text(name));
    let library = message.context.object("library").unwrap_or_default();
    let library = library.text("name").map(|name| match library.text("version") {
        Some(version) => format!("{name}/{version}"),
        None => name,
    });
    let event = if message.kind == "track" { message.event.clone() } else { None };
    let columns = Columns {
        anonymous_id: message.anonymous_id.as_deref(),
        clock_skew_ms: clock_skew_ms(message),
        currency: purchase.currency.as_deref(),
        event: event.as_deref(),
        ip: message.context.text("ip").or_else(|| message.client_ip.clone()),
        library,
        locale: message.context.text("locale"),
        message_id: &message.id,
        occurred_at: message.occurred_ms * MILLI_MICROS,
        order_id: purchase.order_id.as_deref(),
        original_timestamp: message.original_micros,
        page_path: page.path.as_deref(),
        page_url: page.url.as_deref(),
        product_ids: &purchase.product_ids,
        properties: message.properties.unwrap_or("{}"),
        received_at: message.received_micros,
        referrer: page.referrer.as_deref(),
        revenue_minor: purchase.revenue_minor,
        sent_at: message.sent_micros,
        shop_id: &message.shop_id,
        kind: &message.kind,
        user_agent: message.context.text("userAgent"),
        user_id: message.user_id.as_deref(),
        utm_campaign: utm[2].as_deref(),
        utm_medium: utm[1].as_deref(),
        utm_source: utm[0].as_deref(),
    };
    let row = CleanRow {
        key: message.key.to_owned(),
        message_id: message.id.clone(),
        partition,
        columns: serde_json::to_string(&columns).expect("columns are plain JSON"),
    };
    let session_event = SessionEvent {
        shop_id: message.shop_id.clone(),
        visitor: message.visitor.to_owned(),
        occurred_ms: message.occurred_ms,
        kind: message.kind.clone(),
        event,
        user_id: message.user_id.clone(),
        page_path: page.path,
        referrer: page.referrer,
        utm,
        order_id: purchase.order_id,
        revenue: purchase.currency.zip(purchase.revenue_minor),
    };
    (row, session_event)
}

/// Received minus sent, floored to milliseconds; 0 without sent (rule 4).
fn clock_skew_ms(message: &Message<'_>) -> i64 {
    message.sent_micros.map_or(0, |sent| (message.received_micros - sent).div_euclid(MILLI_MICROS))
}

struct Page {
    path: Option<String>,
    url: Option<String>,
    referrer: Option<String>,
}

impl Page {
    /// From `context.page`; for type page, what is absent there comes from the properties.
    fn read(message: &Message<'_>, properties: &Object<'_>) -> Self {
        let page = message.context.object("page").unwrap_or_default();
        let read = |name: &str| {
            let from_properties = || if message.kind == "page" { properties.text(name) } else { None };
            page.text(name).or_else(from_properties)
        };
        Self { path: read("path"), url: read("url"), referrer: read("referrer") }
    }
}

/// What a track event says about money and goods.
#[derive(Default)]
struct Purchase {
    order_id: Option<String>,
    currency: Option<String>,
    revenue_minor: Option<i64>,
    product_ids: Vec<String>,
}

impl Purchase {
    fn read(message: &Message<'_>, properties: &Object<'_>) -> Self {
        let currency = properties.text("currency").map(|text| text.trim().to_uppercase());
        let currency = currency.filter(|code| money::exponent(code).is_some());
        let completed = message.event.as_deref() == Some("Order Completed");
        let exponent = currency.as_deref().filter(|_| completed).and_then(money::exponent);
        let revenue_minor = exponent.and_then(|decimals| {
            ["revenue", "total"].into_iter().find_map(|name| decimal(properties.get(name)?)?.minor(decimals))
        });
        Self { order_id: properties.text_or_digits("order_id"), currency, revenue_minor, product_ids: product_ids(properties) }
    }
}

/// An amount as shops send it: a number, or a string with a plain decimal.
fn decimal(raw: &str) -> Option<Decimal> {
    if json::is_number(raw) { Decimal::json_number(raw) } else { Decimal::plain(&json::string(raw)?) }
}

fn product_ids(properties: &Object<'_>) -> Vec<String> {
    match properties.get("products").and_then(json::elements) {
        Some(products) => {
            products.into_iter().filter_map(Object::nested).filter_map(|product| product.text("product_id")).collect()
        }
        None => properties.text("product_id").into_iter().collect(),
    }
}
