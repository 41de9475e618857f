//! A message as an SDK sends it, before a collector has made a record of it: what the record's key is made of, or the first reason why
//! no record can come of it.
//!
//! Only shape is judged. Times and keys are judged when the record is read, by [`RawEvent::parse`](super::RawEvent::parse).

use std::borrow::Cow;

use super::json::Value;
use super::raw::{EventType, check_types, read_members, read_text};
use crate::rejection::{Reason, Rejection};

/// What a collector has to know of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The visitor as long as nobody knows them.
    pub anonymous_id: Option<Cow<'a, str>>,
    /// The visitor by the shop's own id; a number's digits are one.
    pub user_id: Option<Cow<'a, str>>,
    /// Whether it says itself of which type it is.
    pub has_type: bool,
}

/// What a collector gives to a message, so that the message's own members of these names don't count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// The type that the request's path names, for a message without one.
    pub kind: Option<EventType>,
    /// Whether the batch says when it was sent.
    pub sent_at: bool,
}

impl<'a> Message<'a> {
    /// Reads a message, or tells the first reason against it, in the order of [`Reason`].
    ///
    /// ```
    /// use shoppulse::events::{Given, Message};
    /// use shoppulse::rejection::Reason;
    ///
    /// let message = Message::parse(br#"{"type":"identify","messageId":"m","userId":7}"#, Given::default()).expect("sound");
    /// assert_eq!((message.anonymous_id, message.user_id.as_deref()), (None, Some("7")));
    ///
    /// let nobody = Message::parse(br#"{"type":"page","messageId":"m"}"#, Given::default()).expect_err("no visitor");
    /// assert_eq!(nobody.reason, Reason::MissingField);
    /// ```
    pub fn parse(bytes: &'a [u8], given: Given) -> Result<Self, Rejection> {
        let mut members = read_members(read_text(Some(bytes))?)?;
        for own in [&mut members.shop_id, &mut members.write_key, &mut members.received_at] {
            *own = Value::Missing;
        }
        if given.sent_at {
            members.sent_at = Value::Missing;
        }
        check_types(&members)?;
        let missing = |name: &str| Err(Rejection::new(Reason::MissingField, format!("{name} is absent")));
        let kind = members.kind.filled_string();
        let has_type = kind.is_some();
        let Some(kind) = kind.or_else(|| given.kind.map(|kind| Cow::Borrowed(kind.as_str()))) else { return missing("type") };
        if members.message_id.is_absent() {
            return missing("messageId");
        }
        if members.anonymous_id.is_absent() && members.user_id.is_absent() {
            return missing("anonymousId as well as userId");
        }
        if kind == EventType::Track.as_str() && members.event.is_absent() {
            return missing("event of a track call");
        }
        if EventType::parse(&kind).is_none() {
            return Err(Rejection::new(Reason::UnknownType, "type is none of track, identify, page, screen, group and alias"));
        }
        let (anonymous_id, user_id) = (members.anonymous_id.string_or_digits(), members.user_id.string_or_digits());
        Ok(Self { anonymous_id, user_id, has_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::RawEvent;
    use crate::events::fixture::Json;

    #[test]
    fn what_is_wrong_with_a_message_is_what_the_pipeline_would_say() {
        // covers: R15, R16, R17, R18, R19
        let sent = |json: Json| json.without("shopId").without("writeKey").without("receivedAt");
        let cases = [
            sent(Json::track("x")),
            sent(Json::of("page")),
            sent(Json::of("page").without("anonymousId").with("userId", "12")),
            sent(Json::of("page").with("anonymousId", "null")),
            sent(Json::of("page").with("anonymousId", "1.5")),
            sent(Json::of("page").without("messageId")),
            sent(Json::of("page").with("messageId", "7")),
            sent(Json::of("track")),
            sent(Json::of("pages")),
            sent(Json::of("page").without("type")),
            sent(Json::of("page").with("context", "[]")),
            sent(Json::of("page").with("event", r#""\ud800""#)),
            sent(Json::of("page").with("sentAt", "5")),
        ];
        for sent in cases {
            let text = sent.text();
            let found = Message::parse(text.as_bytes(), Given::default()).map(drop);
            let whole =
                sent.with("shopId", "\"s1\"").with("writeKey", "\"w\"").with("receivedAt", "\"2026-08-21T10:00:00Z\"").text();
            let key = if found.is_ok() && text.contains("userId") { "s1|user:1" } else { "s1|a7" };
            let expected = RawEvent::parse(Some(key.as_bytes()), Some(whole.as_bytes())).map(drop);
            assert_eq!(found, expected, "{text}");
        }
        for (bytes, reason) in [
            (b"".as_slice(), Reason::EmptyValue),
            (b"\"x\"", Reason::NotObject),
            (b"{", Reason::NotJson),
            (b"{\"a\":\"\xff\"}", Reason::NotUtf8),
        ] {
            assert_eq!(Message::parse(bytes, Given::default()).unwrap_err().reason, reason, "{bytes:?}");
        }
    }

    #[test]
    fn members_that_the_collector_gives_are_not_judged() {
        let given = Given { kind: Some(EventType::Page), sent_at: true };
        let text = Json::of("page")
            .without("type")
            .with("shopId", "{}")
            .with("writeKey", "[1]")
            .with("receivedAt", "5")
            .with("sentAt", "false")
            .text();
        let message = Message::parse(text.as_bytes(), given).unwrap();
        assert!(!message.has_type);
        let own = Json::of("track").text();
        let refused = Message::parse(own.as_bytes(), given).unwrap_err();
        assert_eq!(refused.reason, Reason::MissingField, "its own type counts, and a track call has an event");
    }
}
