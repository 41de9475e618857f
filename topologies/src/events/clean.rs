//! The row of `clean.events` that a valid event makes.
//!
//! It selects and converts fields, and refuses nothing: what can't be converted is a null column. Encoding is the schema's business.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::json::Value;
use super::members::{Library, Properties};
use super::raw::{EventType, RawEvent};
use crate::money::{Currency, Decimal};

/// The name of the event that brings revenue.
pub(super) const ORDER_COMPLETED: &str = "Order Completed";

/// A row of `clean.events`, borrowed from the record it was made of; the columns in the order of the schema.
///
/// ```
/// use shoppulse::events::RawEvent;
///
/// let value = br#"{"type":"page","messageId":"m-1","shopId":"s1","writeKey":"w","anonymousId":"a7","receivedAt":"2026-08-21T10:00:00.0005Z",
///     "context":{"page":{"path":"/cart"},"library":{"name":"js","version":"2.1"}}}"#;
/// let row = RawEvent::parse(Some(b"s1|a7"), Some(value)).expect("a valid event").into_clean(0);
/// assert_eq!((row.page_path.as_deref(), row.library.as_deref(), row.properties), (Some("/cart"), Some("js/2.1"), "{}"));
/// assert_eq!(row.received_at - row.occurred_at, 500);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleanFields<'a> {
    /// The SDK's id of the message.
    pub message_id: Cow<'a, str>,
    /// The shop.
    pub shop_id: Cow<'a, str>,
    /// The visitor as long as nobody knows them.
    pub anonymous_id: Option<Cow<'a, str>>,
    /// The visitor by the shop's own id; personal.
    pub user_id: Option<Cow<'a, str>>,
    /// The kind of call.
    #[serde(rename = "type", serialize_with = "serialize_kind")]
    pub kind: EventType,
    /// The name of what happened, for `track` only.
    pub event: Option<Cow<'a, str>>,
    /// Corrected time: whole milliseconds, in microseconds.
    pub occurred_at: i64,
    /// The client's own time, in microseconds.
    pub original_timestamp: i64,
    /// When the client sent it, in microseconds.
    pub sent_at: Option<i64>,
    /// When the collector received it, in microseconds.
    pub received_at: i64,
    /// Receipt minus sending.
    pub clock_skew_ms: i64,
    /// The page's path.
    pub page_path: Option<Cow<'a, str>>,
    /// The page's full address; personal.
    pub page_url: Option<Cow<'a, str>>,
    /// Where the visitor came from.
    pub referrer: Option<Cow<'a, str>>,
    /// The campaign's source.
    pub utm_source: Option<Cow<'a, str>>,
    /// The campaign's medium.
    pub utm_medium: Option<Cow<'a, str>>,
    /// The campaign's name.
    pub utm_campaign: Option<Cow<'a, str>>,
    /// The visitor's address; personal.
    pub ip: Option<Cow<'a, str>>,
    /// The browser, as it calls itself.
    pub user_agent: Option<Cow<'a, str>>,
    /// The visitor's language and region.
    pub locale: Option<Cow<'a, str>>,
    /// The SDK: name/version, or its name.
    pub library: Option<Cow<'a, str>>,
    /// The shop's id of an order, for `track` only.
    pub order_id: Option<Cow<'a, str>>,
    /// The currency of the amounts, for `track` only.
    pub currency: Option<Currency>,
    /// What an order brought, in minor units, for completed orders only.
    pub revenue_minor: Option<i64>,
    /// The products it is about, for `track` only.
    pub product_ids: Vec<Cow<'a, str>>,
    /// The properties, byte by byte as sent; personal.
    pub properties: &'a str,
    /// When this row was made, in microseconds; the only column that a replay changes.
    pub processed_at: i64,
}

impl<'a> RawEvent<'a> {
    /// The row of this event.
    pub fn into_clean(self, processed_at_us: i64) -> CleanFields<'a> {
        let Self { kind, client_ip, context, properties, times, .. } = self;
        let own_page = (kind == EventType::Page).then_some(&properties.page);
        let or_own = |value: Value<'a>, own: Option<Value<'a>>| value.filled_string().or_else(|| own?.filled_string());
        let page_path = or_own(context.page.path, own_page.map(|page| page.path));
        let page_url = or_own(context.page.url, own_page.map(|page| page.url));
        let referrer = or_own(context.page.referrer, own_page.map(|page| page.referrer));
        let trade = if kind == EventType::Track { Trade::of(&properties, self.event.as_deref()) } else { Trade::default() };
        CleanFields {
            message_id: self.message_id,
            shop_id: self.shop_id,
            anonymous_id: self.anonymous_id,
            user_id: self.user_id,
            kind,
            event: self.event,
            occurred_at: times.occurred_us(),
            original_timestamp: times.original_us,
            sent_at: times.sent_us,
            received_at: times.received_us,
            clock_skew_ms: times.clock_skew_ms,
            page_path,
            page_url,
            referrer,
            utm_source: context.campaign.source.filled_string(),
            utm_medium: context.campaign.medium.filled_string(),
            utm_campaign: context.campaign.name.filled_string(),
            ip: context.ip.filled_string().or_else(|| client_ip.filled_string()),
            user_agent: context.user_agent.filled_string(),
            locale: context.locale.filled_string(),
            library: library_text(&context.library),
            order_id: trade.order_id,
            currency: trade.currency,
            revenue_minor: trade.revenue_minor,
            product_ids: trade.product_ids,
            properties: if let Value::Object(raw) = properties.whole { raw } else { "{}" },
            processed_at: processed_at_us,
        }
    }
}

/// The columns about goods and money, which only `track` fills.
#[derive(Default)]
struct Trade<'a> {
    order_id: Option<Cow<'a, str>>,
    currency: Option<Currency>,
    revenue_minor: Option<i64>,
    product_ids: Vec<Cow<'a, str>>,
}

impl<'a> Trade<'a> {
    fn of(properties: &Properties<'a>, event: Option<&str>) -> Self {
        let currency = properties.currency.filled_string().and_then(|code| Currency::parse(&code));
        let revenue_minor = match currency {
            Some(currency) if event == Some(ORDER_COMPLETED) => {
                [properties.revenue, properties.total].into_iter().find_map(|amount| minor_units(amount, currency))
            }
            _ => None,
        };
        Self { order_id: properties.order_id.string_or_digits(), currency, revenue_minor, product_ids: product_ids(properties) }
    }
}

fn minor_units(amount: Value<'_>, currency: Currency) -> Option<i64> {
    let amount = match amount {
        Value::Number(digits) => Decimal::parse_json_number(digits),
        other => Decimal::parse_plain(&other.filled_string()?),
    };
    amount?.to_minor(currency.exponent())
}

fn product_ids<'a>(properties: &Properties<'a>) -> Vec<Cow<'a, str>> {
    let listed = properties.products.as_deref().unwrap_or_else(|| std::slice::from_ref(&properties.product_id));
    listed.iter().filter_map(|id| id.filled_string()).collect()
}

fn library_text<'a>(library: &Library<'a>) -> Option<Cow<'a, str>> {
    let name = library.name.filled_string()?;
    Some(match library.version.filled_string() {
        Some(version) => Cow::Owned([&*name, "/", &*version].concat()),
        None => name,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn serialize_kind<S: Serializer>(kind: &EventType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

#[cfg(test)]
mod tests;
