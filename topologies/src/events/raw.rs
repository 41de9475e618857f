//! Judging one record of `raw.events`: either an event whose fields can be relied upon, or the first reason against it.
//!
//! It reads and judges. It corrects nothing, keeps nothing, and leaves the columns of the clean row to [`clean`](super::clean).

use std::borrow::Cow;

use super::json::{Value, is_whole};
use super::members::{self, Context, Members, Properties};
use super::time::Times;
use crate::rejection::{Reason, Rejection};
use crate::timestamp;

/// The longest value that is read.
pub const MAX_EVENT_BYTES: usize = 512 * 1024;

/// What kind of call an event was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Something named happened.
    Track,
    /// The visitor became known.
    Identify,
    /// A page was seen.
    Page,
    /// A screen of an app was seen.
    Screen,
    /// The visitor belongs to a group.
    Group,
    /// Two identities are one.
    Alias,
}

impl EventType {
    /// The type of exactly this name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "track" => Self::Track,
            "identify" => Self::Identify,
            "page" => Self::Page,
            "screen" => Self::Screen,
            "group" => Self::Group,
            "alias" => Self::Alias,
            _ => return None,
        })
    }

    /// The name in JSON and rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Identify => "identify",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }
}

/// A valid event. Its texts borrow from the record wherever no escape had to be decoded.
#[derive(Debug)]
pub struct RawEvent<'a> {
    /// The record's key.
    pub key: &'a str,
    /// The key behind the shop: the anonymous id, or a pseudonym of the user id.
    pub visitor: &'a str,
    /// What kind of call it was.
    pub kind: EventType,
    /// The SDK's id of the message.
    pub message_id: Cow<'a, str>,
    /// The shop it belongs to.
    pub shop_id: Cow<'a, str>,
    /// The key of the source that wrote it.
    pub write_key: Cow<'a, str>,
    /// The visitor as long as nobody knows them.
    pub anonymous_id: Option<Cow<'a, str>>,
    /// The visitor by the shop's own id.
    pub user_id: Option<Cow<'a, str>>,
    /// The name of what happened, for `track` only.
    pub event: Option<Cow<'a, str>>,
    /// When it happened.
    pub times: Times,
    pub(super) client_ip: Value<'a>,
    pub(super) context: Context<'a>,
    pub(super) properties: Properties<'a>,
}

impl<'a> RawEvent<'a> {
    /// Reads a record, or tells the first reason against it, in the order of [`Reason`] over the whole record.
    ///
    /// ```
    /// use shoppulse::events::{EventType, RawEvent};
    /// use shoppulse::rejection::Reason;
    ///
    /// let value = br#"{"type":"page","messageId":"m-1","shopId":"s1","writeKey":"w","anonymousId":"a7","receivedAt":"2026-08-21T10:00:00Z"}"#;
    /// let event = RawEvent::parse(Some(b"s1|a7"), Some(value)).expect("a valid event");
    /// assert_eq!((event.kind, event.visitor), (EventType::Page, "a7"));
    ///
    /// let rejection = RawEvent::parse(Some(b"s1|a7"), Some(b"{}")).expect_err("nothing is there");
    /// assert_eq!(rejection.reason, Reason::MissingField);
    /// ```
    pub fn parse(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Result<Self, Rejection> {
        let key = read_key(key)?;
        let text = read_text(value)?;
        let members = read_members(text)?;
        check_types(&members)?;
        let required = Required::of(&members)?;
        let kind = EventType::parse(&required.kind).ok_or_else(|| {
            Rejection::new(Reason::UnknownType, "type is none of track, identify, page, screen, group and alias")
        })?;
        let times = read_times(&members, &required.received_at)?;
        let anonymous_id = members.anonymous_id.string_or_digits();
        let visitor = read_visitor(key, &required.shop_id, anonymous_id.as_deref())?;
        if times.is_future() {
            return Err(Rejection::new(Reason::FutureTimestamp, "the corrected time lies more than 5 minutes after receivedAt"));
        }
        Ok(Self {
            key,
            visitor,
            kind,
            message_id: required.message_id,
            shop_id: required.shop_id,
            write_key: required.write_key,
            anonymous_id,
            user_id: members.user_id.string_or_digits(),
            event: if kind == EventType::Track { members.event.filled_string() } else { None },
            times,
            client_ip: members.client_ip,
            context: members.context,
            properties: members.properties,
        })
    }
}

fn read_key(key: Option<&[u8]>) -> Result<&str, Rejection> {
    let bad_key = |error| Rejection::new(Reason::BadKey, error);
    match key {
        None => Err(bad_key("the key is null")),
        Some([]) => Err(bad_key("the key is empty")),
        Some(bytes) => str::from_utf8(bytes).map_err(|_| bad_key("the key is not UTF-8")),
    }
}

pub(super) fn read_text(value: Option<&[u8]>) -> Result<&str, Rejection> {
    let bytes = value.unwrap_or_default();
    if bytes.is_empty() {
        let error = if value.is_none() { "the value is null" } else { "the value has no bytes" };
        return Err(Rejection::new(Reason::EmptyValue, error));
    }
    if bytes.len() > MAX_EVENT_BYTES {
        return Err(Rejection::new(
            Reason::TooLarge,
            format!("the value has {} bytes, more than {MAX_EVENT_BYTES}", bytes.len()),
        ));
    }
    str::from_utf8(bytes)
        .map_err(|error| Rejection::new(Reason::NotUtf8, format!("the value is not UTF-8 at byte {}", error.valid_up_to())))
}

pub(super) fn read_members(text: &str) -> Result<Members<'_>, Rejection> {
    members::read(text)
        .map_err(|malformed| {
            Rejection::new(Reason::NotJson, format!("the value is not JSON at byte {}: {}", malformed.at, malformed.what))
        })?
        .ok_or_else(|| Rejection::new(Reason::NotObject, "the value is JSON, but no object"))
}

