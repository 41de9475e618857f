//! A line of an export as `raw.payments` has it. Not the provider's line: nothing personal is in it.

use serde::Serialize;

use crate::payments::{LineKey, LineVersion, Provider};

/// What a report says about a payment line: which it is, and what is read back from `raw.payments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportLine {
    /// The provider's natural key.
    pub line_id: String,
    /// The rest.
    pub version: LineVersion,
}

/// The fields of a record's value, in the contract's order.
#[derive(Serialize)]
struct Value<'a> {
    shop_id: &'a str,
    provider: &'a str,
    line_id: &'a str,
    order_id: Option<&'a str>,
    kind: &'a str,
    currency: &'a str,
    gross_minor: i64,
    fee_minor: i64,
    net_minor: i64,
    occurred_at: String,
    available_on: Option<String>,
    file: &'a str,
    line_number: u64,
}

impl ExportLine {
    /// The key of its record.
    pub fn record_key(&self, shop_id: &str, provider: Provider) -> String {
        LineKey { shop_id: shop_id.to_owned(), provider, line_id: self.line_id.clone() }.record_key()
    }

    /// The value of its record; `file` and `line_number` say where it was found.
    pub fn record_value(&self, shop_id: &str, provider: Provider, file: &str, line_number: u64) -> Vec<u8> {
        let version = &self.version;
        let value = Value {
            shop_id,
            provider: provider.as_str(),
            line_id: &self.line_id,
            order_id: version.order_id.as_deref(),
            kind: version.kind.as_str(),
            currency: &version.currency,
            gross_minor: version.gross_minor,
            fee_minor: version.fee_minor,
            net_minor: version.net_minor,
            occurred_at: utc(version.occurred_at),
            available_on: version.available_on.map(utc),
            file,
            line_number,
        };
        serde_json::to_vec(&value).expect("text and numbers can be written as JSON")
    }
}

/// A time as records have it.
pub(super) fn utc(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
