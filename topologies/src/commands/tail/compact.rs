//! JSON on one line: what was between its tokens goes, the tokens stay byte by byte, so that no number changes.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The document, if `text` is a JSON object or array. A bare number or string may as well be plain text, so it is none.
pub(super) fn compact(text: &str) -> Option<Box<RawValue>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
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
            ("{ \"a\" : 1.10,\n \"b\": [ 9223372036854775807 , 1e400 ] }", Some(r#"{"a":1.10,"b":[9223372036854775807,1e400]}"#)),
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
