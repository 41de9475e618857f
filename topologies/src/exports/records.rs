//! Cuts a stream of CSV into records, each with its own bytes, its first line's number and its end in the file. Not what fields mean.
//!
//! The grammar is `csv-core`'s. What is added is that nothing can swallow the file: a record that breaks off, is too long, or spans lines without
//! being clean and as wide as the header, is taken to be broken at its first line, and reading goes on at the second.

use std::io::{self, Read};

use csv_core::ReadRecordResult;
use sha2::{Digest as _, Sha256};

use crate::object::MAX_VALUE_BYTES;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What the next stretch of the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A record, whose fields can be asked for.
    Record,
    /// A line that is no record: a quote that opens in it does not close, or it goes on into lines that don't belong to it.
    Broken,
    /// A line that is longer than inputs may be; only its beginning is kept.
    TooLong,
    /// Nothing more.
    End,
}

/// How a record was framed, before its width is looked at.
enum Frame {
    Whole(usize),
    Unclosed,
    TooLong,
}

/// The records of one file, in constant memory.
pub(super) struct Records<R> {
    source: R,
    csv: csv_core::Reader,
    window: Vec<u8>,
    /// Where the current record begins in the window, how long it is, and where what was read ends.
    start: usize,
    length: usize,
    filled: usize,
    at_end: bool,
    fields: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
    position: u64,
    line: u64,
    next_line: u64,
    digest: Sha256,
}

impl<R: Read> Records<R> {
    pub(super) fn new(source: R) -> io::Result<Self> {
        let mut records = Self {
            source,
            csv: csv_core::Reader::new(),
            window: Vec::new(),
            start: 0,
            length: 0,
            filled: 0,
            at_end: false,
            fields: vec![0; 1 << 10],
            ends: vec![0; 64],
            width: 0,
            position: 0,
            line: 1,
            next_line: 1,
            digest: Sha256::new(),
        };
        while records.filled < BYTE_ORDER_MARK.len() && records.fill()? {}
        if records.rest().starts_with(BYTE_ORDER_MARK) {
            records.accept(BYTE_ORDER_MARK.len());
        }
        Ok(records)
    }

    /// Goes on to the next record. With a `width`, one that spans several lines must have so many fields.
    pub(super) fn advance(&mut self, width: Option<usize>) -> io::Result<Found> {
        self.start += self.length;
        self.length = 0;
        self.width = 0;
        self.skip_line_breaks()?;
        if self.rest().is_empty() {
            return Ok(Found::End);
        }
        self.line = self.next_line;
        let frame = self.frame()?;
        let first_line = self.first_line();
        match frame {
            Frame::Whole(length) => {
                let spans_lines = first_line.is_some_and(|first| first < length);
                let has_width = width.is_none_or(|width| width == self.width);
                if spans_lines && !(has_width && is_strict(self.rest().get(..length).unwrap_or_default())) {
                    return Ok(self.break_off(first_line));
                }
                self.take(length);
                Ok(Found::Record)
            }
            Frame::Unclosed => Ok(self.break_off(first_line)),
            Frame::TooLong if first_line.is_some() => Ok(self.break_off(first_line)),
            Frame::TooLong => {
                self.take(MAX_VALUE_BYTES);
                Ok(Found::TooLong)
            }
        }
    }

