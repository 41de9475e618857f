//! The cells of one line by type, and what is wrong with them. Every cell is read even after a fault, as the one that is reported is the
//! one that the contract tests first.
//!
//! Sentences name columns, never what stands in them: they travel in headers, where nobody looks for personal data.

use std::io::Read;

use super::header::Column;
use super::records::Records;
use super::zones::Zones;
use crate::cdc::columns::Faults;
use crate::money::{Currency, Decimal};
use crate::rejection::Reason;
use crate::timestamp::parse_micros;

/// The current line of a file.
pub(super) struct Cells<'r, R> {
    records: &'r Records<R>,
    pub(super) faults: Faults,
}

impl<'r, R: Read> Cells<'r, R> {
    pub(super) fn new(records: &'r Records<R>) -> Self {
        Self { records, faults: Faults::default() }
    }

    /// Trimmed text; `None` if there is none.
    pub(super) fn text(&mut self, column: &Column) -> Option<&'r str> {
        let bytes = self.records.field(column.index?)?;
        let text = str::from_utf8(bytes);
        if text.is_err() {
            self.faults.note(Reason::NotUtf8, || format!("`{}` is not UTF-8", column.name));
        }
        text.ok().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Text that must be there.
    pub(super) fn required(&mut self, column: &Column) -> Option<&'r str> {
        let text = self.text(column);
        if text.is_none() {
            self.faults.note(Reason::MissingField, || format!("`{}` is empty", column.name));
        }
        text
    }

    /// The first of these columns that holds text.
    pub(super) fn first_of(&mut self, columns: &[Column]) -> Option<&'r str> {
        columns.iter().find_map(|column| self.text(column))
    }

    /// A currency; `None` if there is none.
    pub(super) fn currency(&mut self, column: &Column) -> Option<Currency> {
        let currency = Currency::parse(self.text(column)?);
        if currency.is_none() {
            self.faults.note(Reason::UnknownCurrency, || format!("`{}` is no currency with minor units", column.name));
        }
        currency
    }

    /// An amount of major units in minor ones, exactly; `None` if there is none.
    pub(super) fn amount(&mut self, column: &Column, currency: Option<Currency>) -> Option<i64> {
        let text = self.text(column)?;
        let Some(amount) = Decimal::parse_plain(text) else {
            self.faults.note(Reason::BadValue, || format!("`{}` is no plain decimal number", column.name));
            return None;
        };
        let currency = currency?;
        let minor = amount.to_minor_exactly(currency.exponent());
        if minor.is_none() {
            self.faults.note(Reason::BadValue, || {
                format!(
                    "`{}` has more than the {} decimals of {currency}, or is outside 64 bits",
                    column.name,
                    currency.exponent()
                )
            });
        }
        minor
    }

    /// An amount that must be there.
    pub(super) fn required_amount(&mut self, column: &Column, currency: Option<Currency>) -> Option<i64> {
        self.required(column)?;
        self.amount(column, currency)
    }

    /// A time in a zone, in microseconds; `None` if there is none. A text with an offset of its own needs no zone.
    pub(super) fn time(&mut self, column: &Column, zone: Option<&str>, zones: &Zones) -> Option<i64> {
        let text = self.text(column)?;
        let micros = match parse_micros(text) {
            Some(micros) => Ok(micros),
            None => in_zone(text, zone, zones),
        };
        match micros {
            Ok(micros) if micros >= 0 => return Some(micros),
            Ok(_) => self.faults.note(Reason::BadTimestamp, || format!("`{}` is before 1970", column.name)),
            Err(why) => self.faults.note(Reason::BadTimestamp, || format!("`{}` {why}", column.name)),
        }
        None
    }
}

/// `YYYY-MM-DD HH:MM:SS` at the offset of a zone.
fn in_zone(text: &str, zone: Option<&str>, zones: &Zones) -> Result<i64, String> {
    let local = match text.split_once([' ', 'T']) {
        Some((date, time)) => parse_micros(&format!("{date}T{time}Z")),
        None => None,
    };
    let local = local.ok_or_else(|| "is no time `YYYY-MM-DD HH:MM:SS`".to_owned())?;
    let zone = zone.ok_or_else(|| "has no time zone beside it".to_owned())?;
    let offset = zones.offset_seconds(zone).ok_or_else(|| {
        format!("is in the time zone {}, which is not known: `payments.time_zones` can say what it is", shown(zone))
    })?;
    Ok(local - offset * 1_000_000)
}

/// A zone's name, unless something else stands there.
fn shown(zone: &str) -> String {
    const NAME_MAX_BYTES: usize = 40;
    let is_name =
        zone.len() <= NAME_MAX_BYTES && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-:/_".contains(&byte));
    if is_name { format!("`{zone}`") } else { "(no name)".to_owned() }
}
