//! The row of `curated.sessions` that a session shows.
//!
//! The columns `row_version`, `is_deleted` and `processed_at` are the sink's and not here.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Session;

/// Revenue in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RevenueRow {
    /// The ISO code.
    pub currency: String,
    /// The sum in minor units; at the ends of 64 bits it stays there.
    pub amount_minor: i64,
}

/// The columns of `curated.sessions` that follow from events. Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the columns are described by the topic's schema")]
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
    pub revenue: Vec<RevenueRow>,
    pub entry_page: Option<String>,
    pub exit_page: Option<String>,
    pub referrer: Option<String>,
    pub utm_source: Option<String>,
    pub utm_medium: Option<String>,
    pub utm_campaign: Option<String>,
    pub order_ids: Vec<String>,
    pub updated_at: i64,
}

/// The id of the session of a record key (`shop_id|visitor`) that starts at a time: half a SHA-256 in hex.
///
/// ```
/// use shoppulse::events::session_id;
///
/// assert_eq!(session_id("s1|a7", 5_000).len(), 32);
/// assert_ne!(session_id("s1|a7", 5_000), session_id("s1|a7", 5_001));
/// ```
pub fn session_id(record_key: &str, started_ms: i64) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let hash = Sha256::new().chain_update(record_key).chain_update("|").chain_update(started_ms.to_string()).finalize();
    let half_bytes = hash.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
    half_bytes.map(|half| char::from(HEX[usize::from(half)])).collect()
}

impl Session {
    /// The row of this session, whose window spans the two times.
    pub fn row(&self, record_key: &str, started_ms: i64, ended_ms: i64) -> SessionRow {
        let shop_id = self.shop_of(record_key);
        let [utm_source, utm_medium, utm_campaign] = self.utm.as_ref().map(|utm| utm.value.clone()).unwrap_or_default();
        let text = |slot: &Option<super::Marked<String>>| slot.as_ref().map(|kept| kept.value.clone());
        let counts = self.counts();
        SessionRow {
            shop_id: shop_id.to_owned(),
            session_id: session_id(record_key, started_ms),
            visitor: record_key.get(shop_id.len() + 1..).unwrap_or_default().to_owned(),
            user_id: text(&self.user_id),
            started_at: started_ms * 1_000,
            ended_at: ended_ms * 1_000,
            events: counts.events.cast_signed(),
            page_views: counts.page_views.cast_signed(),
            product_views: counts.product_views.cast_signed(),
            cart_adds: counts.cart_adds.cast_signed(),
            checkouts: counts.checkouts.cast_signed(),
            orders: counts.orders.cast_signed(),
            revenue: self.revenue_rows(),
            entry_page: text(&self.entry_page),
            exit_page: text(&self.exit_page),
            referrer: text(&self.referrer),
            utm_source,
            utm_medium,
            utm_campaign,
            order_ids: self.order_ids.iter().map(|order| order.value.clone()).collect(),
            updated_at: ended_ms * 1_000,
        }
    }

    /// The shop is what stands before the bar that the events' shop ids point at; without events, before the first.
    fn shop_of<'a>(&self, record_key: &'a str) -> &'a str {
        let known = self.shop_id_bytes.and_then(|bytes| record_key.get(..usize::try_from(bytes).ok()?));
        known.unwrap_or_else(|| record_key.split('|').next().unwrap_or_default())
    }

    fn revenue_rows(&self) -> Vec<RevenueRow> {
        let clamped = |amount: i128| amount.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        self.revenue
            .iter()
            .map(|(currency, amount)| RevenueRow { currency: currency.clone(), amount_minor: clamped(*amount) })
            .collect()
    }
}
