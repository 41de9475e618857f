//! A session store's value: all live sessions of one key, so that one point read finds what a record may join. A version byte,
//! then for each session its start, end (8 bytes each), the length of its value (4 bytes) and the value, in order of (start,
//! end). The log has the same keys and values: one record per changed key, and a tombstone when the last session is gone.

use std::ops::Range;

use super::{hour_of_ms, split_array};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 20;

/// One session of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session<'a> {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) value: &'a [u8],
}

/// What is wrong with packed sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSessions;

/// The sessions of a packed value, in order.
#[derive(Clone, Debug)]
pub(crate) struct Sessions<'a> {
    packed: &'a [u8],
    at: usize,
}

/// Opens a packed value; no bytes at all are no sessions.
pub(crate) fn sessions(packed: &[u8]) -> Result<Sessions<'_>, BadSessions> {
    match packed.first() {
        None | Some(&VERSION) => Ok(Sessions { packed, at: packed.len().min(1) }),
        Some(_) => Err(BadSessions),
    }
}

impl<'a> Sessions<'a> {
    /// The next session and where it lies.
    fn next_located(&mut self) -> Result<Option<(Range<usize>, Session<'a>)>, BadSessions> {
        let rest = &self.packed[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let (start_ms, rest) = split_array::<8>(rest).ok_or(BadSessions)?;
        let (end_ms, rest) = split_array::<8>(rest).ok_or(BadSessions)?;
        let (length, rest) = split_array::<4>(rest).ok_or(BadSessions)?;
        let length = u32::from_be_bytes(length) as usize;
        let value = rest.get(..length).ok_or(BadSessions)?;
        let begin = self.at;
        self.at += HEAD_BYTES + length;
        Ok(Some((begin..self.at, Session { start_ms: i64::from_be_bytes(start_ms), end_ms: i64::from_be_bytes(end_ms), value })))
    }

    /// The next session.
    pub(crate) fn next(&mut self) -> Result<Option<Session<'a>>, BadSessions> {
        Ok(self.next_located()?.map(|(_, session)| session))
    }
}

/// Writes the packed value with one more session, which replaces one of the same start and end.
pub(crate) fn with(packed: &[u8], session: Session<'_>, into: &mut Vec<u8>) -> Result<(), BadSessions> {
    let gap = place_of(packed, session.start_ms, session.end_ms)?;
    into.clear();
    if packed.is_empty() {
        into.push(VERSION);
    }
    into.extend_from_slice(&packed[..gap.start]);
    push(session, into);
    into.extend_from_slice(&packed[gap.end..]);
    Ok(())
}

/// Writes the packed value without a session; false if it was not there. No bytes are left when it was the last.
pub(crate) fn without(packed: &[u8], start_ms: i64, end_ms: i64, into: &mut Vec<u8>) -> Result<bool, BadSessions> {
    let gap = place_of(packed, start_ms, end_ms)?;
    into.clear();
    if gap.is_empty() {
        return Ok(false);
    }
    into.extend_from_slice(&packed[..gap.start]);
    into.extend_from_slice(&packed[gap.end..]);
    if into.len() == 1 {
        into.clear();
    }
    Ok(true)
}

/// Writes the packed value with one session in the place of those that are `gone`, given as (start, end).
pub(crate) fn replaced(packed: &[u8], gone: &[(i64, i64)], session: Session<'_>, into: &mut Vec<u8>) -> Result<(), BadSessions> {
    into.clear();
    into.push(VERSION);
    let bounds = (session.start_ms, session.end_ms);
    let mut is_placed = false;
    let mut sessions = sessions(packed)?;
    while let Some((place, other)) = sessions.next_located()? {
        let other_bounds = (other.start_ms, other.end_ms);
        if !is_placed && other_bounds >= bounds {
            push(session, into);
            is_placed = true;
        }
        if other_bounds != bounds && !gone.contains(&other_bounds) {
            into.extend_from_slice(&packed[place]);
        }
    }
    if !is_placed {
        push(session, into);
    }
    Ok(())
}

