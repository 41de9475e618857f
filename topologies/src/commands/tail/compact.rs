//! JSON on one line: what was between its tokens goes, the tokens stay byte by byte, so that no number changes.

use serde_json::Value;
use serde_json::value::RawValue;

/// The document, if `text` is a JSON object or array that every reader takes. A bare number or string may as well be plain text, so it
/// is none; half a surrogate pair, or a number beyond all floats, is JSON by the letter, but would make the whole line unreadable to some.
pub(super) fn compact(text: &str) -> Option<Box<RawValue>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<Value>(text).ok()?;
    let mut compact = String::with_capacity(text.len());
    let (mut is_quoted, mut is_escaped) = (false, false);
    for letter in text.chars() {
        if is_quoted || !letter.is_ascii_whitespace() {
            compact.push(letter);
        }
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
    }
    RawValue::from_string(compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lose_their_layout_and_nothing_else() {
        let table = [
            ("{ \"a\" : 1.10,\n \"b\": [ 9223372036854775807 , 1e30 ] }", Some(r#"{"a":1.10,"b":[9223372036854775807,1e30]}"#)),
            (r#"{"a":1e400}"#, None),
            (r#"{"a":"\ud800"}"#, None),
            (r#"{"t": "two  \" words\\", "u": 1}"#, Some(r#"{"t":"two  \" words\\","u":1}"#)),
            (r#"{"a":1,"a":2}"#, Some(r#"{"a":1,"a":2}"#)),
            ("[]", Some("[]")),
            ("42", None),
            ("\"text\"", None),
            ("{broken", None),
            ("{} {}", None),
            ("shop|visitor", None),
        ];
        for (text, expected) in table {
            assert_eq!(compact(text).as_deref().map(RawValue::get), expected, "{text}");
        }
    }
}