    /// Passes over the rest of a line of which [`Found::TooLong`] gave the beginning.
    pub(super) fn finish_line(&mut self) -> io::Result<()> {
        self.start += self.length;
        self.length = 0;
        loop {
            let line_end = self.rest().iter().position(|byte| *byte == b'\n');
            self.accept(line_end.map_or_else(|| self.rest().len(), |at| at + 1));
            if line_end.is_some() || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// A field of the current record.
    pub(super) fn field(&self, index: usize) -> Option<&[u8]> {
        let from = if index == 0 { 0 } else { *self.ends.get(..self.width)?.get(index - 1)? };
        let to = *self.ends.get(..self.width)?.get(index)?;
        self.fields.get(from..to)
    }

    /// How many fields the current record has.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The current record's bytes, without the line break at its end.
    pub(super) fn raw(&self) -> &[u8] {
        let raw = self.window.get(self.start..self.start + self.length).unwrap_or_default();
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        raw.strip_suffix(b"\r").unwrap_or(raw)
    }

    /// The number of the current record's first line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How many bytes of the file were read, the current record included.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The SHA-256 of those bytes, in hex.
    pub(super) fn fingerprint(&self) -> String {
        use std::fmt::Write as _;
        self.digest.clone().finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.start..self.filled).unwrap_or_default()
    }

    /// Reads more; whether there was any.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at_end {
            return Ok(false);
        }
        if self.start > 0 {
            self.window.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.window.len() < self.filled + READ_BYTES {
            self.window.resize(self.filled + READ_BYTES, 0);
        }
        let read = loop {
            match self.source.read(&mut self.window[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.filled += read;
        self.at_end = read == 0;
        Ok(read > 0)
    }

    /// Counts bytes as read and leaves them behind.
    fn accept(&mut self, bytes: usize) {
        self.take(bytes);
        self.start += bytes;
        self.length = 0;
    }

    /// Counts bytes as read and keeps them as the current record.
    fn take(&mut self, bytes: usize) {
        let taken = &self.window[self.start..self.start + bytes];
        self.digest.update(taken);
        self.next_line += taken.split(|byte| *byte == b'\n').count() as u64 - 1;
        self.position += bytes as u64;
        self.length = bytes;
    }

    fn skip_line_breaks(&mut self) -> io::Result<()> {
        loop {
            let breaks = self.rest().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.accept(breaks);
            if !self.rest().is_empty() || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Where the first line ends, its break included; `None` if that is not within what inputs may be.
    fn first_line(&self) -> Option<usize> {
        let at = self.rest().iter().take(MAX_VALUE_BYTES + 2).position(|byte| *byte == b'\n');
        at.map(|at| at + 1).or_else(|| (self.at_end && self.rest().len() <= MAX_VALUE_BYTES).then(|| self.rest().len()))
    }

    fn break_off(&mut self, first_line: Option<usize>) -> Found {
        self.width = 0;
        self.take(first_line.unwrap_or(self.filled - self.start));
        Found::Broken
    }

    /// Finds the end of the record that begins here, and its fields.
    fn frame(&mut self) -> io::Result<Frame> {
        self.csv.reset();
        let (mut scanned, mut out) = (0, 0);
        loop {
            if scanned > MAX_VALUE_BYTES {
                return Ok(Frame::TooLong);
            }
            while self.start + scanned == self.filled && self.fill()? {}
            let window = self.window.get(self.start + scanned..self.filled).unwrap_or_default();
            // At the end of the file a line break is made up: whoever does not end there has an open quote.
            let is_last = window.is_empty();
            let input = if is_last { b"\n" } else { window };
            let (result, read, written, ended) =
                self.csv.read_record(input, &mut self.fields[out..], &mut self.ends[self.width..]);
            scanned += if is_last { 0 } else { read };
            out += written;
            self.width += ended;
            match result {
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::InputEmpty if is_last => return Ok(Frame::Unclosed),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        if self.window.get(self.start + scanned - 1) == Some(&b'\r') {
            if self.start + scanned == self.filled {
                self.fill()?;
            }
            scanned += usize::from(self.rest().get(scanned) == Some(&b'\n'));
        }
        Ok(if scanned > MAX_VALUE_BYTES { Frame::TooLong } else { Frame::Whole(scanned) })
    }
}

/// Whether quotes stand only around whole fields, and are doubled within. The grammar above takes more, which is harmless within a line; but a
/// quote that does not close may be "closed" by one in a later line, and all between them would be lost in one field.
fn is_strict(record: &[u8]) -> bool {
    let mut rest = record;
    loop {
        let field_end = match rest.strip_prefix(b"\"") {
            Some(quoted) => end_of_quotes(quoted),
            None => rest.get(rest.iter().position(|byte| b",\r\n\"".contains(byte)).unwrap_or(rest.len())..),
        };
        let Some(after) = field_end else { return false };
        rest = match after.split_first() {
            None | Some((b'\r' | b'\n', _)) => return true,
            Some((b',', rest)) => rest,
            Some(_) => return false,
        };
    }
}

/// What follows the closing quote.
fn end_of_quotes(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let at = rest.iter().position(|byte| *byte == b'"')?;
        rest = rest.get(at + 1..)?;
        match rest.strip_prefix(b"\"") {
            Some(within) => rest = within,
            None => return Some(rest),
        }
    }
}

#[cfg(test)]
mod tests;
