//! One JSON object with borrowed members: the record itself, or an object inside it.
//!
//! It knows syntax and the order in which a record's shape is judged, and no business name. Members stay raw text until somebody asks for
//! them by type, so what nobody reads costs one scan.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::rejection::{Reason, Rejection};

/// The largest input value that is read.
pub const MAX_VALUE_BYTES: usize = 512 * 1024;

/// The deepest nesting of arrays and objects that counts as JSON here.
pub const MAX_NESTING_LEVELS: usize = 127;

type Member<'a> = (Cow<'a, [u8]>, &'a RawValue);

/// The members of one JSON object, in the order of the text.
#[derive(Debug, Default)]
pub struct Object<'a> {
    members: SmallVec<[Member<'a>; 16]>,
}

/// What a member holds, as far as its first byte tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    Text,
    /// A number, whole or not.
    Number,
    /// `true` or `false`
    Boolean,
}

/// What became of reading a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// It fits.
    Value(i64),
    /// It is whole but outside 64 bits.
    TooLarge,
    /// It has a fraction or an exponent, or isn't a number.
    Other,
}

impl<'a> Object<'a> {
    /// Reads a record's value, judging size, text and shape in the order in which the contract tests them.
    ///
    /// ```
    /// use shoppulse::object::Object;
    /// use shoppulse::rejection::Reason;
    ///
    /// let object = Object::of_record(br#"{"a":1,"a":"two"}"#).unwrap();
    /// assert_eq!(object.text("a").as_deref(), Some("two"));
    /// assert_eq!(Object::of_record(b"[1]").unwrap_err().reason, Reason::NotObject);
    /// ```
    pub fn of_record(value: &'a [u8]) -> Result<Self, Rejection> {
        if value.is_empty() {
            return Err(reject(Reason::EmptyValue, "the value has no bytes"));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(reject(Reason::TooLarge, "the value has more than 512 KiB"));
        }
        Self::of_bytes(value)
    }

    /// Reads JSON text of any size.
    pub(crate) fn of_bytes(value: &'a [u8]) -> Result<Self, Rejection> {
        let text = str::from_utf8(value)
            .map_err(|error| reject(Reason::NotUtf8, &format!("the value is not UTF-8 from byte {} on", error.valid_up_to())))?;
        if nesting_levels(value) > MAX_NESTING_LEVELS {
            return Err(reject(Reason::NotJson, "the value nests deeper than 127 levels"));
        }
        let Ok(object) = Self::of_text(text) else {
            return Err(shape_of_what_is_no_object(text));
        };
        if object.members.iter().all(has_whole_strings) {
            Ok(object)
        } else {
            Err(reject(Reason::NotJson, "a string at the top level holds a lone surrogate"))
        }
    }

    /// Reads an object inside a record; `None` if the member is none.
    pub fn of_member(member: &'a RawValue) -> Option<Self> {
        Self::of_text(member.get()).ok()
    }

    fn of_text(text: &'a str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer.deserialize_map(Members)?;
        deserializer.end()?;
        Ok(object)
    }

    /// The last member of that name; `None` if it is absent or null.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, member) = self.members.iter().rev().find(|(found, _)| found.as_ref() == name.as_bytes())?;
        (member.get() != "null").then_some(*member)
    }

    /// The member's text; `None` if it is absent, null or no sound string.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }
}

/// What kind of value the member holds; never called for null, which counts as absent.
pub fn kind(member: &RawValue) -> Kind {
    match member.get().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        _ => Kind::Number,
    }
}

/// The string that the member holds; `None` if it is no string or has a lone surrogate.
pub fn text(member: &RawValue) -> Option<Cow<'_, str>> {
    let raw = member.get();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str::<String>(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// The whole number that the member holds, told by its digits: `10.0` and `1e1` are not whole numbers here.
pub fn whole(member: &RawValue) -> Whole {
    let raw = member.get();
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Whole::Other;
    }
    raw.parse().map_or(Whole::TooLarge, Whole::Value)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut members = SmallVec::new();
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, map.next_value()?));
        }
        Ok(Object { members })
    }
}

/// A member's name as bytes: a lone surrogate in a name deep inside must not spoil the record.
struct Name<'a>(Cow<'a, [u8]>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

fn has_whole_strings((name, member): &Member<'_>) -> bool {
    // Only an escape can write half a surrogate pair: the text itself is UTF-8.
    let sound_name = matches!(name, Cow::Borrowed(_)) || str::from_utf8(name).is_ok();
    sound_name && (kind(member) != Kind::Text || text(member).is_some())
}

fn shape_of_what_is_no_object(value: &str) -> Rejection {
    match serde_json::from_str::<&RawValue>(value) {
        Ok(raw) if kind(raw) == Kind::Text && text(raw).is_none() => {
            reject(Reason::NotJson, "the value is a string with a lone surrogate")
        }
        Ok(_) => reject(Reason::NotObject, "the value is JSON but not an object"),
        Err(error) => reject(
            Reason::NotJson,
            &format!("the value is not JSON: it breaks off at line {}, column {}", error.line(), error.column()),
        ),
    }
}

