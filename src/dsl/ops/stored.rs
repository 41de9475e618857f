//! How a table's entry lies in its store: a small header with what the emission must remember, then the value's bytes.
//!
//! A version (1 byte), flags (1), the time (8); with their flags also the due mark (8) and what was emitted last: its bytes
//! behind their length (4), or only their hash (16). Nothing here reads a store or a clock.

use bytes::{Buf, BufMut, BytesMut};

use crate::error::{Error, ErrorKind};
use crate::record::Timestamp;

const VERSION: u8 = 1;
const EMITTED: u8 = 1;
const DELETED: u8 = 2;
const HAS_DUE: u8 = 4;
const HAS_LAST: u8 = 8;
const HAS_LAST_HASH: u8 = 16;

/// What an entry says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    /// The entry's event time.
    pub(crate) timestamp: Timestamp,
    /// Whether something was emitted for it before it last became due.
    pub(crate) emitted: bool,
    /// Whether it is deleted and waits for that to be emitted; the value is the last one it had.
    pub(crate) deleted: bool,
    /// When it is to be emitted, unless that has been.
    pub(crate) due: Option<Timestamp>,
    /// What was emitted last, where somebody needs it.
    pub(crate) last: Last<'a>,
}

/// What an entry knows of the value that was emitted last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Last<'a> {
    #[default]
    Unknown,
    Value(&'a [u8]),
    Hash(u128),
}

impl Last<'_> {
    /// Whether these bytes are what was emitted last, as far as that is known.
    pub(crate) fn is(&self, payload: &[u8]) -> bool {
        match *self {
            Self::Unknown => false,
            Self::Value(last) => last == payload,
            Self::Hash(hash) => hash == hash_of(payload),
        }
    }
}

/// The hash that stands for a value's bytes.
pub(crate) fn hash_of(payload: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(payload)
}

impl<'a> Header<'a> {
    /// A header of which only the time matters.
    pub(crate) fn at(timestamp: Timestamp) -> Self {
        Self { timestamp, ..Self::default() }
    }

    /// Appends the header; the value's bytes follow.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let mut flags = if self.emitted { EMITTED } else { 0 } | if self.deleted { DELETED } else { 0 };
        flags |= if self.due.is_some() { HAS_DUE } else { 0 };
        flags |= match self.last {
            Last::Unknown => 0,
            Last::Value(_) => HAS_LAST,
            Last::Hash(_) => HAS_LAST_HASH,
        };
        out.put_slice(&[VERSION, flags]);
        out.put_i64(self.timestamp.as_millis());
        if let Some(due) = self.due {
            out.put_i64(due.as_millis());
        }
        match self.last {
            Last::Unknown => {}
            Last::Value(last) => {
                out.put_u32(last.len() as u32);
                out.put_slice(last);
            }
            Last::Hash(hash) => out.put_u128(hash),
        }
    }

    /// The header and the value's bytes.
    pub(crate) fn read(mut entry: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let flags = match *entry {
            [VERSION, flags, ..] if entry.len() >= 10 => flags,
            _ => return Err(damaged()),
        };
        entry.advance(2);
        let timestamp = Timestamp::from_millis(entry.get_i64());
        let due =
            if flags & HAS_DUE == 0 { None } else { Some(Timestamp::from_millis(entry.try_get_i64().map_err(|_| damaged())?)) };
        let mut last = Last::Unknown;
        if flags & HAS_LAST != 0 {
            let length = entry.try_get_u32().map_err(|_| damaged())? as usize;
            let (value, rest) = entry.split_at_checked(length).ok_or_else(damaged)?;
            (last, entry) = (Last::Value(value), rest);
        } else if flags & HAS_LAST_HASH != 0 {
            last = Last::Hash(entry.try_get_u128().map_err(|_| damaged())?);
        }
        let header = Self { timestamp, emitted: flags & EMITTED != 0, deleted: flags & DELETED != 0, due, last };
        Ok((header, entry))
    }
}

#[cold]
fn damaged() -> Error {
    Error::new(
        ErrorKind::Internal,
        "an entry of a table's store cannot be read: it was written by another version, or is damaged",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(header: Header<'_>, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        header.write(&mut out);
        out.put_slice(payload);
        out
    }

    #[test]
    fn the_layout_is_version_flags_time_and_what_the_flags_say() {
        let due = Some(Timestamp::from_millis(2));
        let plain = Header::at(Timestamp::from_millis(1));
        for (header, expected) in [
            (plain, b"\x01\x00\0\0\0\0\0\0\0\x01v".to_vec()),
            (Header { emitted: true, deleted: true, ..plain }, b"\x01\x03\0\0\0\0\0\0\0\x01v".to_vec()),
            (Header { due, ..plain }, b"\x01\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02v".to_vec()),
            (Header { last: Last::Value(b"old"), ..plain }, b"\x01\x08\0\0\0\0\0\0\0\x01\0\0\0\x03oldv".to_vec()),
        ] {
            let bytes = bytes_of(header, b"v");
            assert_eq!(bytes, expected);
            assert_eq!(Header::read(&bytes).unwrap(), (header, &b"v"[..]));
        }
    }

    #[test]
    fn a_hash_knows_the_value_that_was_emitted_last() {
        let header = Header { last: Last::Hash(hash_of(b"row")), ..Header::default() };
        let bytes = bytes_of(header, b"");
        let (header, _) = Header::read(&bytes).unwrap();
        assert!(header.last.is(b"row") && !header.last.is(b"other"));
        assert!(Last::Value(b"row").is(b"row") && !Last::Unknown.is(b"row"));
    }

    #[test]
    fn damaged_entries_are_refused() {
        let full = bytes_of(Header { due: Some(Timestamp::MIN), last: Last::Value(b"old"), ..Header::default() }, b"");
        for cut in 0..full.len() {
            assert!(Header::read(&full[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Header::read(b"\x02\0\0\0\0\0\0\0\0\0").is_err());
    }
}
