//! Key and value of `ops.quality`, the books. Not how records are counted.

use serde::{Deserialize, Serialize};

use crate::catalogue::{OPS_QUALITY_KEY, OPS_QUALITY_VALUE, TopicRecord, TopicSchema};

/// Identifies a line of the books.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct QualityKey {
    pub minute: i64,
    pub topology: String,
    pub topic: String,
    pub partition: i32,
    pub outcome: String,
    pub reason: String,
}

/// A line of the books: what became of the records of one minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the schema documents the fields, and a test keeps the two equal")]
pub struct QualityRow {
    pub minute: i64,
    pub topology: String,
    pub topic: String,
    pub partition: i32,
    pub outcome: String,
    pub reason: String,
    pub count: i64,
    pub row_version: i64,
    pub is_deleted: bool,
    pub updated_at: i64,
    pub processed_at: i64,
}

impl TopicRecord for QualityKey {
    const SCHEMA: TopicSchema = OPS_QUALITY_KEY;
}

impl TopicRecord for QualityRow {
    const SCHEMA: TopicSchema = OPS_QUALITY_VALUE;
}