/// Types matter for the members that are used; what the pipeline doesn't read may be anything.
pub(super) fn check_types(members: &Members<'_>) -> Result<(), Rejection> {
    let wrong = |name: &str, expected: &str| Err(Rejection::new(Reason::WrongType, format!("{name} is not {expected}")));
    let strings = [
        ("type", members.kind),
        ("messageId", members.message_id),
        ("shopId", members.shop_id),
        ("writeKey", members.write_key),
        ("receivedAt", members.received_at),
        ("sentAt", members.sent_at),
        ("originalTimestamp", members.original_timestamp),
        ("timestamp", members.timestamp),
        ("event", members.event),
    ];
    for (name, value) in strings {
        if !matches!(value, Value::String(_)) && !value.is_absent() {
            return wrong(name, "a string");
        }
    }
    for (name, value) in [("anonymousId", members.anonymous_id), ("userId", members.user_id)] {
        let is_id = matches!(value, Value::String(_)) || matches!(value, Value::Number(digits) if is_whole(digits));
        if !is_id && !value.is_absent() {
            return wrong(name, "a string or a whole number");
        }
    }
    for (name, value) in [("context", members.context.whole), ("properties", members.properties.whole)] {
        if !matches!(value, Value::Object(_)) && !value.is_absent() {
            return wrong(name, "an object");
        }
    }
    Ok(())
}

/// The fields without which there is no event, and its type still as text.
struct Required<'a> {
    kind: Cow<'a, str>,
    message_id: Cow<'a, str>,
    shop_id: Cow<'a, str>,
    write_key: Cow<'a, str>,
    received_at: Cow<'a, str>,
}

impl<'a> Required<'a> {
    fn of(members: &Members<'a>) -> Result<Self, Rejection> {
        let missing = |name: &str| Rejection::new(Reason::MissingField, format!("{name} is absent"));
        let required = |name: &str, value: Value<'a>| value.filled_string().ok_or_else(|| missing(name));
        let found = Self {
            kind: required("type", members.kind)?,
            message_id: required("messageId", members.message_id)?,
            shop_id: required("shopId", members.shop_id)?,
            write_key: required("writeKey", members.write_key)?,
            received_at: required("receivedAt", members.received_at)?,
        };
        if members.anonymous_id.is_absent() && members.user_id.is_absent() {
            return Err(missing("anonymousId as well as userId"));
        }
        if found.kind == EventType::Track.as_str() && members.event.is_absent() {
            return Err(missing("event of a track call"));
        }
        Ok(found)
    }
}

fn read_times(members: &Members<'_>, received_at: &str) -> Result<Times, Rejection> {
    let received_us = read_time("receivedAt", received_at)?;
    let optional = |name: &str, value: Value<'_>| value.filled_string().map(|text| read_time(name, &text)).transpose();
    let sent_us = optional("sentAt", members.sent_at)?;
    let client_us = if members.original_timestamp.is_absent() {
        optional("timestamp", members.timestamp)?
    } else {
        optional("originalTimestamp", members.original_timestamp)?
    };
    let times = Times::correct(received_us, sent_us, client_us);
    if times.is_before_1970() {
        return Err(Rejection::new(Reason::BadTimestamp, "the corrected time lies before 1970"));
    }
    Ok(times)
}

fn read_time(name: &str, text: &str) -> Result<i64, Rejection> {
    timestamp::parse_micros(text).ok_or_else(|| {
        Rejection::new(
            Reason::BadTimestamp,
            format!("{name} is not a time of the form YYYY-MM-DDTHH:MM:SS[.digits] with Z or ±HH:MM"),
        )
    })
}

fn read_visitor<'a>(key: &'a str, shop_id: &str, anonymous_id: Option<&str>) -> Result<&'a str, Rejection> {
    let mismatch = |error| Rejection::new(Reason::KeyMismatch, error);
    let visitor = key
        .strip_prefix(shop_id)
        .and_then(|rest| rest.strip_prefix('|'))
        .filter(|visitor| !visitor.is_empty())
        .ok_or_else(|| mismatch("the key is not shopId, a bar and a visitor"))?;
    match anonymous_id {
        Some(anonymous_id) if anonymous_id != visitor => Err(mismatch("the key's visitor is not anonymousId")),
        _ => Ok(visitor),
    }
}

#[cfg(test)]
mod tests;
