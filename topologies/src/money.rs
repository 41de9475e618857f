//! Money without floats: which currencies have minor units, and exact decimal text.
//!
//! It converts and rounds; it never exchanges one currency for another, and formats nothing.

mod currency;
mod decimal;

pub use currency::Currency;
pub use decimal::Decimal;
