//! What is remembered of one key: its changes by event time, as bytes, and the versions that follow from them.
//!
//! Pure: it knows no store and no clock. A version (1 byte), then for each change its time (8), the length of its value (4; all ones where it
//! ends the key) and the value.

use bytes::{Buf as _, BufMut as _, BytesMut};

use crate::error::{Error, ErrorKind};

const VERSION: u8 = 1;
const ENDED: u32 = u32::MAX;

/// The changes of a key in the order of their times; no two have the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History<'a>(Vec<Change<'a>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change<'a> {
    at_ms: i64,
    value: Option<&'a [u8]>,
}

/// A version: from one time to before another, or without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span<'a> {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: Option<i64>,
    pub(crate) value: &'a [u8],
}

impl<'a> History<'a> {
    pub(crate) fn read(mut entry: &'a [u8]) -> Result<Self, Error> {
        let mut changes = Vec::new();
        if entry.try_get_u8().map_err(|_| damaged())? != VERSION {
            return Err(damaged());
        }
        while !entry.is_empty() {
            let at_ms = entry.try_get_i64().map_err(|_| damaged())?;
            let length = entry.try_get_u32().map_err(|_| damaged())?;
            let value = match length {
                ENDED => None,
                length => {
                    let (value, rest) = entry.split_at_checked(length as usize).ok_or_else(damaged)?;
                    entry = rest;
                    Some(value)
                }
            };
            changes.push(Change { at_ms, value });
        }
        Ok(Self(changes))
    }

    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        for change in &self.0 {
            out.put_i64(change.at_ms);
            out.put_u32(change.value.map_or(ENDED, |value| value.len() as u32));
            out.put_slice(change.value.unwrap_or_default());
        }
    }

    /// Puts a change where it belongs; of two with the same time the last one counts.
    pub(crate) fn set(&mut self, at_ms: i64, value: Option<&'a [u8]>) {
        let change = Change { at_ms, value };
        match self.0.binary_search_by_key(&at_ms, |change| change.at_ms) {
            Ok(place) => self.0[place] = change,
            Err(place) => self.0.insert(place, change),
        }
    }

    /// Forgets what no change at or after this time can touch any more: all before the version that holds then, and that version's
    /// repetitions.
    pub(crate) fn forget_before(&mut self, horizon_ms: i64) {
        let Some(holding) = self.0.iter().rposition(|change| change.at_ms < horizon_ms) else { return };
        let value = self.0[holding].value;
        let begins = self.0[..holding].iter().rposition(|change| change.value != value).map_or(0, |before| before + 1);
        self.0.drain(begins + 1..=holding);
        // That the key had ended says nothing to what begins later.
        self.0.drain(..if value.is_some() { begins } else { begins + 1 });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The versions, by time. A change that repeats the one before begins none.
    pub(crate) fn versions(&self) -> Vec<Span<'a>> {
        let mut versions: Vec<Span<'a>> = Vec::with_capacity(self.0.len());
        for change in &self.0 {
            let open = versions.last_mut().filter(|last| last.to_ms.is_none());
            match (open, change.value) {
                (Some(open), Some(value)) if open.value == value => continue,
                (Some(open), _) => open.to_ms = Some(change.at_ms),
                (None, _) => {}
            }
            versions.extend(change.value.map(|value| Span { from_ms: change.at_ms, to_ms: None, value }));
        }
        versions
    }
}

/// What differs, by the versions' beginnings: first those that are gone, then those that are new or changed.
pub(crate) fn differences<'a>(before: &[Span<'_>], after: &[Span<'a>]) -> Vec<(i64, Option<Span<'a>>)> {
    let gone =
        before.iter().map(|old| old.from_ms).filter(|from_ms| after.binary_search_by_key(from_ms, |new| new.from_ms).is_err());
    let fresh = after.iter().filter(|new| {
        let old = before.binary_search_by_key(&new.from_ms, |old| old.from_ms);
        old.is_ok_and(|place| before[place] != **new) || old.is_err()
    });
    gone.map(|from_ms| (from_ms, None)).chain(fresh.map(|new| (new.from_ms, Some(*new)))).collect()
}

#[cold]
fn damaged() -> Error {
    Error::new(ErrorKind::Internal, "a history cannot be read: it was written by another version, or is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(changes: &[(i64, Option<&'static [u8]>)]) -> History<'static> {
        let mut history = History::default();
        for (at_ms, value) in changes {
            history.set(*at_ms, *value);
        }
        history
    }

    #[test]
    fn the_layout_is_version_and_each_change_and_damage_is_refused() {
        let mut bytes = BytesMut::new();
        history(&[(1, Some(b"a")), (2, None)]).write(&mut bytes);
        assert_eq!(&bytes[..], b"\x01\0\0\0\0\0\0\0\x01\0\0\0\x01a\0\0\0\0\0\0\0\x02\xff\xff\xff\xff");
        assert_eq!(History::read(&bytes).unwrap(), history(&[(1, Some(b"a")), (2, None)]));
        for cut in (0..bytes.len()).filter(|cut| ![1, 14].contains(cut)) {
            assert!(History::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(History::read(b"\x02").is_err());
    }

    #[test]
    fn forgetting_keeps_the_version_that_holds_and_all_that_can_still_change() {
        let full = [(1, Some(&b"a"[..])), (2, Some(b"b")), (3, Some(b"b")), (4, Some(b"b")), (9, None)];
        for (horizon_ms, left) in [
            (1, &full[..]),
            (2, &full[..]),
            (3, &full[1..]),
            (4, &[full[1], full[3], full[4]][..]),
            (5, &[full[1], full[4]][..]),
            (9, &[full[1], full[4]][..]),
            (10, &[][..]),
        ] {
            let mut some = history(&full);
            some.forget_before(horizon_ms);
            assert_eq!(some, history(left), "at {horizon_ms}");
        }
    }
}
