//! Strict JSON, one level at a time: members keep the exact text of their values, so that numbers stay exact and bytes stay
//! as sent. No value tree is built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::reason::Reason;

/// The greatest value, in bytes, that is read.
pub(crate) const MAX_VALUE_BYTES: usize = 512 * 1024;
const MAX_NESTING: usize = 127;

/// An object whose members are still text.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Object<'a> {
    /// Reads a record's value: its size, encoding, grammar and that it is an object, in the order of rule 15.
    pub(crate) fn read(value: Option<&'a [u8]>) -> Result<Self, Reason> {
        let bytes = value.filter(|bytes| !bytes.is_empty()).ok_or(Reason::EmptyValue)?;
        if bytes.len() > MAX_VALUE_BYTES {
            return Err(Reason::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?;
        let whole: &RawValue = serde_json::from_str(text).map_err(|_| Reason::NotJson)?;
        if nesting(whole.get()) > MAX_NESTING {
            return Err(Reason::NotJson);
        }
        if !whole.get().starts_with('{') {
            // A lone string is a top-level string too.
            let lone_surrogate = whole.get().starts_with('"') && string(whole.get()).is_none();
            return Err(if lone_surrogate { Reason::NotJson } else { Reason::NotObject });
        }
        let object = Self::nested(whole.get()).ok_or(Reason::NotJson)?;
        let lone_surrogate = object.members.iter().any(|(_, raw)| is_string(raw) && string(raw).is_none());
        if lone_surrogate { Err(Reason::NotJson) } else { Ok(object) }
    }

    /// Reads the text of a value that may be an object.
    pub(crate) fn nested(text: &'a str) -> Option<Self> {
        if text.starts_with('{') { serde_json::from_str(text).ok() } else { None }
    }

    /// The text of a member; of repeated names the last counts, and null is absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, raw) = self.members.iter().rev().find(|(member, _)| member == name)?;
        (*raw != "null").then_some(*raw)
    }

    /// The object that a member is, if it is one.
    pub(crate) fn object(&self, name: &str) -> Option<Self> {
        Self::nested(self.get(name)?)
    }

    /// The non-empty string that a member is, if it is one: inside an object a wrong type is an absent value.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        string(self.get(name)?).filter(|text| !text.is_empty())
    }

    /// As [`Self::text`], where a whole number counts as its digits.
    pub(crate) fn text_or_digits(&self, name: &str) -> Option<String> {
        self.text(name).or_else(|| whole_number(self.get(name)?).map(str::to_owned))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// A member's name, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            members.push((name.0, value.get()));
        }
        Ok(Object { members })
    }
}

/// Whether the text of a value is that of a string.
pub(crate) fn is_string(raw: &str) -> bool {
    raw.starts_with('"')
}

/// The string that the text of a value stands for; none for other types and for lone surrogates.
pub(crate) fn string(raw: &str) -> Option<String> {
    if is_string(raw) { serde_json::from_str(raw).ok() } else { None }
}

/// The digits of a whole number: a JSON number without fraction and exponent.
pub(crate) fn whole_number(raw: &str) -> Option<&str> {
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(raw)
}

/// Whether the text of a value is that of a number.
pub(crate) fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// The elements of an array as text, if the value is one.
pub(crate) fn elements(raw: &str) -> Option<Vec<&str>> {
    if !raw.starts_with('[') {
        return None;
    }
    let elements: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// How deep arrays and objects are nested in a well-formed text.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(value: &[u8]) -> Option<Reason> {
        Object::read(Some(value)).err()
    }

    #[test]
    fn values_are_refused_for_the_first_reason() {
        assert_eq!(Object::read(None).err(), Some(Reason::EmptyValue));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_VALUE_BYTES - 8));
        assert_eq!(large.len(), MAX_VALUE_BYTES);
        assert_eq!(reason(large.as_bytes()), None);
        assert_eq!(reason(format!("{large} ").as_bytes()), Some(Reason::TooLarge));
        for (value, expected) in [
            (&b""[..], Some(Reason::EmptyValue)),
            (b"{\"a\":\"\xff\"}", Some(Reason::NotUtf8)),
            (b" \t\n", Some(Reason::NotJson)),
            (b"{\"a\":NaN}", Some(Reason::NotJson)),
            (b"{\"a\":01}", Some(Reason::NotJson)),
            (b"{\"a\":1,}", Some(Reason::NotJson)),
            (b"{\"a\":1} x", Some(Reason::NotJson)),
            (b"{\"a\":\"\n\"}", Some(Reason::NotJson)),
            (b"\xef\xbb\xbf{}", Some(Reason::NotJson)),
            (b"[1,2", Some(Reason::NotJson)),
            (br#"{"a":"\ud800"}"#, Some(Reason::NotJson)),
            (br#"{"a":"\ud800","a":"b"}"#, Some(Reason::NotJson)),
            (br#"{"a":"\ud83d\ude00"}"#, None),
            (br#"{"a":{"b":"\ud800"}}"#, None),
            (b"[1,2]", Some(Reason::NotObject)),
            (b"null", Some(Reason::NotObject)),
            (b"\"a\"", Some(Reason::NotObject)),
            (b" {\"a\":1e400}\n", None),
        ] {
            assert_eq!(reason(value), expected, "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn a_hundred_and_twenty_seven_levels_are_the_limit() {
        let nested = |levels: usize| format!("{{\"a\":{}\"]}}\"{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert_eq!(reason(nested(127).as_bytes()), None);
        assert_eq!(reason(nested(128).as_bytes()), Some(Reason::NotJson));
    }

    #[test]
    fn members_keep_their_exact_text() {
        let object = Object::nested(r#"{"a":1, "n": null ,"a": 12.50 ,"o":{ "x" : "y" },"e":"","s":"\u0041","i":-7}"#).unwrap();
        assert_eq!(object.get("a"), Some("12.50"));
        assert_eq!((object.get("n"), object.get("z")), (None, None));
        assert_eq!(object.get("o"), Some(r#"{ "x" : "y" }"#));
        assert_eq!(object.object("o").unwrap().text("x").as_deref(), Some("y"));
        assert_eq!((object.text("e"), object.text("a")), (None, None));
        assert_eq!(object.text("s").as_deref(), Some("A"));
        assert_eq!(object.text_or_digits("i").as_deref(), Some("-7"));
        assert_eq!(object.text_or_digits("a"), None);
    }
}
