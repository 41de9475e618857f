//! The shop's tables and the reading of one of their rows, column by column (rules 31 and 35). Envelopes are read in
//! `changes`.

use std::collections::BTreeMap;

use crate::json::{self, Object};
use crate::money::{self, Decimal};
use crate::reason::{Problems, Reason};
use crate::time;

const UNAVAILABLE: &str = "__debezium_unavailable_value";
/// What Debezium makes of the timestamps infinity and -infinity where it writes instants as numbers.
const INFINITIES: [&str; 2] = ["9223372036825200000", "-9223372036832400000"];

/// A table, by its topic.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) topic: &'static str,
    pub(crate) columns: &'static [Column],
}

/// Name, type and whether null is forbidden.
type Column = (&'static str, Kind, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Text,
    Country,
    Currency,
    Flag,
    Decimal,
    Time,
}

/// The customers' table.
pub(crate) const CUSTOMERS: Table = Table {
    topic: "cdc.shop.public.customers",
    columns: &[
        ("id", Kind::Number, true),
        ("shop_id", Kind::Text, true),
        ("email", Kind::Text, false),
        ("name", Kind::Text, false),
        ("phone", Kind::Text, false),
        ("country", Kind::Country, false),
        ("marketing_opt_in", Kind::Flag, true),
        ("created_at", Kind::Time, true),
        ("updated_at", Kind::Time, true),
    ],
};

/// The orders' table.
pub(crate) const ORDERS: Table = Table {
    topic: "cdc.shop.public.orders",
    columns: &[
        ("id", Kind::Number, true),
        ("shop_id", Kind::Text, true),
        ("customer_id", Kind::Number, false),
        ("status", Kind::Text, true),
        ("currency", Kind::Currency, true),
        ("discount", Kind::Decimal, true),
        ("shipping", Kind::Decimal, true),
        ("tax", Kind::Decimal, true),
        ("placed_at", Kind::Time, true),
        ("updated_at", Kind::Time, true),
    ],
};

/// The table of the orders' items.
pub(crate) const ORDER_ITEMS: Table = Table {
    topic: "cdc.shop.public.order_items",
    columns: &[
        ("id", Kind::Number, true),
        ("order_id", Kind::Number, true),
        ("sku", Kind::Text, true),
        ("title", Kind::Text, false),
        ("quantity", Kind::Number, true),
        ("unit_price", Kind::Decimal, true),
    ],
};

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Flag(bool),
    Decimal(Decimal),
    /// Epoch microseconds.
    Time(i64),
    /// An unchanged value that the database did not send.
    Unavailable,
}

/// A row of a table, complete: every column of the table has a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row(BTreeMap<&'static str, Cell>);

impl Row {
    /// Reads the `after` of a change, noting all that is wrong with it.
    pub(crate) fn read(table: &Table, object: &Object<'_>, problems: &mut Problems) -> Self {
        let mut cells = BTreeMap::new();
        for &(name, kind, not_null) in table.columns {
            let cell = match object.get(name) {
                Some(raw) => read_cell(kind, raw).unwrap_or_else(|reason| {
                    problems.note(reason);
                    Cell::Null
                }),
                None => Cell::Null,
            };
            problems.note_if(not_null && cell == Cell::Null && lacks(object, name), Reason::MissingField);
            cells.insert(name, cell);
        }
        Self(cells)
    }

    /// The cells with those that are unavailable taken from another row, if it has them.
    pub(crate) fn filled_from(mut self, other: Option<&Self>) -> Self {
        for (name, cell) in &mut self.0 {
            if *cell == Cell::Unavailable
                && let Some(known) = other.map(|row| row.cell(name))
                && !matches!(known, Cell::Null | Cell::Unavailable)
            {
                *cell = known.clone();
            }
        }
        self
    }

    /// What is still unavailable becomes null.
    pub(crate) fn or_null(mut self) -> Self {
        for cell in self.0.values_mut().filter(|cell| **cell == Cell::Unavailable) {
            *cell = Cell::Null;
        }
        self
    }

    pub(crate) fn cell(&self, name: &str) -> &Cell {
        self.0.get(name).unwrap_or(&Cell::Null)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        if let Cell::Number(number) = self.cell(name) { Some(*number) } else { None }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        if let Cell::Text(text) = self.cell(name) { Some(text) } else { None }
    }

    pub(crate) fn time(&self, name: &str) -> Option<i64> {
        if let Cell::Time(micros) = self.cell(name) { Some(*micros) } else { None }
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        if let Cell::Flag(flag) = self.cell(name) { Some(*flag) } else { None }
    }

    /// A decimal in minor units; a cell without one is 0.
    pub(crate) fn minor(&self, name: &str, decimals: u32) -> i64 {
        if let Cell::Decimal(decimal) = self.cell(name) { decimal.minor(decimals).unwrap_or(0) } else { 0 }
    }
}

/// Whether a column has no value at all, or one that is absent, as a text with a lone surrogate is.
fn lacks(object: &Object<'_>, name: &str) -> bool {
    object.get(name).is_none_or(|raw| json::is_string(raw) && json::string(raw).is_none())
}

fn read_cell(kind: Kind, raw: &str) -> Result<Cell, Reason> {
    match kind {
        Kind::Number => match json::whole_number(raw) {
            Some(digits) => digits.parse().map(Cell::Number).map_err(|_| Reason::BadValue),
            None => Err(Reason::WrongType),
        },
        Kind::Flag => raw.parse().map(Cell::Flag).map_err(|_| Reason::WrongType),
        Kind::Time if INFINITIES.contains(&raw) => Err(Reason::BadTimestamp),
        _ if !json::is_string(raw) => Err(Reason::WrongType),
        _ => json::string(raw).map_or(Ok(Cell::Null), |text| read_text(kind, text)),
    }
}

fn read_text(kind: Kind, text: String) -> Result<Cell, Reason> {
    if text == UNAVAILABLE {
        return Ok(Cell::Unavailable);
    }
    match kind {
        Kind::Decimal => Decimal::plain(&text).map(Cell::Decimal).ok_or(Reason::BadValue),
        Kind::Time => time::parse(&text).map(Cell::Time).ok_or(Reason::BadTimestamp),
        Kind::Currency if money::exponent(&text).is_none() => Err(Reason::UnknownCurrency),
        Kind::Country => {
            let trimmed = text.trim_end();
            Ok(if trimmed.is_empty() { Cell::Null } else { Cell::Text(trimmed.to_owned()) })
        }
        _ => Ok(Cell::Text(text)),
    }
}
