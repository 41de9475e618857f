//! The rules of validation, one test or more for each.

use proptest::prelude::*;

use super::super::fixture::Json;
use super::{EventType, MAX_EVENT_BYTES, RawEvent};
use crate::rejection::Reason;

const KEY: &str = "s1|a7";

fn reason(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Reason> {
    RawEvent::parse(key, value).err().map(|rejection| rejection.reason)
}

fn verdict(json: &Json) -> Result<(), Reason> {
    RawEvent::parse(Some(KEY.as_bytes()), Some(json.text().as_bytes())).map(drop).map_err(|rejection| rejection.reason)
}

#[test]
fn rule_21_a_key_that_is_null_empty_or_not_utf8_comes_before_everything() {
    let valid = Json::of("page").text();
    for key in [None, Some(&b""[..]), Some(b"s1|\xff"), Some(b"\xc3"), Some(b"s1|\xed\xa0\x80")] {
        for value in [None, Some(&b""[..]), Some(b"\xff"), Some(valid.as_bytes())] {
            assert_eq!(reason(key, value), Some(Reason::BadKey), "{key:?}");
        }
    }
}

#[test]
fn rule_20_null_and_no_bytes_are_empty() {
    assert_eq!(reason(Some(b"k"), None), Some(Reason::EmptyValue));
    assert_eq!(reason(Some(b"k"), Some(b"")), Some(Reason::EmptyValue));
    assert_eq!(reason(Some(b"k"), Some(b" ")), Some(Reason::NotJson), "a space is a byte");
}

#[test]
fn rule_20_exactly_512_kib_are_read_and_a_byte_more_is_too_large() {
    let frame = Json::of("page").with("pad", "\"\"").text().len();
    let padded = |bytes: usize| Json::of("page").with("pad", &format!("{:?}", "x".repeat(bytes - frame))).text();
    let (fits, too_large) = (padded(MAX_EVENT_BYTES), padded(MAX_EVENT_BYTES + 1));
    assert_eq!((fits.len(), too_large.len()), (524_288, 524_289));
    assert_eq!(reason(Some(KEY.as_bytes()), Some(fits.as_bytes())), None);
    assert_eq!(reason(Some(KEY.as_bytes()), Some(too_large.as_bytes())), Some(Reason::TooLarge));
    assert_eq!(reason(Some(KEY.as_bytes()), Some(&vec![0xff; 1 << 20])), Some(Reason::TooLarge), "size comes before UTF-8");
}

#[test]
fn rule_15_bytes_that_are_not_utf8_are_told_before_json() {
    for value in [
        &b"\xff"[..],
        b"{\"a\":\"\xc3\"}",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xf4\x90\x80\x80\"}",
        b"{\"a\":\"\xc0\xaf\"}",
        b"{\xfe",
    ] {
        assert_eq!(reason(Some(b"k"), Some(value)), Some(Reason::NotUtf8), "{value:?}");
    }
}

#[test]
fn rule_19_what_is_not_json_is_told_before_what_is_no_object() {
    let valid = Json::of("page").text();
    let deep = |levels: usize| Json::of("page").with("x", &format!("{}{}", "[".repeat(levels), "]".repeat(levels))).text();
    for (text, expected) in [
        ("[NaN]".to_owned(), Reason::NotJson),
        ("\u{feff}{}".to_owned(), Reason::NotJson),
        (format!("{valid}{valid}"), Reason::NotJson),
        (format!("{valid},"), Reason::NotJson),
        (format!("{valid}\0"), Reason::NotJson),
        (valid[..valid.len() - 1].to_owned(), Reason::NotJson),
        ("{\"type\":\"page\",}".to_owned(), Reason::NotJson),
        (deep(127), Reason::NotJson),
        ("[".repeat(MAX_EVENT_BYTES), Reason::NotJson),
        ("\"\\ud800\"".to_owned(), Reason::NotJson),
        ("[]".to_owned(), Reason::NotObject),
        ("null".to_owned(), Reason::NotObject),
        ("\"{}\"".to_owned(), Reason::NotObject),
        ("17".to_owned(), Reason::NotObject),
        (" [{}] \n".to_owned(), Reason::NotObject),
        ("{}".to_owned(), Reason::MissingField),
    ] {
        assert_eq!(reason(Some(KEY.as_bytes()), Some(text.as_bytes())), Some(expected), "{text:.60}");
    }
    for text in [deep(126), format!(" \r\n\t{valid} \n"), Json::of("page").with("x", "1e999").text()] {
        assert_eq!(reason(Some(KEY.as_bytes()), Some(text.as_bytes())), None, "{text:.60}");
    }
}

#[test]
fn rule_19_a_lone_surrogate_counts_only_at_the_top() {
    for json in [
        Json::of("page").with("event", r#""\ud800""#),
        Json::of("page").with("messageId", r#""m\udfff""#),
        Json::of("page").with("unknown", r#""\ud800""#),
        Json::of("page").with(r"\ud800", "1"),
        Json::of("page").with("context", r#""\ud800""#),
        Json::of("page").repeated("messageId", r#""\ud800""#).repeated("messageId", "\"m\""),
    ] {
        assert_eq!(verdict(&json), Err(Reason::NotJson), "{}", json.text());
    }
    for json in [
        Json::of("page").with("context", r#"{"ip":"\ud800","\ud800":1,"page":{"path":"\udc00"}}"#),
        Json::of("page").with("properties", r#"{"path":"\ud800","deep":["\ud800"]}"#),
        Json::of("page").with("traits", r#"{"name":"\ud800"}"#),
        Json::of("page").with("messageId", r#""\ud83d\ude00""#),
        Json::of("page").with("messageId", r#""\\ud800""#),
    ] {
        assert_eq!(verdict(&json), Ok(()), "{}", json.text());
    }
}

#[test]
fn rule_19_of_repeated_top_level_names_the_last_counts() {
    let json = Json::of("page")
        .with("messageId", "5")
        .repeated("messageId", "\"last\"")
        .repeated("shopId", "7")
        .repeated("shop\\u0049d", "\"s1\"");
    let text = json.text();
    let event = RawEvent::parse(Some(KEY.as_bytes()), Some(text.as_bytes())).expect("the last ones are valid");
    assert_eq!((&*event.message_id, &*event.shop_id), ("last", "s1"));
    assert_eq!(verdict(&Json::of("page").repeated("messageId", "5")), Err(Reason::WrongType));
    assert_eq!(verdict(&Json::of("page").repeated("messageId", "null")), Err(Reason::MissingField));
    let text = Json::of("page").with("context", r#"{"ip":"1","locale":"de"}"#).repeated("context", r#"{"ip":"2"}"#).text();
    let row = RawEvent::parse(Some(KEY.as_bytes()), Some(text.as_bytes())).expect("valid").into_clean(0);
    assert_eq!((row.ip.as_deref(), row.locale), (Some("2"), None), "nothing of the first context remains");
}

#[test]
fn rule_17_types_are_checked_at_the_top_only() {
    let strings = ["type", "messageId", "shopId", "writeKey", "receivedAt", "sentAt", "originalTimestamp", "timestamp", "event"];
    for name in strings {
        for raw in ["1", "true", "{}", "[]", "1.5", "[\"x\"]"] {
            assert_eq!(verdict(&Json::of("page").with(name, raw)), Err(Reason::WrongType), "{name} = {raw}");
        }
    }
    for name in ["anonymousId", "userId"] {
        for raw in ["1.0", "1e3", "true", "{}", "[]", "-1.5"] {
            assert_eq!(verdict(&Json::of("page").with(name, raw)), Err(Reason::WrongType), "{name} = {raw}");
        }
    }
    for name in ["context", "properties"] {
        for raw in ["1", "true", "\"{}\"", "[]", "[{}]"] {
            assert_eq!(verdict(&Json::of("page").with(name, raw)), Err(Reason::WrongType), "{name} = {raw}");
        }
    }
    for (name, raw) in
        [("traits", "5"), ("integrations", "[]"), ("name", "{}"), ("groupId", "7"), ("_metadata", "true"), ("x", "1e999")]
    {
        assert_eq!(verdict(&Json::of("page").with(name, raw)), Ok(()), "nothing is made of {name}");
    }
    let inside = r#"{"page":"x","campaign":[],"library":7,"ip":{},"userAgent":false,"locale":1}"#;
    assert_eq!(verdict(&Json::of("page").with("context", inside)), Ok(()));
}

#[test]
fn rule_17_null_and_the_empty_string_are_absent() {
    for raw in ["null", "\"\""] {
        for name in ["type", "messageId", "shopId", "writeKey", "receivedAt", "anonymousId"] {
            assert_eq!(verdict(&Json::of("page").with(name, raw)), Err(Reason::MissingField), "{name} = {raw}");
        }
        for name in ["userId", "event", "sentAt", "originalTimestamp", "timestamp", "context", "properties"] {
            assert_eq!(verdict(&Json::of("page").with(name, raw)), Ok(()), "{name} = {raw}");
        }
        assert_eq!(verdict(&Json::track("x").with("event", raw)), Err(Reason::MissingField), "event of track = {raw}");
        assert_eq!(verdict(&Json::of("page").with("anonymousId", raw).with("userId", "\"u\"")), Ok(()), "{raw}");
    }
}

#[test]
fn rule_16_required_fields_are_missed() {
    for name in ["type", "messageId", "shopId", "writeKey", "receivedAt", "anonymousId"] {
        assert_eq!(verdict(&Json::of("page").without(name)), Err(Reason::MissingField), "{name}");
    }
    assert_eq!(verdict(&Json::of("page").without("anonymousId").with("userId", "\"u\"")), Ok(()));
    assert_eq!(verdict(&Json::of("track")), Err(Reason::MissingField), "track needs its event");
    for kind in ["identify", "page", "screen", "group", "alias"] {
        assert_eq!(verdict(&Json::of(kind)), Ok(()), "{kind}");
    }
    assert_eq!(verdict(&Json::track(" ")), Ok(()), "a space is not empty");
}

#[test]
fn rule_17_whole_numbers_are_ids_by_their_digits() {
    for (raw, digits) in
        [("42", "42"), ("0", "0"), ("-7", "-7"), ("98765432109876543210987654321", "98765432109876543210987654321")]
    {
        let text = Json::of("page").with("anonymousId", raw).with("userId", raw).text();
        let key = format!("s1|{digits}");
        let event = RawEvent::parse(Some(key.as_bytes()), Some(text.as_bytes())).expect("valid");
        assert_eq!(
            (event.anonymous_id.as_deref(), event.user_id.as_deref(), event.visitor),
            (Some(digits), Some(digits), digits)
        );
    }
}

#[test]
fn rule_18_the_type_is_exactly_one_of_six() {
    for kind in ["track", "identify", "page", "screen", "group", "alias"] {
        let text = Json::of(kind).with("event", "\"E\"").text();
        let event = RawEvent::parse(Some(KEY.as_bytes()), Some(text.as_bytes())).expect("valid");
        assert_eq!(event.kind.as_str(), kind);
        assert_eq!(event.event.is_some(), event.kind == EventType::Track, "rule 22: event only for track");
    }
    for kind in ["Track", "PAGE", " page", "page ", "pageview", "batch", "import", "_"] {
        assert_eq!(verdict(&Json::of(kind)), Err(Reason::UnknownType), "{kind}");
    }
    assert_eq!(verdict(&Json::of("x").with("type", "\"p\\u0061ge\"")), Ok(()), "an escape is the character it stands for");
}

#[test]
fn rule_05_a_time_that_is_used_must_be_well_formed() {
    for name in ["receivedAt", "sentAt", "originalTimestamp", "timestamp"] {
        for text in
            ["yesterday", "2026-08-21", "2026-08-21T10:00:00", "2026-08-21T10:00:60Z", "2026-08-21T24:00:00Z", "1787306400", " "]
        {
            assert_eq!(verdict(&Json::of("page").with(name, &format!("{text:?}"))), Err(Reason::BadTimestamp), "{name} = {text}");
        }
    }
    let both = Json::of("page").with("originalTimestamp", "\"2026-08-21T09:00:00Z\"").with("timestamp", "\"nonsense\"");
    assert_eq!(verdict(&both), Ok(()), "the client's time is originalTimestamp, so timestamp isn't read");
    let empty = both.with("originalTimestamp", "\"\"");
    assert_eq!(verdict(&empty), Err(Reason::BadTimestamp), "an empty originalTimestamp leaves it to timestamp");
}

#[test]
fn rule_03_an_event_before_1970_has_a_bad_time_and_a_wrong_clock_that_can_be_mended_has_not() {
    let page = || Json::of("page");
    let mended = page().with("timestamp", "\"1969-12-31T23:00:00Z\"").with("sentAt", "\"1969-12-31T23:00:05Z\"");
    for (json, expected) in [
        (page().with("timestamp", "\"1969-12-31T23:59:59.999Z\""), Err(Reason::BadTimestamp)),
        (page().with("timestamp", "\"1970-01-01T00:00:00Z\""), Ok(())),
        (page().with("receivedAt", "\"1969-12-31T23:59:59Z\""), Err(Reason::BadTimestamp)),
        (
            page().with("timestamp", "\"1960-01-01T00:00:00Z\"").with("sentAt", "\"2026-08-21T10:00:00Z\""),
            Err(Reason::BadTimestamp),
        ),
        (mended, Ok(())),
    ] {
        assert_eq!(verdict(&json), expected, "{}", json.text());
    }
}

#[test]
fn rule_03_the_future_is_more_than_five_minutes_after_receipt() {
    let at = |name: &str, time: &str| Json::of("page").with(name, &format!("{time:?}"));
    for (json, expected) in [
        (at("timestamp", "2026-08-21T10:05:00Z"), Ok(())),
        (at("timestamp", "2026-08-21T10:05:00.0000009Z"), Ok(())),
        (at("timestamp", "2026-08-21T10:05:00.000001Z"), Err(Reason::FutureTimestamp)),
        (at("originalTimestamp", "2099-01-01T00:00:00Z"), Err(Reason::FutureTimestamp)),
        (at("timestamp", "2099-01-01T00:00:00Z").with("sentAt", "\"2099-01-01T00:00:01Z\""), Ok(())),
        (at("sentAt", "2099-01-01T00:00:00Z"), Ok(())),
        (at("sentAt", "1999-01-01T00:00:00Z"), Ok(())),
    ] {
        assert_eq!(verdict(&json), expected, "{}", json.text());
    }
}

#[test]
fn rule_21_the_key_is_shop_bar_visitor() {
    let anonymous = Json::of("page").text();
    let known = Json::of("page").without("anonymousId").with("userId", "\"u\"").text();
    let barred = Json::of("page").with("shopId", "\"s|1\"").with("anonymousId", "\"a|7\"").text();
    let escaped = Json::of("page").with("anonymousId", "\"a\\u0037\"").text();
    for (text, key, visitor) in [
        (&anonymous, "s1|a7", Some("a7")),
        (&anonymous, "s1|a8", None),
        (&anonymous, "s1|a7 ", None),
        (&anonymous, "s1|A7", None),
        (&anonymous, "s2|a7", None),
        (&anonymous, "s1|", None),
        (&anonymous, "s1", None),
        (&anonymous, "s1a7", None),
        (&anonymous, "|a7", None),
        (&anonymous, "s1||a7", None),
        (&anonymous, " s1|a7", None),
        (&known, "s1|user:00ff", Some("user:00ff")),
        (&known, "s1|anything", Some("anything")),
        (&known, "s1| ", Some(" ")),
        (&known, "s1|", None),
        (&barred, "s|1|a|7", Some("a|7")),
        (&escaped, "s1|a7", Some("a7")),
    ] {
        let event = RawEvent::parse(Some(key.as_bytes()), Some(text.as_bytes()));
        match (event, visitor) {
            (Ok(event), Some(visitor)) => assert_eq!((event.visitor, event.key), (visitor, key)),
            (Err(rejection), None) => assert_eq!(rejection.reason, Reason::KeyMismatch, "{key}"),
            (other, _) => panic!("{key} gives {other:?}"),
        }
    }
}

#[test]
fn rule_15_of_several_reasons_the_earliest_in_the_list_is_told() {
    let mut json = Json::of("page")
        .with("timestamp", "\"2026-08-21T11:00:00Z\"")
        .with("anonymousId", "\"other\"")
        .with("sentAt", "\"never\"")
        .with("type", "\"pageview\"")
        .without("messageId")
        .with("properties", "[]");
    for (expected, mend) in [
        (Reason::WrongType, ("properties", "{}")),
        (Reason::MissingField, ("messageId", "\"m\"")),
        (Reason::UnknownType, ("type", "\"page\"")),
        (Reason::BadTimestamp, ("sentAt", "null")),
        (Reason::KeyMismatch, ("anonymousId", "\"a7\"")),
        (Reason::FutureTimestamp, ("timestamp", "null")),
    ] {
        assert_eq!(verdict(&json), Err(expected), "{}", json.text());
        json = json.with(mend.0, mend.1);
    }
    assert_eq!(verdict(&json), Ok(()));
}

#[test]
fn rule_15_the_sentence_names_the_field_and_quotes_no_value() {
    for (json, sentence) in [
        (Json::of("page").with("messageId", "5"), "messageId is not a string"),
        (Json::of("page").without("writeKey"), "writeKey is absent"),
        (Json::of("secret"), "type is none of track, identify, page, screen, group and alias"),
        (
            Json::of("page").with("sentAt", "\"secret\""),
            "sentAt is not a time of the form YYYY-MM-DDTHH:MM:SS[.digits] with Z or ±HH:MM",
        ),
    ] {
        let rejection = RawEvent::parse(Some(KEY.as_bytes()), Some(json.text().as_bytes())).expect_err("invalid");
        assert_eq!(rejection.error, sentence);
    }
    let rejection = RawEvent::parse(Some(b"k"), Some(b"{\"a\":01}")).expect_err("invalid");
    assert_eq!(rejection.error, "the value is not JSON at byte 7: a number with a leading zero");
}

proptest! {
    #[test]
    fn rule_15_no_bytes_make_it_panic_and_a_valid_record_survives_no_cut(cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = Json::track("Order Completed")
            .with("context", r#"{"page":{"path":"/é","url":"\ud83d\ude00"},"campaign":{"source":"x"},"library":{"name":"n","version":"1"}}"#)
            .with("properties", r#"{"order_id":5,"currency":"EUR","revenue":1.5e1,"products":[{"product_id":"p"},7]}"#)
            .with("sentAt", "\"2026-08-21T09:59:59.5+00:00\"")
            .text();
        let cut = cut.index(text.len());
        prop_assert!(RawEvent::parse(Some(KEY.as_bytes()), Some(&text.as_bytes()[..cut])).is_err());
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(event) = RawEvent::parse(Some(KEY.as_bytes()), Some(&bytes)) {
            let row = event.into_clean(0);
            prop_assert!(row.occurred_at <= row.received_at && row.occurred_at >= 0);
        }
    }

    #[test]
    fn rule_15_arbitrary_bytes_are_refused_for_a_reason(key in prop::option::of(prop::collection::vec(any::<u8>(), 0..8)), value in prop::option::of(prop::collection::vec(any::<u8>(), 0..64))) {
        prop_assert!(reason(key.as_deref(), value.as_deref()).is_some());
    }
}