/// Writes the packed value without the sessions whose end lies in an hour before `hour`; says how many those are.
pub(crate) fn without_hours_before(
    packed: &[u8],
    hour: i64,
    into: &mut Vec<u8>,
    leaving: &mut dyn FnMut(Session<'_>),
) -> Result<usize, BadSessions> {
    into.clear();
    let mut dropped = 0;
    let mut sessions = sessions(packed)?;
    while let Some((place, session)) = sessions.next_located()? {
        if hour_of_ms(session.end_ms) < hour {
            dropped += 1;
            leaving(session);
        } else {
            if into.is_empty() {
                into.push(VERSION);
            }
            into.extend_from_slice(&packed[place]);
        }
    }
    Ok(dropped)
}

/// Where the session lies, or the empty place where it would.
fn place_of(packed: &[u8], start_ms: i64, end_ms: i64) -> Result<Range<usize>, BadSessions> {
    let mut sessions = sessions(packed)?;
    loop {
        let at = sessions.at;
        match sessions.next_located()? {
            None => return Ok(at..at),
            Some((place, session)) if (session.start_ms, session.end_ms) == (start_ms, end_ms) => return Ok(place),
            Some((_, session)) if (session.start_ms, session.end_ms) > (start_ms, end_ms) => return Ok(at..at),
            Some(_) => {}
        }
    }
}

fn push(session: Session<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(&session.start_ms.to_be_bytes());
    into.extend_from_slice(&session.end_ms.to_be_bytes());
    into.extend_from_slice(&(session.value.len() as u32).to_be_bytes());
    into.extend_from_slice(session.value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(start_ms: i64, end_ms: i64, value: &[u8]) -> Session<'_> {
        Session { start_ms, end_ms, value }
    }

    fn starts(packed: &[u8]) -> Vec<(i64, i64)> {
        let mut all = sessions(packed).unwrap();
        std::iter::from_fn(|| all.next().unwrap()).map(|session| (session.start_ms, session.end_ms)).collect()
    }

    #[test]
    fn the_layout_is_a_version_and_start_end_length_value_of_each() {
        let mut packed = Vec::new();
        with(b"", session(1, 2, b"v"), &mut packed).unwrap();
        assert_eq!(packed, [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, b'v']);
    }

    #[test]
    fn sessions_are_put_in_order_replaced_and_taken_out() {
        let (mut packed, mut next) = (Vec::new(), Vec::new());
        for (start, end) in [(5, 9), (-7, -7), (5, 6), (20, 20)] {
            with(&packed, session(start, end, b"x"), &mut next).unwrap();
            std::mem::swap(&mut packed, &mut next);
        }
        assert_eq!(starts(&packed), [(-7, -7), (5, 6), (5, 9), (20, 20)]);
        with(&packed, session(5, 6, b"longer"), &mut next).unwrap();
        assert_eq!(starts(&next), starts(&packed));
        assert!(without(&next, 5, 9, &mut packed).unwrap());
        assert_eq!(starts(&packed), [(-7, -7), (5, 6), (20, 20)]);
        assert!(!without(&packed, 5, 9, &mut next).unwrap());
    }

    #[test]
    fn one_session_takes_the_place_of_others() {
        let (mut packed, mut next) = (Vec::new(), Vec::new());
        for (start, end) in [(1, 2), (5, 6), (9, 9)] {
            with(&packed, session(start, end, b"x"), &mut next).unwrap();
            std::mem::swap(&mut packed, &mut next);
        }
        for (gone, new, expected) in [
            (vec![], (3, 3), vec![(1, 2), (3, 3), (5, 6), (9, 9)]),
            (vec![], (5, 6), vec![(1, 2), (5, 6), (9, 9)]),
            (vec![(5, 6)], (4, 6), vec![(1, 2), (4, 6), (9, 9)]),
            (vec![(5, 6), (9, 9)], (5, 9), vec![(1, 2), (5, 9)]),
            (vec![(1, 2), (5, 6)], (1, 6), vec![(1, 6), (9, 9)]),
            (vec![(9, 9)], (9, 12), vec![(1, 2), (5, 6), (9, 12)]),
        ] {
            replaced(&packed, &gone, session(new.0, new.1, b"y"), &mut next).unwrap();
            assert_eq!(starts(&next), expected, "{new:?} for {gone:?}");
        }
        replaced(b"", &[], session(1, 1, b"y"), &mut next).unwrap();
        assert_eq!(starts(&next), [(1, 1)]);
    }

    #[test]
    fn taking_out_the_last_session_leaves_no_bytes() {
        let (mut packed, mut left) = (Vec::new(), vec![9]);
        with(b"", session(1, 2, b"v"), &mut packed).unwrap();
        assert!(without(&packed, 1, 2, &mut left).unwrap());
        assert!(left.is_empty());
        assert_eq!(without_hours_before(&packed, 1, &mut left, &mut |_| {}), Ok(1));
        assert!(left.is_empty());
    }

    #[test]
    fn damaged_values_are_refused() {
        let mut packed = Vec::new();
        with(b"", session(1, 2, b"value"), &mut packed).unwrap();
        let mut out = Vec::new();
        for cut in 2..packed.len() {
            assert_eq!(without_hours_before(&packed[..cut], 0, &mut out, &mut |_| {}), Err(BadSessions), "cut at {cut}");
        }
        packed[0] = 2;
        assert!(sessions(&packed).is_err());
    }
}