/// The deepest nesting in the text, strings left out; right for JSON, and harmless for what isn't.
fn nesting_levels(value: &[u8]) -> usize {
    // A text of this many bytes can't hold the brackets.
    if value.len() <= 2 * MAX_NESTING_LEVELS {
        return 0;
    }
    let (mut levels, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for &byte in value {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                levels += 1;
                deepest = deepest.max(levels);
            }
            b'}' | b']' => levels = levels.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn reject(reason: Reason, error: &str) -> Rejection {
    Rejection { reason, error: error.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(value: &[u8]) -> Option<Reason> {
        Object::of_record(value).err().map(|rejection| rejection.reason)
    }

    #[test]
    fn rule_15_the_shape_is_judged_in_the_contracts_order() {
        for (value, expected) in [
            (&b""[..], Some(Reason::EmptyValue)),
            (b"\xff", Some(Reason::NotUtf8)),
            (b"{\"a\":\"\xc3\"}", Some(Reason::NotUtf8)),
            (b"{", Some(Reason::NotJson)),
            (b" ", Some(Reason::NotJson)),
            (b"[]", Some(Reason::NotObject)),
            (b"null", Some(Reason::NotObject)),
            (b"\"text\"", Some(Reason::NotObject)),
            (b"17", Some(Reason::NotObject)),
            (b"{}", None),
            (b" {\"a\" : null}\n", None),
        ] {
            assert_eq!(reason(value), expected, "{}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn rule_19_what_rfc_8259_forbids_is_not_json() {
        for value in [
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":'x'}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":{"b":1,}}"#,
            r"{a:1}",
            r#"{"a":1}{"a":1}"#,
            r#"{"a":1}x"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            r#"{"a":{"b":"\u12"}}"#,
            r#"{"a":{"b":"\q"}}"#,
            r#"{"a":truE}"#,
            "\u{feff}{}",
            "{\"a\":\"\n\"}",
            "{\"a\":{\"b\":\"\u{1}\"}}",
            "{\"a\":1} // comment",
        ] {
            assert_eq!(reason(value.as_bytes()), Some(Reason::NotJson), "{value:?}");
        }
    }

    #[test]
    fn rule_19_a_lone_surrogate_spoils_the_top_level_and_only_there() {
        for (value, expected) in [
            (r#"{"a":"\ud800"}"#, Some(Reason::NotJson)),
            (r#"{"a":"\ud800","a":1}"#, Some(Reason::NotJson)),
            (r#"{"\udc00":1}"#, Some(Reason::NotJson)),
            (r#""\ud800""#, Some(Reason::NotJson)),
            (r#"{"a":"\ud83d\ude00"}"#, None),
            (r#"{"a":["\ud800"]}"#, None),
            (r#"{"a":{"\ud800":"\ud800"}}"#, None),
        ] {
            assert_eq!(reason(value.as_bytes()), expected, "{value}");
        }
        let value = Object::of_record(br#"{"a":{"b":"\ud800","\ud800":1,"c":"d"}}"#).unwrap();
        let inner = Object::of_member(value.get("a").unwrap()).unwrap();
        assert_eq!((inner.text("b"), inner.text("c").as_deref()), (None, Some("d")));
    }

    #[test]
    fn rule_19_nesting_ends_at_127_levels() {
        for (levels, expected) in [(126, None), (127, Some(Reason::NotJson)), (5_000, Some(Reason::NotJson))] {
            let value = format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
            assert_eq!(reason(value.as_bytes()), expected, "{levels} levels inside the object");
        }
        let brackets_in_text = format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(300), "{".repeat(300));
        assert_eq!(reason(brackets_in_text.as_bytes()), None);
    }

    #[test]
    fn rule_19_of_repeated_names_the_last_counts() {
        let object = Object::of_record(br#"{"a":1,"\u0061":2,"b":1,"b":null}"#).unwrap();
        assert_eq!(object.get("a").map(whole), Some(Whole::Value(2)));
        assert!(object.get("b").is_none());
    }

    #[test]
    fn rule_20_half_a_mebibyte_is_the_limit() {
        let mut value = br#"{"a":"#.to_vec();
        value.resize(MAX_VALUE_BYTES - 2, b' ');
        value.extend(b"1}");
        assert_eq!(reason(&value), None);
        value.insert(5, b' ');
        assert_eq!(reason(&value), Some(Reason::TooLarge));
        assert_eq!(reason(&vec![0xff; MAX_VALUE_BYTES + 1]), Some(Reason::TooLarge));
    }

    #[test]
    fn rule_42_whole_numbers_are_told_by_their_digits() {
        for (text, expected) in [
            ("0", Whole::Value(0)),
            ("-0", Whole::Value(0)),
            ("9223372036854775807", Whole::Value(i64::MAX)),
            ("-9223372036854775808", Whole::Value(i64::MIN)),
            ("9223372036854775808", Whole::TooLarge),
            ("10.0", Whole::Other),
            ("1e1", Whole::Other),
            ("\"1\"", Whole::Other),
            ("true", Whole::Other),
            ("[1]", Whole::Other),
        ] {
            let value = format!(r#"{{"a":{text}}}"#);
            let object = Object::of_record(value.as_bytes()).unwrap();
            assert_eq!(object.get("a").map(whole), Some(expected), "{text}");
        }
    }
}
