//! The value of `clean.events`, owned and borrowing. Not how an event is made from JSON: that is the topology `clean`.

use serde::{Deserialize, Serialize};

use crate::catalogue::{CLEAN_EVENTS_VALUE, TopicRecord, TopicSchema};

/// One event of a shop, validated, with its time corrected, and kept once.
///
/// Times are microseconds since 1970 in UTC. What each field means stands in its schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct CleanEvent {
    pub message_id: String,
    pub shop_id: String,
    pub anonymous_id: Option<String>,
    pub user_id: Option<String>,
    pub r#type: String,
    pub event: Option<String>,
    pub occurred_at: i64,
    pub original_timestamp: i64,
    pub sent_at: Option<i64>,
    pub received_at: i64,
    pub clock_skew_ms: i64,
    pub page_path: Option<String>,
    pub page_url: Option<String>,
    pub referrer: Option<String>,
    pub utm_source: Option<String>,
    pub utm_medium: Option<String>,
    pub utm_campaign: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub locale: Option<String>,
    pub library: Option<String>,
    pub order_id: Option<String>,
    pub currency: Option<String>,
    pub revenue_minor: Option<i64>,
    pub product_ids: Vec<String>,
    pub properties: String,
    pub processed_at: i64,
}

/// [`CleanEvent`] with borrowed text: to write one without owning its text, and to read one without copying it
/// (`AvroSerde::encode_as`, `AvroSerde::decode_as`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "CleanEvent")]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct CleanEventRef<'a> {
    pub message_id: &'a str,
    pub shop_id: &'a str,
    pub anonymous_id: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub r#type: &'a str,
    pub event: Option<&'a str>,
    pub occurred_at: i64,
    pub original_timestamp: i64,
    pub sent_at: Option<i64>,
    pub received_at: i64,
    pub clock_skew_ms: i64,
    pub page_path: Option<&'a str>,
    pub page_url: Option<&'a str>,
    pub referrer: Option<&'a str>,
    pub utm_source: Option<&'a str>,
    pub utm_medium: Option<&'a str>,
    pub utm_campaign: Option<&'a str>,
    pub ip: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    pub locale: Option<&'a str>,
    pub library: Option<&'a str>,
    pub order_id: Option<&'a str>,
    pub currency: Option<&'a str>,
    pub revenue_minor: Option<i64>,
    pub product_ids: Vec<&'a str>,
    pub properties: &'a str,
    pub processed_at: i64,
}

impl TopicRecord for CleanEvent {
    const SCHEMA: TopicSchema = CLEAN_EVENTS_VALUE;
}

impl CleanEventRef<'_> {
    /// The event with text of its own.
    pub fn to_owned_event(&self) -> CleanEvent {
        CleanEvent {
            message_id: self.message_id.to_owned(),
            shop_id: self.shop_id.to_owned(),
            anonymous_id: self.anonymous_id.map(str::to_owned),
            user_id: self.user_id.map(str::to_owned),
            r#type: self.r#type.to_owned(),
            event: self.event.map(str::to_owned),
            occurred_at: self.occurred_at,
            original_timestamp: self.original_timestamp,
            sent_at: self.sent_at,
            received_at: self.received_at,
            clock_skew_ms: self.clock_skew_ms,
            page_path: self.page_path.map(str::to_owned),
            page_url: self.page_url.map(str::to_owned),
            referrer: self.referrer.map(str::to_owned),
            utm_source: self.utm_source.map(str::to_owned),
            utm_medium: self.utm_medium.map(str::to_owned),
            utm_campaign: self.utm_campaign.map(str::to_owned),
            ip: self.ip.map(str::to_owned),
            user_agent: self.user_agent.map(str::to_owned),
            locale: self.locale.map(str::to_owned),
            library: self.library.map(str::to_owned),
            order_id: self.order_id.map(str::to_owned),
            currency: self.currency.map(str::to_owned),
            revenue_minor: self.revenue_minor,
            product_ids: self.product_ids.iter().map(|id| (*id).to_owned()).collect(),
            properties: self.properties.to_owned(),
            processed_at: self.processed_at,
        }
    }
}

impl<'a> From<&'a CleanEvent> for CleanEventRef<'a> {
    fn from(event: &'a CleanEvent) -> Self {
        Self {
            message_id: &event.message_id,
            shop_id: &event.shop_id,
            anonymous_id: event.anonymous_id.as_deref(),
            user_id: event.user_id.as_deref(),
            r#type: &event.r#type,
            event: event.event.as_deref(),
            occurred_at: event.occurred_at,
            original_timestamp: event.original_timestamp,
            sent_at: event.sent_at,
            received_at: event.received_at,
            clock_skew_ms: event.clock_skew_ms,
            page_path: event.page_path.as_deref(),
            page_url: event.page_url.as_deref(),
            referrer: event.referrer.as_deref(),
            utm_source: event.utm_source.as_deref(),
            utm_medium: event.utm_medium.as_deref(),
            utm_campaign: event.utm_campaign.as_deref(),
            ip: event.ip.as_deref(),
            user_agent: event.user_agent.as_deref(),
            locale: event.locale.as_deref(),
            library: event.library.as_deref(),
            order_id: event.order_id.as_deref(),
            currency: event.currency.as_deref(),
            revenue_minor: event.revenue_minor,
            product_ids: event.product_ids.iter().map(String::as_str).collect(),
            properties: &event.properties,
            processed_at: event.processed_at,
        }
    }
}
