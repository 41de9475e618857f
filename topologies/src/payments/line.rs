//! Reads one record of `raw.payments`.
//!
//! It judges the record alone, in the contract's order of tests. `file` and `line_number` are checked and dropped: they say where a version
//! was found, not what it is. `available_on` serves only to tell versions apart.

use serde::{Deserialize, Serialize};

use crate::cdc::columns::{Columns, Faults};
use crate::object::Object;
use crate::rejection::{Reason, Rejection};
use crate::stored::Stored;

/// Who exported the line. In the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Provider {
    /// `adyen`
    Adyen,
    /// `stripe`
    Stripe,
}

/// What the line moves money for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A customer paid.
    Charge,
    /// A customer was paid back; gross is negative.
    Refund,
    /// A customer's bank took the money back; gross is negative.
    Dispute,
    /// The bank gave it back.
    DisputeReversal,
    /// The provider charged a fee.
    Fee,
    /// The provider paid the shop.
    Payout,
    /// A correction.
    Adjustment,
    /// Anything else.
    Other,
}

/// A line's identity, for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineKey {
    /// The shop.
    pub shop_id: String,
    /// The provider.
    pub provider: Provider,
    /// The provider's natural key.
    pub line_id: String,
}

/// What an export says about a line. Times are microseconds, amounts minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineVersion {
    /// The order, if it belongs to one.
    pub order_id: Option<String>,
    /// What for.
    pub kind: Kind,
    /// ISO 4217, upper-case.
    pub currency: String,
    /// What the customer paid or got.
    pub gross_minor: i64,
    /// What the provider kept.
    pub fee_minor: i64,
    /// What is left.
    pub net_minor: i64,
    /// When it happened.
    pub occurred_at: i64,
    /// When the money is there.
    pub available_on: Option<i64>,
}

impl Provider {
    /// The name in keys and columns.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adyen => "adyen",
            Self::Stripe => "stripe",
        }
    }

    /// The provider of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Adyen, Self::Stripe].into_iter().find(|provider| provider.as_str() == name)
    }
}

impl Kind {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::DisputeReversal => "dispute_reversal",
            Self::Fee => "fee",
            Self::Payout => "payout",
            Self::Adjustment => "adjustment",
            Self::Other => "other",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        const ALL: [Kind; 8] = [
            Kind::Charge,
            Kind::Refund,
            Kind::Dispute,
            Kind::DisputeReversal,
            Kind::Fee,
            Kind::Payout,
            Kind::Adjustment,
            Kind::Other,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Stored for LineKey {
    const FORMAT: u8 = 1;
}

impl LineKey {
    /// The record key of this line's versions. Ids may hold its separators, so that two lines can share it: a store's key is the packed form.
    ///
    /// ```
    /// use shoppulse::payments::{LineKey, Provider};
    ///
    /// let key = LineKey { shop_id: "s1".into(), provider: Provider::Stripe, line_id: "txn_1".into() };
    /// assert_eq!(key.record_key(), "s1|stripe:txn_1");
    /// ```
    #[must_use]
    pub fn record_key(&self) -> String {
        format!("{}|{}:{}", self.shop_id, self.provider.as_str(), self.line_id)
    }
}

/// Reads a record; the rejection is the one that the contract's order of tests finds first.
pub fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(LineKey, LineVersion), Rejection> {
    let key = key.filter(|key| !key.is_empty()).ok_or_else(|| Rejection::new(Reason::BadKey, "the key is empty"))?;
    let key = str::from_utf8(key).map_err(|_| Rejection::new(Reason::BadKey, "the key is not UTF-8"))?;
    let value = value.ok_or_else(|| Rejection::new(Reason::EmptyValue, "the value is null"))?;
    let object = Object::of_record(value)?;
    let mut faults = Faults::default();
    let (identity, version) = read_fields(&mut Columns::of_message(&object, &mut faults));
    if identity.as_ref().is_some_and(|identity| identity.record_key() != key) {
        faults.note(Reason::KeyMismatch, || "the key is not the value's `shop_id|provider:line_id`".to_owned());
    }
    faults.settle(identity.zip(version))
}

fn read_fields(columns: &mut Columns<'_, '_, '_>) -> (Option<LineKey>, Option<LineVersion>) {
    let shop_id = columns.required_text("shop_id");
    let provider = word(columns, "provider", Provider::parse);
    let line_id = columns.required_text("line_id");
    let order_id = columns.text("order_id");
    let kind = word(columns, "kind", Kind::parse);
    let currency = columns.required_currency("currency");
    let [gross, fee, net] = ["gross_minor", "fee_minor", "net_minor"].map(|name| columns.required_whole(name));
    let occurred_at = columns.required_time("occurred_at");
    let available_on = columns.time("available_on");
    let _: (Option<_>, Option<_>) = (columns.text("file"), columns.whole("line_number"));
    let identity = || Some(LineKey { shop_id: shop_id?, provider: provider?, line_id: line_id? });
    let version = || {
        Some(LineVersion {
            order_id: order_id.map(std::borrow::Cow::into_owned),
            kind: kind?,
            currency: currency?.as_str().to_owned(),
            gross_minor: gross?,
            fee_minor: fee?,
            net_minor: net?,
            occurred_at: occurred_at?,
            available_on,
        })
    };
    (identity(), version())
}

/// A word of a closed set that must be there.
fn word<T>(columns: &mut Columns<'_, '_, '_>, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let text = columns.required_text(name)?;
    let word = parse(&text);
    if word.is_none() {
        columns.faults().note(Reason::BadValue, || format!("`{name}` is none of the known words"));
    }
    word
}

#[cfg(test)]
mod tests;
