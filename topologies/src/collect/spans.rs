//! Finds where JSON values begin and end, by brackets and quotes alone.
//!
//! It does not judge: what lies between may be malformed. So one malformed message does not spoil the others of its batch, which
//! each are judged on their own.

use memchr::memchr2;

/// A value's bytes, and how many containers are open at once in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) levels: usize,
}

/// A position in a body.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Skips white space, and shows the next byte.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    /// Skips white space, and this byte if it is the next.
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// The next value; `None` if none begins here, or none ends.
    pub(super) fn value(&mut self) -> Option<Span<'a>> {
        let first = self.peek()?;
        let start = self.at;
        let levels = match first {
            b'"' => {
                self.string()?;
                0
            }
            b'{' | b'[' => self.container()?,
            b',' | b':' | b'}' | b']' => return None,
            _ => {
                self.scalar();
                0
            }
        };
        Some(Span { bytes: &self.bytes[start..self.at], levels })
    }

    /// Skips a string, from its opening quote to behind its closing one.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 2,
            }
        }
    }

    fn container(&mut self) -> Option<usize> {
        let (mut open, mut levels) = (0_usize, 0);
        loop {
            match *self.bytes.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => {
                    open += 1;
                    levels = levels.max(open);
                }
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(levels);
            }
        }
    }

    fn scalar(&mut self) {
        let rest = &self.bytes[self.at..];
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_ends_where_its_brackets_and_quotes_say() {
        for (text, value, levels) in [
            (r#" {"a":[1,{"b":"}"}]} ,"#, r#"{"a":[1,{"b":"}"}]}"#, 3),
            (r#""a\"b\\" ,"#, r#""a\"b\\""#, 0),
            ("12,", "12", 0),
            ("nul}", "nul", 0),
            ("[[[]]]x", "[[[]]]", 3),
            (r#"{"a":tru}]"#, r#"{"a":tru}"#, 1),
            ("{]", "{]", 1),
        ] {
            let found = Scanner::new(text.as_bytes()).value().map(|span| (span.bytes, span.levels));
            assert_eq!(found, Some((value.as_bytes(), levels)), "{text}");
        }
        for text in ["", "  ", "{", "[1,2", r#""abc"#, r#""abc\"#, r#"{"a"#, ",", "]", r#"{"a\"}"#] {
            assert_eq!(Scanner::new(text.as_bytes()).value(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_without_a_panic_and_within_the_body(bytes in prop::collection::vec(prop_oneof![
            Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b','), any::<u8>()
        ], 0..60)) {
            let mut scanner = Scanner::new(&bytes);
            while scanner.value().is_some() || scanner.takes(b',') {}
        }

        #[test]
        fn of_json_it_finds_the_whole(text in "(\\[|\\{\"k\":)?\"[a-z\\\\\"{}\\[\\]]{0,20}\"", number in any::<i32>()) {
            let inner = serde_json::json!([text, number, {"a": {"b": "}]"}}]);
            for value in [serde_json::json!({ text: [number] }), inner] {
                let json = value.to_string();
                let found = Scanner::new(json.as_bytes()).value().map(|span| span.bytes);
                prop_assert_eq!(found, Some(json.as_bytes()));
            }
        }
    }
}
