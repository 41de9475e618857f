//! Keys and values of `curated.customers` and `curated.customer_history`. Not how versions are ordered: that is the topology `customers`.

use serde::{Deserialize, Serialize};

use crate::catalogue::{
    CURATED_CUSTOMER_HISTORY_KEY, CURATED_CUSTOMER_HISTORY_VALUE, CURATED_CUSTOMERS_KEY, CURATED_CUSTOMERS_VALUE, TopicRecord,
    TopicSchema,
};

/// Identifies a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct CustomerKey {
    pub shop_id: String,
    pub customer_id: String,
}

/// A customer as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct CustomerRow {
    pub shop_id: String,
    pub customer_id: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub country: Option<String>,
    pub marketing_opt_in: bool,
    pub created_at: i64,
    pub source_updated_at: i64,
    pub valid_from: i64,
    pub row_version: i64,
    pub is_deleted: bool,
    pub updated_at: i64,
    pub processed_at: i64,
}

/// Identifies a version of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct CustomerVersionKey {
    pub shop_id: String,
    pub customer_id: String,
    pub valid_from: i64,
}

/// A customer as of the interval `[valid_from, valid_to)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct CustomerVersion {
    pub shop_id: String,
    pub customer_id: String,
    pub valid_from: i64,
    pub email: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub country: Option<String>,
    pub marketing_opt_in: bool,
    pub created_at: i64,
    pub source_updated_at: i64,
    pub valid_to: Option<i64>,
    pub is_current: bool,
    pub row_version: i64,
    pub is_deleted: bool,
    pub updated_at: i64,
    pub processed_at: i64,
}

impl TopicRecord for CustomerKey {
    const SCHEMA: TopicSchema = CURATED_CUSTOMERS_KEY;
}

impl TopicRecord for CustomerRow {
    const SCHEMA: TopicSchema = CURATED_CUSTOMERS_VALUE;
}

impl TopicRecord for CustomerVersionKey {
    const SCHEMA: TopicSchema = CURATED_CUSTOMER_HISTORY_KEY;
}

impl TopicRecord for CustomerVersion {
    const SCHEMA: TopicSchema = CURATED_CUSTOMER_HISTORY_VALUE;
}
