//! What a request's body holds: one message, or a batch of them, and what the body says about all of them.
//!
//! A batch is `{"batch":[…],"sentAt":"…","writeKey":"…"}`, in any order, with other members that nobody reads (Segment's HTTP API; seen
//! in captured requests of its SDKs). Messages are found, not judged.

use std::borrow::Cow;

use super::spans::{Scanner, Span};
use crate::events::EventType;

/// What a path says about its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A batch.
    Batch,
    /// One message; the type counts for a message that does not say its own.
    Message(EventType),
}

/// A body that was taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    /// The key of the source, if the body has one.
    pub(super) write_key: Option<Cow<'a, str>>,
    /// When the batch was sent: a JSON string, quotes included. Of one message it stands in the message.
    pub(super) sent_at: Option<&'a [u8]>,
    /// The messages, in order.
    pub(super) messages: Vec<Span<'a>>,
}

/// Why a body can't be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the body has no bytes")]
    Empty,
    #[error("the body is not one JSON object")]
    NotAnObject,
    #[error("the body has no array `batch`")]
    NoBatch,
    #[error("the batch has more events than are taken at once")]
    TooManyEvents,
}

impl<'a> Envelope<'a> {
    /// Takes a body apart. Of a repeated member the last counts.
    pub(super) fn read(body: &'a [u8], form: Form, events_max: usize) -> Result<Self, Unreadable> {
        let mut scanner = Scanner::new(body);
        if scanner.peek().is_none() {
            return Err(Unreadable::Empty);
        }
        let mut whole = scanner.clone();
        let mut found = Self::default();
        let mut batch = None;
        each_member(&mut scanner, |name, value| match name {
            "writeKey" => found.write_key = filled_string(value),
            "sentAt" => found.sent_at = Some(value).filter(|value| filled_string(value).is_some()),
            "batch" => batch = Some(value),
            _ => {}
        })
        .ok_or(Unreadable::NotAnObject)?;
        match form {
            Form::Batch => {
                found.messages = elements(batch.ok_or(Unreadable::NoBatch)?, events_max)?;
            }
            Form::Message(_) => {
                found.sent_at = None;
                found.messages = whole.value().into_iter().collect();
            }
        }
        Ok(found)
    }
}

/// Calls `visit` with each member of the document, which must be one object.
fn each_member<'a>(scanner: &mut Scanner<'a>, mut visit: impl FnMut(&str, &'a [u8])) -> Option<()> {
    if !scanner.takes(b'{') {
        return None;
    }
    let mut is_first = true;
    while !scanner.takes(b'}') {
        if !is_first && !scanner.takes(b',') {
            return None;
        }
        is_first = false;
        let name = scanner.peek().filter(|byte| *byte == b'"').and_then(|_| scanner.value())?;
        if !scanner.takes(b':') {
            return None;
        }
        let value = scanner.value()?;
        // A name that is no text is none that anybody reads.
        visit(&string(name.bytes).unwrap_or_default(), value.bytes);
    }
    scanner.peek().is_none().then_some(())
}

fn elements(array: &[u8], events_max: usize) -> Result<Vec<Span<'_>>, Unreadable> {
    let mut scanner = Scanner::new(array);
    let mut found = Vec::new();
    if !scanner.takes(b'[') {
        return Err(Unreadable::NoBatch);
    }
    while !scanner.takes(b']') {
        if !found.is_empty() && !scanner.takes(b',') {
            return Err(Unreadable::NoBatch);
        }
        if found.len() == events_max {
            return Err(Unreadable::TooManyEvents);
        }
        found.push(scanner.value().ok_or(Unreadable::NoBatch)?);
    }
    Ok(found)
}

/// The text of a JSON string; `None` if it is none.
fn string(json: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(json).ok()?;
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str::<String>(text).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

fn filled_string(json: &[u8]) -> Option<Cow<'_, str>> {
    string(json).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages, sending time and write key.
    type Found<'a> = (Vec<&'a str>, Option<&'a str>, Option<String>);

    fn batch(text: &str) -> Result<Found<'_>, Unreadable> {
        let found = Envelope::read(text.as_bytes(), Form::Batch, 3)?;
        let text = |bytes| str::from_utf8(bytes).unwrap();
        let messages = found.messages.iter().map(|span| text(span.bytes)).collect();
        Ok((messages, found.sent_at.map(text), found.write_key.map(Cow::into_owned)))
    }

    #[test]
    fn a_batch_is_taken_apart_whatever_is_wrong_with_its_messages() {
        for (text, messages, sent_at, write_key) in [
            (r#"{"batch":[]}"#, vec![], None, None),
            (
                r#" {"batch" : [ {"a":1} , {"b":"]"} ] , "sentAt" : "t" } "#,
                vec![r#"{"a":1}"#, r#"{"b":"]"}"#],
                Some("\"t\""),
                None,
            ),
            (r#"{"writeKey":"w","x":[1,{}],"batch":[7,"s",null]}"#, vec!["7", "\"s\"", "null"], None, Some("w")),
            (r#"{"batch":[{"a":tru},{"a":1}],"sentAt":5,"writeKey":""}"#, vec![r#"{"a":tru}"#, r#"{"a":1}"#], None, None),
            (r#"{"b\u0061tch":[1],"writeKey":"\u0077"}"#, vec!["1"], None, Some("w")),
            (r#"{"batch":[1],"batch":[2]}"#, vec!["2"], None, None),
        ] {
            let expected = Ok((messages, sent_at, write_key.map(str::to_owned)));
            assert_eq!(batch(text), expected, "{text}");
        }
    }

    #[test]
    fn a_body_that_is_no_batch_is_told_apart() {
        use Unreadable::{Empty, NoBatch, NotAnObject, TooManyEvents};
        for (text, expected) in [
            ("", Empty),
            (" \n", Empty),
            ("[]", NotAnObject),
            ("null", NotAnObject),
            (r#"{"batch":[]} x"#, NotAnObject),
            (r#"{"batch":[] "a":1}"#, NotAnObject),
            (r#"{"batch":[]"#, NotAnObject),
            ("{batch:[]}", NotAnObject),
            ("{}", NoBatch),
            (r#"{"batch":{}}"#, NoBatch),
            (r#"{"batch":[1 2]}"#, NoBatch),
            (r#"{"batch":[1,]}"#, NoBatch),
            (r#"{"batch":[1,2,3,4]}"#, TooManyEvents),
        ] {
            assert_eq!(batch(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn one_message_is_the_body_and_keeps_its_own_sending_time() {
        let text = r#" {"type":"page","writeKey":"w","sentAt":"t"} "#;
        let found = Envelope::read(text.as_bytes(), Form::Message(EventType::Page), 1).unwrap();
        let whole = Span { bytes: text.trim().as_bytes(), levels: 1 };
        assert_eq!(found, Envelope { write_key: Some("w".into()), sent_at: None, messages: vec![whole] });
    }
}
