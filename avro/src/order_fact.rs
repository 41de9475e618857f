//! Key and value of `curated.order_facts`. Not how orders and payments meet: that is the topology `orders`.

use serde::{Deserialize, Serialize};

use crate::catalogue::{CURATED_ORDER_FACTS_KEY, CURATED_ORDER_FACTS_VALUE, TopicRecord, TopicSchema};

/// Identifies an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct OrderFactKey {
    pub shop_id: String,
    pub order_id: String,
}

/// An order with its items and its payments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct OrderFact {
    pub shop_id: String,
    pub order_id: String,
    pub customer_id: Option<String>,
    pub status: Option<String>,
    pub currency: Option<String>,
    pub placed_at: Option<i64>,
    pub lines: i64,
    pub units: i64,
    pub items_minor: i64,
    pub discount_minor: i64,
    pub shipping_minor: i64,
    pub tax_minor: i64,
    pub gross_minor: i64,
    pub paid_minor: i64,
    pub refunded_minor: i64,
    pub disputed_minor: i64,
    pub fees_minor: i64,
    pub net_minor: i64,
    pub payment_state: String,
    pub payments: i64,
    pub first_paid_at: Option<i64>,
    pub last_payment_at: Option<i64>,
    pub has_order: bool,
    pub row_version: i64,
    pub is_deleted: bool,
    pub updated_at: i64,
    pub processed_at: i64,
}

impl TopicRecord for OrderFactKey {
    const SCHEMA: TopicSchema = CURATED_ORDER_FACTS_KEY;
}

impl TopicRecord for OrderFact {
    const SCHEMA: TopicSchema = CURATED_ORDER_FACTS_VALUE;
}
