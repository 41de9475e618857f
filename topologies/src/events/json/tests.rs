//! The reader beside `serde_json`: the same texts are JSON, and the same strings come out.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::{MAX_NESTING, Malformed, Reader, Value};

fn read(text: &str) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader::new(text);
    let value = reader.value(0)?;
    reader.end()?;
    Ok(value)
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

/// How many containers are open at once, in a text that is JSON.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[test]
fn rule_19_what_rfc_8259_allows_is_read() {
    for text in [
        "{}",
        "[]",
        " \t\r\n{ \t\r\n} \t\r\n",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0e-0",
        "1E+2",
        "1e999999",
        "123456789012345678901234567890.123456789012345678901234567890",
        "\"\"",
        r#""\"\\\/\b\f\n\r\t\u0000\uD83D\uDE00""#,
        "\"\u{7f}\u{80}\u{2028}\u{feff}\u{10ffff}\"",
        r#"{"":0,"a":[1,{"b":null}],"a":[]}"#,
        r#"["\ud800"]"#,
        r#"{"a":{"\udc00x":1}}"#,
    ] {
        assert!(read(text).is_ok(), "{text:?}");
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "{text:?}");
    }
}

#[test]
fn rule_19_what_rfc_8259_does_not_allow_is_refused() {
    for text in [
        "",
        " ",
        "\u{feff}{}",
        "{}\0",
        "{} {}",
        "{},",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "[",
        "{",
        "{\"a\":1",
        "]",
        "}",
        "[}",
        "{]",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "nulll",
        "True",
        "tru e",
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "5.",
        "5.e1",
        "1e",
        "1e+",
        "0x10",
        "1_0",
        "1.2.3",
        "--1",
        "\"",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\ud83d\\u12\"",
        "\"\\U0041\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{0}\"",
        "\"\u{1f}\"",
        "\"12345678\u{1f}\"",
        "/* */{}",
        "{}//",
        "\u{a0}{}",
        "\u{b}{}",
        "\u{c}1",
    ] {
        assert!(read(text).is_err(), "{text:?}");
        assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "{text:?}");
    }
}

