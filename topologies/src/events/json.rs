//! A strict reader of RFC 8259 that hands out slices of its input.
//!
//! It decides in one pass what is JSON and what is not, to the letter of rule 19, and leaves values undecoded until somebody asks. The libraries
//! each miss a part: skipped values nest without limit or keep malformed escapes, strings with a lone surrogate fail a record that may keep them,
//! and long numbers lose their digits. It builds no tree and serialises nothing.

use std::borrow::Cow;

mod text;

pub(crate) use text::Text;

/// How many containers may be open at once.
pub(crate) const MAX_NESTING: usize = 127;

/// A value, as the slice of input it stands in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Value<'a> {
    /// The member is not there. No JSON reads as this.
    #[default]
    Missing,
    Null,
    Bool,
    /// The number's own characters.
    Number(&'a str),
    String(Text<'a>),
    Array,
    /// From the brace to its partner.
    Object(&'a str),
}

impl<'a> Value<'a> {
    /// The string, unless it is empty or holds a lone surrogate; any other type is no string.
    pub(crate) fn filled_string(self) -> Option<Cow<'a, str>> {
        match self {
            Self::String(text) => text.decode().filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// As [`filled_string`](Self::filled_string), or the digits of a number without fraction and exponent.
    pub(crate) fn string_or_digits(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Number(digits) if is_whole(digits) => Some(Cow::Borrowed(digits)),
            other => other.filled_string(),
        }
    }

    /// Whether a record says nothing with it: no member, null or the empty string.
    pub(crate) fn is_absent(self) -> bool {
        match self {
            Self::Missing | Self::Null => true,
            Self::String(text) => text.is_empty(),
            _ => false,
        }
    }
}

/// Whether a JSON number is written without fraction and exponent.
pub(crate) fn is_whole(number: &str) -> bool {
    number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Why a text is not JSON, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

/// A position in a text.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Skips white space and shows the next byte.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// Refuses whatever follows the document but white space.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("text after the end of the document"),
        }
    }

    /// Reads one value in `depth` open containers.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(depth, &mut |reader, _| reader.value(depth + 1).map(drop)).map(Value::Object),
            Some(b'[') => self.array(depth, &mut |reader| reader.value(depth + 1).map(drop)).map(|()| Value::Array),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.literal("true", Value::Bool),
            Some(b'f') => self.literal("false", Value::Bool),
            Some(b'n') => self.literal("null", Value::Null),
            Some(_) => self.fail("a character that begins no value"),
            None => self.fail("an end where a value must stand"),
        }
    }

    /// Reads an object; `member` gets each name and must read exactly one value. Returns the object's slice.
    pub(crate) fn object<F>(&mut self, depth: usize, member: &mut F) -> Result<&'a str, Malformed>
    where
        F: FnMut(&mut Self, Text<'a>) -> Result<(), Malformed>,
    {
        let start = self.open(depth)?;
        if self.peek() == Some(b'}') {
            return Ok(self.close(start));
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.fail("no member's name where one must stand");
            }
            let name = self.string()?;
            if self.peek() != Some(b':') {
                return self.fail("no colon after a member's name");
            }
            self.at += 1;
            member(self, name)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return Ok(self.close(start)),
                _ => return self.fail("no comma or brace after a member"),
            }
        }
    }

    /// Reads an array; `element` must read exactly one value each time.
    pub(crate) fn array<F>(&mut self, depth: usize, element: &mut F) -> Result<(), Malformed>
    where
        F: FnMut(&mut Self) -> Result<(), Malformed>,
    {
        self.open(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("no comma or bracket after an element"),
            }
        }
    }

    fn open(&mut self, depth: usize) -> Result<usize, Malformed> {
        if depth >= MAX_NESTING {
            return self.fail("nesting deeper than 127 levels");
        }
        self.at += 1;
        Ok(self.at - 1)
    }

    fn close(&mut self, start: usize) -> &'a str {
        self.at += 1;
        &self.text[start..self.at]
    }

    fn string(&mut self) -> Result<Text<'a>, Malformed> {
        let (text, end) = text::scan(self.text, self.at + 1)?;
        self.at = end;
        Ok(text)
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.at += usize::from(self.next_is(b'-'));
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return self.fail("a number with a leading zero");
        }
        if self.next_is(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if self.next_is(b'e') || self.next_is(b'E') {
            self.at += 1;
            self.at += usize::from(self.next_is(b'+') || self.next_is(b'-'));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if self.at == start { self.fail("no digit where a number needs one") } else { Ok(&self.text[start..self.at]) }
    }

    fn next_is(&self, byte: u8) -> bool {
        self.text.as_bytes().get(self.at) == Some(&byte)
    }

    fn literal(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, Malformed> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.fail("a word that is not true, false or null");
        }
        self.at += word.len();
        Ok(value)
    }

    /// The error of this place.
    pub(crate) fn fail<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, what })
    }
}

#[cfg(test)]
mod tests;
