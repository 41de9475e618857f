//! Key and value of `curated.sessions`. Not how events become sessions: that is the topology `sessions`.

use serde::{Deserialize, Serialize};

use crate::catalogue::{CURATED_SESSIONS_KEY, CURATED_SESSIONS_VALUE, TopicRecord, TopicSchema};

/// Revenue in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revenue {
    /// ISO 4217 code.
    pub currency: String,
    /// Sum in minor units of the currency.
    pub amount_minor: i64,
}

/// Identifies a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct SessionKey {
    pub shop_id: String,
    pub session_id: String,
}

/// A visit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct SessionRow {
    pub shop_id: String,
    pub session_id: String,
    pub visitor: String,
    pub user_id: Option<String>,
    pub started_at: i64,
    pub ended_at: i64,
    pub events: i64,
    pub page_views: i64,
    pub product_views: i64,
    pub cart_adds: i64,
    pub checkouts: i64,
    pub orders: i64,
    pub revenue: Vec<Revenue>,
    pub entry_page: Option<String>,
    pub exit_page: Option<String>,
    pub referrer: Option<String>,
    pub utm_source: Option<String>,
    pub utm_medium: Option<String>,
    pub utm_campaign: Option<String>,
    pub order_ids: Vec<String>,
    pub row_version: i64,
    pub is_deleted: bool,
    pub updated_at: i64,
    pub processed_at: i64,
}

impl TopicRecord for SessionKey {
    const SCHEMA: TopicSchema = CURATED_SESSIONS_KEY;
}

impl TopicRecord for SessionRow {
    const SCHEMA: TopicSchema = CURATED_SESSIONS_VALUE;
}
