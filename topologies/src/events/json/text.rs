//! JSON strings: finding their end, judging their escapes, and decoding them on demand.
//!
//! It works on text that is UTF-8 already and begins behind the opening quote.

use std::borrow::Cow;

use super::Malformed;

/// A string's characters between its quotes, not yet decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    raw: &'a str,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The characters stand for themselves.
    Plain,
    /// There are escapes, and all of them make characters.
    Escaped,
    /// One half of a surrogate pair stands alone: well-formed by the grammar, and no text.
    Broken,
}

impl<'a> Text<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    pub(crate) fn has_lone_surrogate(self) -> bool {
        self.form == Form::Broken
    }

    /// The text; `None` with a lone surrogate.
    #[inline]
    pub(crate) fn decode(self) -> Option<Cow<'a, str>> {
        match self.form {
            Form::Plain => Some(Cow::Borrowed(self.raw)),
            Form::Escaped => Some(Cow::Owned(unescape(self.raw))),
            Form::Broken => None,
        }
    }
}

/// Reads a string from behind its opening quote to behind its closing one.
#[inline]
pub(super) fn scan(text: &str, start: usize) -> Result<(Text<'_>, usize), Malformed> {
    let end = end_of_plain(text.as_bytes(), start);
    match text.as_bytes().get(end) {
        Some(b'"') => Ok((Text { raw: &text[start..end], form: Form::Plain }, end + 1)),
        _ => scan_escaped(text, start, end),
    }
}

/// Goes on from the first character that doesn't stand for itself; few strings have any.
#[cold]
fn scan_escaped(text: &str, start: usize, first: usize) -> Result<(Text<'_>, usize), Malformed> {
    let bytes = text.as_bytes();
    let mut form = Form::Plain;
    let mut at = first;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok((Text { raw: &text[start..at], form }, at + 1)),
            Some(b'\\') => {
                let (length, character) =
                    escape(&bytes[at..]).ok_or(Malformed { at, what: "an escape that JSON doesn't have" })?;
                at += length;
                form = if form == Form::Broken || character.is_none() { Form::Broken } else { Form::Escaped };
            }
            Some(_) => return Err(Malformed { at, what: "a control character in a string" }),
            None => return Err(Malformed { at, what: "an end within a string" }),
        }
        at = end_of_plain(bytes, at);
    }
}

/// The next byte that doesn't stand for itself: a quote, a backslash or a control character.
#[inline]
fn end_of_plain(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = special_bytes(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    end_of_plain_in_rest(bytes, at)
}

/// As [`end_of_plain`], for the last bytes of a document.
#[cold]
fn end_of_plain_in_rest(bytes: &[u8], start: usize) -> usize {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().position(special).unwrap_or(rest.len())
}

/// Sets the high bit of each special byte. Bits above the lowest one set may be wrong, for a subtraction borrows upwards; that one never is.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    // A byte that borrowed had its high bit clear before; bytes of longer characters have it set and are never special.
    (control | quote | backslash) & !word & HIGHS
}

/// The escape at the start of `bytes`: its length and its character, which a lone surrogate lacks. `None` for no escape of JSON.
fn escape(bytes: &[u8]) -> Option<(usize, Option<char>)> {
    let simple = |character| Some((2, Some(character)));
    match bytes.get(1)? {
        b'"' => simple('"'),
        b'\\' => simple('\\'),
        b'/' => simple('/'),
        b'b' => simple('\u{8}'),
        b'f' => simple('\u{c}'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'u' => {
            let first = code_unit(bytes)?;
            let second = if (0xd800..0xdc00).contains(&first) { code_unit(&bytes[6..]) } else { None };
            match second {
                Some(second @ 0xdc00..0xe000) => {
                    Some((12, char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))))
                }
                _ => Some((6, char::from_u32(first))),
            }
        }
        _ => None,
    }
}

/// The number in `\uXXXX`.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.first_chunk::<6>()?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// Decodes a string whose escapes [`scan`] found sound.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (length, character) = escape(&rest.as_bytes()[at..]).unwrap_or((1, None));
        out.push_str(&rest[..at]);
        out.extend(character);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}
