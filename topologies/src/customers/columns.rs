//! The rows of `curated.customers` and `curated.customer_history`, in their columns' order.
//!
//! Without `row_version` and `processed_at`, which are the engine's to give. Times are microseconds.

/// A row of `curated.customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerColumns {
    /// Key.
    pub shop_id: String,
    /// Key, in decimal.
    pub customer_id: String,
    /// Personal.
    pub email: Option<String>,
    /// Personal.
    pub name: Option<String>,
    /// Personal.
    pub phone: Option<String>,
    /// Without padding.
    pub country: Option<String>,
    /// As the table says.
    pub marketing_opt_in: bool,
    /// As the table says.
    pub created_at: i64,
    /// The table's `updated_at`.
    pub source_updated_at: i64,
    /// Since when the row holds.
    pub valid_from: i64,
    /// Whether the row is gone; its personal columns are null then.
    pub is_deleted: bool,
    /// Event time of the last change of this output row.
    pub updated_at: i64,
}

/// A row of `curated.customer_history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerVersionColumns {
    /// Key.
    pub shop_id: String,
    /// Key, in decimal.
    pub customer_id: String,
    /// Key: since when the version holds.
    pub valid_from: i64,
    /// Personal.
    pub email: Option<String>,
    /// Personal.
    pub name: Option<String>,
    /// Personal.
    pub phone: Option<String>,
    /// Without padding.
    pub country: Option<String>,
    /// As the table said.
    pub marketing_opt_in: bool,
    /// As the table said.
    pub created_at: i64,
    /// The table's `updated_at`.
    pub source_updated_at: i64,
    /// Until when it held, itself excluded; null while it holds.
    pub valid_to: Option<i64>,
    /// Whether it holds.
    pub is_current: bool,
    /// Whether the row is gone; its personal columns are null then.
    pub is_deleted: bool,
    /// Event time of the last change of this output row: of its start, its end, or of the delete that took its personal columns.
    pub updated_at: i64,
}

impl CustomerColumns {
    /// The row that takes this one away, by a change of that time.
    #[must_use]
    pub fn deleted(self, at: i64) -> Self {
        Self { email: None, name: None, phone: None, is_deleted: true, updated_at: self.updated_at.max(at), ..self }
    }
}

impl CustomerVersionColumns {
    /// The row that takes this one away, by a change of that time.
    #[must_use]
    pub fn deleted(self, at: i64) -> Self {
        Self { email: None, name: None, phone: None, is_deleted: true, updated_at: self.updated_at.max(at), ..self }
    }
}
