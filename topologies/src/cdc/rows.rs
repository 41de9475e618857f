//! The three tables' rows, as far as anything reads them, and how each is read from a change.
//!
//! Two rows are equal if all columns that the contract names are. A column that the contract doesn't name is not here.

use serde::{Deserialize, Serialize};

use crate::cdc::cell::{Cell, UNAVAILABLE};
use crate::cdc::columns::Columns;
use crate::money::Decimal;
use crate::rejection::{Reason, Rejection};

/// A table's row.
pub trait Row: Sized + Clone + PartialEq {
    /// When the row says that it was last written, in microseconds; a snapshot's event time.
    fn written_at(&self) -> Option<i64>;

    /// Takes what this row leaves unsaid from the state before it; null where there is none.
    fn resolve(&mut self, before: Option<&Self>) -> Result<(), Rejection>;

    /// Reads every column and notes every fault; `None` if there was one. Only the envelope's reader can call it.
    fn read(columns: &mut Columns<'_, '_, '_>) -> Option<Self>;
}

/// A row of `customers`, without its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRow {
    /// The shop; never null.
    pub shop_id: String,
    /// Personal.
    pub email: Cell,
    /// Personal.
    pub name: Cell,
    /// Personal.
    pub phone: Cell,
    /// Without the blanks that `char(2)` pads it with; never empty.
    pub country: Cell,
    /// Whether the customer agreed to marketing.
    pub marketing_opt_in: bool,
    /// In microseconds.
    pub created_at: i64,
    /// In microseconds.
    pub updated_at: i64,
}

/// A row of `orders`, without its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// The shop; never null.
    pub shop_id: String,
    /// Null for a guest.
    pub customer_id: Option<i64>,
    /// The shop's own word.
    pub status: Cell,
    /// ISO 4217, upper-case.
    pub currency: String,
    /// Decimal digits of the currency's minor unit.
    pub exponent: u8,
    /// As the table holds it.
    pub discount: Amount,
    /// As the table holds it.
    pub shipping: Amount,
    /// As the table holds it.
    pub tax: Amount,
    /// In microseconds.
    pub placed_at: i64,
    /// In microseconds.
    pub updated_at: i64,
}

/// A row of `order_items`, without its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The order that the item belongs to.
    pub order_id: i64,
    /// The article.
    pub sku: Cell,
    /// The article's name at the time.
    pub title: Cell,
    /// How many; negative for a return, if the shop writes it so.
    pub quantity: i64,
    /// Price of one, in the order's currency.
    pub unit_price: Amount,
}

/// An exact amount in major units, as text: `numeric` has more digits than a machine number.
///
/// ```
/// use shoppulse::cdc::rows::Amount;
///
/// let price = Amount::parse("2.500").expect("a decimal");
/// assert_eq!(price, Amount::parse("2.5").expect("a decimal"));
/// assert_eq!(price.times_in_minor(3, 0), 8);
/// assert_eq!(Amount::parse("NaN"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount(String);

impl Amount {
    /// The amount that plain decimal text says; trailing zeros of the fraction mean nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Decimal::parse_plain(text)?;
        let shortest = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        Some(Self(shortest.to_owned()))
    }

    /// The amount in minor units, rounded half away from zero; `None` outside 64 bits.
    #[must_use]
    pub fn in_minor(&self, exponent: u8) -> Option<i64> {
        Decimal::parse_plain(&self.0)?.to_minor(exponent)
    }

    /// So many times the amount, in minor units, rounded once, after multiplying. Outside 64 bits it stays at the end of the range.
    #[must_use]
    pub fn times_in_minor(&self, quantity: i64, exponent: u8) -> i64 {
        let exact = Decimal::parse_plain(&self.0).and_then(|price| price.times(quantity)).and_then(|sum| sum.to_minor(exponent));
        exact.unwrap_or_else(|| if self.0.starts_with('-') == (quantity < 0) { i64::MAX } else { i64::MIN })
    }
}

impl Row for CustomerRow {
    fn written_at(&self) -> Option<i64> {
        Some(self.updated_at)
    }

    fn resolve(&mut self, before: Option<&Self>) -> Result<(), Rejection> {
        resolve_shop(&mut self.shop_id, before.map(|row| row.shop_id.as_str()))?;
        self.email.fill(before.map(|row| &row.email));
        self.name.fill(before.map(|row| &row.name));
        self.phone.fill(before.map(|row| &row.phone));
        self.country.fill(before.map(|row| &row.country));
        Ok(())
    }