#[test]
fn rule_19_127_levels_are_read_and_128_are_not() {
    for (open, close) in [("[", "]"), ("{\"a\":[", "]}"), ("[{\"a\":", "}]")] {
        let per_repeat = nesting(&format!("{open}0{close}"));
        for levels in [1, 2, 126, 127, 128, 129, 1_000, 200_000] {
            let repeats = levels / per_repeat;
            let text = format!("{}0{}", open.repeat(repeats), close.repeat(repeats));
            let is_read = repeats * per_repeat <= MAX_NESTING;
            assert_eq!(read(&text).is_ok(), is_read, "{open} × {repeats}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), is_read, "{open} × {repeats}");
        }
    }
    assert!(read(&format!("[{},{}]", nested("[", "]", 126), nested("[", "]", 126))).is_ok(), "what is closed no longer counts");
    assert!(read(&"[".repeat(500_000)).is_err());
    assert!(read(&"{\"a\":".repeat(100_000)).is_err());
    assert!(read(&format!("\"{}\"", "[".repeat(1_000))).is_ok(), "brackets in a string are characters");
}

#[test]
fn rule_19_a_lone_surrogate_is_no_text_and_a_pair_is() {
    for (text, decoded) in [
        (r#""\ud83d\ude00""#, Some("😀")),
        (r#""\uD83D\uDE00x""#, Some("😀x")),
        (r#""\ud800""#, None),
        (r#""\udc00""#, None),
        (r#""\ude00\ud83d""#, None),
        (r#""\ud800x""#, None),
        (r#""\ud800\n""#, None),
        (r#""\ud800\u0041""#, None),
        (r#""\ud800\ud83d\ude00""#, None),
        (r#""\ud83d\ude00\ud800""#, None),
        (r#""\ud800\n""#, None),
        (r#""\\ud800""#, Some("\\ud800")),
        (r#""\uffff\ufffe\u0000""#, Some("\u{ffff}\u{fffe}\0")),
    ] {
        let Ok(Value::String(string)) = read(text) else { panic!("{text} is a string") };
        assert_eq!(string.decode().as_deref(), decoded, "{text}");
        assert_eq!(serde_json::from_str::<String>(text).ok().as_deref(), decoded, "{text}");
        assert_eq!(string.has_lone_surrogate(), decoded.is_none());
    }
}

#[test]
fn rule_17_a_whole_number_has_neither_fraction_nor_exponent() {
    for (number, digits) in [
        ("5", Some("5")),
        ("-5", Some("-5")),
        ("0", Some("0")),
        ("123456789012345678901234567890", Some("123456789012345678901234567890")),
        ("5.0", None),
        ("5e0", None),
        ("5E3", None),
        ("true", None),
        ("null", None),
        ("[]", None),
        ("\"\"", None),
        ("\"5.0\"", Some("5.0")),
    ] {
        assert_eq!(read(number).expect("JSON").string_or_digits().as_deref(), digits, "{number}");
    }
}

/// Texts that are nearly JSON: small documents with a few characters changed.
fn nearly_json() -> impl Strategy<Value = String> {
    let string = || "(\"([a-z é\u{1F600}]|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-f]{4}|\\\\ud83d\\\\ude00|\\\\ud8[0-9a-f]{2}){0,6}\")";
    let number = "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![string(), number, Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned())];
    let space = "[ \t\r\n]{0,2}";
    let document = leaf.prop_recursive(5, 40, 5, move |inner| {
        let member = (string(), space, inner.clone()).prop_map(|(name, space, value)| format!("{name}{space}:{space}{value}"));
        prop_oneof![
            (prop::collection::vec(inner, 0..5), space)
                .prop_map(|(values, space)| format!("[{space}{}{space}]", values.join(","))),
            (prop::collection::vec(member, 0..5), space)
                .prop_map(|(members, space)| format!("{{{}{space}}}", members.join(&format!(",{space}")))),
        ]
    });
    let changes = prop::collection::vec(
        (any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\0-9eE+\\-.untrfl \u{1}\u{1f}é]{0,2}", any::<bool>()),
        0..3,
    );
    (document, changes).prop_map(|(document, changes)| {
        let mut characters: Vec<char> = document.chars().collect();
        for (at, new, replace) in changes {
            let at = at.index(characters.len() + 1);
            let end = (at + usize::from(replace)).min(characters.len());
            characters.splice(at..end, new.chars());
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn rule_19_nearly_json_is_judged_as_serde_json_judges(text in nearly_json()) {
        let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok() && nesting(&text) <= MAX_NESTING;
        prop_assert_eq!(read(&text).is_ok(), is_json, "{:?}", text);
    }

    #[test]
    fn rule_19_any_soup_of_json_characters_is_judged_as_serde_json_judges(text in "[\\[\\]{}\",:\\\\0-2eE+\\-.untrfalsex \n\u{1f}é]{0,24}") {
        let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(read(&text).is_ok(), is_json, "{:?}", text);
    }

    #[test]
    fn rule_19_strings_decode_as_in_serde_json(body in "([ -~é\u{1F600}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\u[dD][89abABcdefCDEF][0-9a-f]{2}){0,40}") {
        let text = format!("\"{body}\"");
        if let Ok(Value::String(string)) = read(&text) {
            prop_assert_eq!(string.decode().map(std::borrow::Cow::into_owned), serde_json::from_str::<String>(&text).ok(), "{}", text);
        } else {
            prop_assert!(serde_json::from_str::<String>(&text).is_err(), "{}", text);
        }
    }

    #[test]
    fn rule_19_a_special_character_is_found_wherever_it_stands(plain in "[a-zé\u{80}\u{7f}~ !#]{0,40}", special in "[\u{0}-\u{1f}]") {
        let text = format!("\"{plain}{special}\"");
        prop_assert_eq!(read(&text).err().map(|malformed| malformed.at), Some(plain.len() + 1));
        let closed = format!("\"{plain}\"");
        prop_assert!(read(&closed).is_ok());
        let unescaped = format!("\"{plain}\"{plain}\"");
        prop_assert!(read(&unescaped).is_err());
    }

    #[test]
    fn rule_25_an_object_is_handed_out_byte_by_byte(text in nearly_json()) {
        let padded = format!(" {text}\n");
        if let Ok(Value::Object(slice)) = read(&padded) {
            prop_assert_eq!(slice, text.trim_matches([' ', '\t', '\r', '\n']));
        }
    }
}
