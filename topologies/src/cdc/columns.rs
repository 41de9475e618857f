//! Reads typed columns out of a change, and notes what is wrong with them.
//!
//! Every column is read even after a fault, since the contract says which of several faults is reported: the one tested first.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::cdc::cell::{Cell, UNAVAILABLE};
use crate::cdc::rows::Amount;
use crate::money::Currency;
use crate::object::{self, Kind, Object, Whole};
use crate::rejection::{Reason, Rejection};
use crate::timestamp::parse_micros;

/// The infinities of `timestamptz`, where a connector writes them as numbers.
const INFINITIES: [&str; 2] = ["9223372036825200000", "-9223372036832400000"];

/// Keeps the fault that is tested first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    first: Option<Rejection>,
}

impl Faults {
    /// Notes a fault; the sentence is made only if it is kept.
    pub(crate) fn note(&mut self, reason: Reason, error: impl FnOnce() -> String) {
        if self.first.as_ref().is_none_or(|first| reason < first.reason) {
            self.first = Some(Rejection { reason, error: error() });
        }
    }

    /// The first fault, which was noted.
    pub(crate) fn into_first(self) -> Rejection {
        self.first.expect("a fault was noted")
    }

    /// The value, if there was no fault.
    pub(crate) fn settle<T>(self, value: Option<T>) -> Result<T, Rejection> {
        match (self.first, value) {
            (Some(fault), _) => Err(fault),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(Rejection::new(Reason::Internal, "a value is missing without a noted fault")),
        }
    }
}

/// The members of an object by type: columns of a row, fields of an envelope or of an export line.
///
/// Each reader returns `None` for what is absent and for what is wrong; only the wrong, and the absent where it is required, is noted.
#[derive(Debug)]
pub struct Columns<'o, 'a, 'f> {
    object: &'o Object<'a>,
    before: Option<&'o Object<'a>>,
    /// Whether these are a row's columns, in which `""` is a value and times may be infinite.
    is_row: bool,
    faults: &'f mut Faults,
}

impl<'o, 'a, 'f> Columns<'o, 'a, 'f> {
    /// A row's columns: `""` is a value, and what the row leaves unsaid is taken from `before`.
    pub(crate) fn of_row(object: &'o Object<'a>, before: Option<&'o Object<'a>>, faults: &'f mut Faults) -> Self {
        Self { object, before, is_row: true, faults }
    }

    /// The fields of a message of our own making: `""` is absent.
    pub(crate) fn of_message(object: &'o Object<'a>, faults: &'f mut Faults) -> Self {
        Self { object, before: None, is_row: false, faults }
    }

    /// The faults, for what is wrong with several columns together.
    pub(crate) fn faults(&mut self) -> &mut Faults {
        self.faults
    }

    /// Passes a value on and notes it as missing if there is none. A fault of its own was noted before and is tested before.
    pub(crate) fn required<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.raw(name).is_none() {
            self.faults.note(Reason::MissingField, || format!("`{name}` is missing"));
        }
        value
    }

    /// A whole number within 64 bits.
    pub(crate) fn whole(&mut self, name: &str) -> Option<i64> {
        let raw = self.raw(name)?;
        match object::whole(raw) {
            Whole::Value(value) => Some(value),
            Whole::TooLarge => self.bad(Reason::BadValue, name, "is outside 64 bits"),
            Whole::Other => self.bad(Reason::WrongType, name, "is not a whole number"),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        let raw = self.raw(name)?;
        if object::kind(raw) == Kind::Boolean {
            Some(raw.get() == "true")
        } else {
            self.bad(Reason::WrongType, name, "is not a boolean")
        }
    }

    /// Any text.
    pub(crate) fn text(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.raw(name)?;
        if object::kind(raw) == Kind::Text { object::text(raw) } else { self.bad(Reason::WrongType, name, "is not a string") }
    }

    /// Text that the log may have left out.
    pub(crate) fn cell(&mut self, name: &str) -> Cell {
        self.text(name).map_or(Cell::Null, Cell::from_text)
    }

    /// Text that the log may have left out, in a column that is never null.
    pub(crate) fn required_cell(&mut self, name: &str) -> Option<Cell> {
        let text = self.text(name);
        self.required(name, text).map(Cell::from_text)
    }

    /// Text that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        self.required(name, text).map(Cow::into_owned)
    }

    /// A whole number that must be there.
    pub(crate) fn required_whole(&mut self, name: &str) -> Option<i64> {
        let value = self.whole(name);
        self.required(name, value)
    }

    /// A boolean that must be there.
    pub(crate) fn required_boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.boolean(name);
        self.required(name, value)
    }

    /// A decimal that must be there, as plain text.
    pub(crate) fn required_amount(&mut self, name: &str) -> Option<Amount> {
        let text = self.text(name);
        let text = self.required(name, text)?;
        Amount::parse(&text).or_else(|| self.bad(Reason::BadValue, name, "is not a plain decimal"))
    }

    /// A currency that must be there, written as the standard writes it.
    pub(crate) fn required_currency(&mut self, name: &str) -> Option<Currency> {
        let text = self.text(name);
        let text = self.required(name, text)?;
        Currency::parse(&text)
            .filter(|currency| currency.as_str() == text)
            .or_else(|| self.bad(Reason::UnknownCurrency, name, "is no active currency with minor units"))
    }

    /// A time that must be there, in microseconds since 1970.
    pub(crate) fn required_time(&mut self, name: &str) -> Option<i64> {
        let time = self.time(name);
        self.required(name, time)
    }

    /// A time, in microseconds since 1970.
    pub(crate) fn time(&mut self, name: &str) -> Option<i64> {
        let infinite = self.is_row && self.raw(name).is_some_and(|raw| INFINITIES.contains(&raw.get()));
        if infinite {
            return self.bad(Reason::BadTimestamp, name, "is infinite");
        }
        let text = self.text(name)?;
        parse_micros(&text).or_else(|| self.bad(Reason::BadTimestamp, name, "is not a timestamp with an offset"))
    }

    /// The member that counts: absent where it is null, and where its text can't be told.
    fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let raw = self.object.get(name)?;
        if object::kind(raw) != Kind::Text {
            return Some(raw);
        }
        match object::text(raw)? {
            text if !self.is_row && text.is_empty() => None,
            text if text == UNAVAILABLE => {
                // Columns whose values can be left out are text, and what is wrong with `before` is not this change's fault.
                self.before.and_then(|before| before.get(name)).filter(|told| object::text(told).is_some()).or(Some(raw))
            }
            _ => Some(raw),
        }
    }

    fn bad<T>(&mut self, reason: Reason, name: &str, what: &str) -> Option<T> {
        self.faults.note(reason, || format!("`{name}` {what}"));
        None
    }
}