    fn read(columns: &mut Columns<'_, '_, '_>) -> Option<Self> {
        let shop_id = columns.required_text("shop_id");
        let (email, name, phone) = (columns.cell("email"), columns.cell("name"), columns.cell("phone"));
        let country = match columns.cell("country") {
            Cell::Text(padded) => match padded.trim_end() {
                "" => Cell::Null,
                code => Cell::Text(code.to_owned()),
            },
            other => other,
        };
        let marketing_opt_in = columns.required_boolean("marketing_opt_in");
        let (created_at, updated_at) = (columns.required_time("created_at"), columns.required_time("updated_at"));
        Some(Self {
            shop_id: shop_id?,
            email,
            name,
            phone,
            country,
            marketing_opt_in: marketing_opt_in?,
            created_at: created_at?,
            updated_at: updated_at?,
        })
    }
}

impl Row for OrderRow {
    fn written_at(&self) -> Option<i64> {
        Some(self.updated_at)
    }

    fn resolve(&mut self, before: Option<&Self>) -> Result<(), Rejection> {
        resolve_shop(&mut self.shop_id, before.map(|row| row.shop_id.as_str()))?;
        self.status.fill(before.map(|row| &row.status));
        Ok(())
    }

    fn read(columns: &mut Columns<'_, '_, '_>) -> Option<Self> {
        let shop_id = columns.required_text("shop_id");
        let customer_id = columns.whole("customer_id");
        let status = columns.required_cell("status");
        let currency = columns.required_currency("currency");
        let [discount, shipping, tax] = ["discount", "shipping", "tax"].map(|name| {
            let amount = columns.required_amount(name)?;
            let fits = currency.is_none_or(|currency| amount.in_minor(currency.exponent()).is_some());
            if !fits {
                columns.faults().note(Reason::BadValue, || format!("`{name}` is outside 64 bits of minor units"));
            }
            Some(amount)
        });
        let (placed_at, updated_at) = (columns.required_time("placed_at"), columns.required_time("updated_at"));
        let currency = currency?;
        Some(Self {
            shop_id: shop_id?,
            customer_id,
            status: status?,
            currency: currency.as_str().to_owned(),
            exponent: currency.exponent(),
            discount: discount?,
            shipping: shipping?,
            tax: tax?,
            placed_at: placed_at?,
            updated_at: updated_at?,
        })
    }
}

impl Row for ItemRow {
    fn written_at(&self) -> Option<i64> {
        None
    }

    fn resolve(&mut self, before: Option<&Self>) -> Result<(), Rejection> {
        self.sku.fill(before.map(|row| &row.sku));
        self.title.fill(before.map(|row| &row.title));
        Ok(())
    }

    fn read(columns: &mut Columns<'_, '_, '_>) -> Option<Self> {
        let order_id = columns.required_whole("order_id");
        let sku = columns.required_cell("sku");
        let title = columns.cell("title");
        let quantity = columns.required_whole("quantity");
        let unit_price = columns.required_amount("unit_price");
        Some(Self { order_id: order_id?, sku: sku?, title, quantity: quantity?, unit_price: unit_price? })
    }
}

/// A shop is part of every output's key, so a row whose shop nobody ever said can't be used.
fn resolve_shop(shop_id: &mut String, before: Option<&str>) -> Result<(), Rejection> {
    if shop_id == UNAVAILABLE {
        before
            .ok_or_else(|| Rejection::new(Reason::MissingField, "`shop_id` is unavailable, and no earlier change says it"))?
            .clone_into(shop_id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_39_a_product_is_rounded_half_away_from_zero_after_multiplying() {
        for (price, quantity, exponent, minor) in [
            ("0.335", 1, 2, 34),
            ("-0.335", 1, 2, -34),
            ("0.335", -1, 2, -34),
            ("0.335", 2, 2, 67),
            ("0.005", 3, 2, 2),
            ("0.004", 1, 2, 0),
            ("19.99", 3, 0, 60),
            ("1.2345", 2, 3, 2469),
            ("12", 0, 2, 0),
            ("99999999999.999", 1_000_000_000, 2, i64::MAX),
            ("-99999999999.999", 1_000_000_000, 2, i64::MIN),
            ("99999999999.999", -1_000_000_000, 2, i64::MIN),
        ] {
            let amount = Amount::parse(price).unwrap();
            assert_eq!(amount.times_in_minor(quantity, exponent), minor, "{quantity} × {price} with {exponent} digits");
        }
    }

    #[test]
    fn rule_35_amounts_are_equal_by_value_not_by_their_zeros() {
        for (left, right) in [("2.50", "2.5"), ("2.000", "2"), ("0.000", "0"), ("100", "100")] {
            assert_eq!(Amount::parse(left), Amount::parse(right), "{left} and {right}");
        }
        for text in ["NaN", "Infinity", "", "1e2", "1.", ".5", " 1", "0x1"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }
}
