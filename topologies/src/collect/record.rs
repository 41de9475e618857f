//! From a message to a record of `raw.events`: the key, and the value, which is the message's own bytes with ours behind them.

use chrono::{DateTime, SecondsFormat};
use highwater::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::events::{EventType, Message};
use crate::timestamp;

/// Digits of a user's pseudonym.
const PSEUDONYM_DIGITS: usize = 32;

/// Makes keys: nothing personal is in one.
#[derive(Clone)]
pub(super) struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    pub(super) fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("a key of any length will do"))
    }

    /// Writes `shop|anonymousId`, or, where nobody is anonymous, `shop|user:` and the first 32 hex digits of the HMAC-SHA-256 of the
    /// user's id. `message` has one of the two.
    pub(super) fn key(&self, shop_id: &str, message: &Message<'_>, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(shop_id.as_bytes());
        out.push(b'|');
        match (&message.anonymous_id, &message.user_id) {
            (Some(anonymous_id), _) => out.extend_from_slice(anonymous_id.as_bytes()),
            (None, user_id) => {
                let mut mac = self.0.clone();
                mac.update(user_id.as_deref().unwrap_or_default().as_bytes());
                out.extend_from_slice(b"user:");
                let digits = mac.finalize().into_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
                out.extend(digits.take(PSEUDONYM_DIGITS).map(|digit| b"0123456789abcdef"[usize::from(digit)]));
            }
        }
    }
}

/// What is added to each message of a request: members in JSON, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Additions(Vec<u8>);

impl Additions {
    /// `sent_at` is a JSON string, quotes included; `client_ip` an address.
    pub(super) fn new(
        shop_id: &str,
        write_key: &str,
        received_at: Timestamp,
        sent_at: Option<&[u8]>,
        client_ip: Option<std::net::IpAddr>,
    ) -> Self {
        let mut json = Vec::new();
        member(&mut json, "shopId", shop_id);
        member(&mut json, "writeKey", write_key);
        member(&mut json, "receivedAt", &iso(received_at));
        if let Some(sent_at) = sent_at {
            json.extend_from_slice(b",\"sentAt\":");
            json.extend_from_slice(sent_at);
        }
        if let Some(client_ip) = client_ip {
            member(&mut json, "clientIp", &client_ip.to_string());
        }
        Self(json)
    }

    /// Writes the message with these members behind its own, which they win over. `message` is a sound JSON object from brace to
    /// brace; `kind` is added if it has none itself.
    pub(super) fn splice(&self, message: &[u8], kind: Option<EventType>, out: &mut Vec<u8>) {
        out.clear();
        let inner = message.strip_suffix(b"}").unwrap_or(message);
        out.extend_from_slice(inner);
        if inner.iter().skip(1).any(|byte| !byte.is_ascii_whitespace()) {
            out.push(b',');
        }
        out.extend_from_slice(&self.0);
        if let Some(kind) = kind {
            member(out, "type", kind.as_str());
        }
        out.push(b'}');
    }
}

fn member(json: &mut Vec<u8>, name: &str, value: &str) {
    if !json.is_empty() {
        json.push(b',');
    }
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    serde_json::to_writer(json, value).expect("a text can be written to memory");
}

/// A time as the pipeline reads it, in whole milliseconds.
fn iso(time: Timestamp) -> String {
    let text = DateTime::from_timestamp_millis(time.as_millis()).map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
    let text = text.unwrap_or_default();
    debug_assert!(timestamp::parse_micros(&text).is_some(), "{text}");
    text
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn message<'a>(anonymous_id: Option<&'a str>, user_id: Option<&'a str>) -> Message<'a> {
        Message { anonymous_id: anonymous_id.map(Cow::Borrowed), user_id: user_id.map(Cow::Borrowed), has_type: true }
    }

    #[test]
    fn a_key_holds_the_anonymous_id_or_a_pseudonym() {
        // covers: R21
        let pseudonyms = Pseudonyms::new("key");
        let mut key = Vec::new();
        for (anonymous_id, user_id, expected) in [
            (Some("a|7"), None, "s1|a|7"),
            (Some("ä"), Some("u"), "s1|ä"),
            // RFC 2104 by an independent program: printf 'u-1' | openssl dgst -sha256 -hmac key
            (None, Some("u-1"), "s1|user:7918bbf141a8482b421eab095a74c40e"),
        ] {
            pseudonyms.key("s1", &message(anonymous_id, user_id), &mut key);
            assert_eq!(str::from_utf8(&key).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_added_stands_behind_what_was_sent() {
        let received = Timestamp::from_millis(1_787_306_400_005);
        let mut out = Vec::new();
        let ip = Some(std::net::IpAddr::from([203, 0, 113, 9]));
        let additions = Additions::new("s\"1", "w", received, Some(b"\"then\""), ip);
        additions.splice(br#"{"a": 1 ,"shopId":"other"}"#, Some(EventType::Page), &mut out);
        let expected = r#"{"a": 1 ,"shopId":"other","shopId":"s\"1","writeKey":"w","receivedAt":"2026-08-21T10:00:00.005Z","sentAt":"then","clientIp":"203.0.113.9","type":"page"}"#;
        assert_eq!(str::from_utf8(&out).unwrap(), expected);
        Additions::new("s", "w", received, None, None).splice(b"{ }", None, &mut out);
        assert_eq!(str::from_utf8(&out).unwrap(), r#"{ "shopId":"s","writeKey":"w","receivedAt":"2026-08-21T10:00:00.005Z"}"#);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(names(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z\"\\\\}]{0,4}", Just("shopId".to_owned()), Just("receivedAt".to_owned()), Just("sentAt".to_owned())]
    }

    proptest! {
        #[test]
        fn a_record_is_the_sent_bytes_and_our_members_which_win(
            members in prop::collection::btree_map(names(), json(), 0..6), pretty: bool, shop in ".{1,8}", key in ".{1,8}",
        ) {
            let sent = Value::Object(members.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&sent) } else { serde_json::to_string(&sent) }.unwrap();
            let additions = Additions::new(&shop, &key, Timestamp::from_millis(7), Some(b"\"s\""), None);
            let mut out = Vec::new();
            additions.splice(text.as_bytes(), None, &mut out);
            prop_assert!(out.starts_with(&text.as_bytes()[..text.len() - 1]));
            // Of repeated names serde_json, too, keeps the last.
            let read: Value = serde_json::from_slice(&out).unwrap();
            let mut expected = sent;
            for (name, value) in [("shopId", &*shop), ("writeKey", &*key), ("receivedAt", "1970-01-01T00:00:00.007Z"), ("sentAt", "s")] {
                expected[name] = value.into();
            }
            prop_assert_eq!(read, expected);
        }
    }
}
