//! What `Emit::AtMostEvery` holds back: which places of a store wait, and until when.
//!
//! The due mark lies in the entry itself, so that it commits with it. One mark for the operator, persisted like its clocks, says
//! up to which due time all was emitted; so an emission needs no write of its own, and a restart finds out what still waits by
//! comparing the two. The queue here is only an index over that: an entry that does not match its place is left out.

use std::collections::BTreeSet;
use std::time::Duration;

use super::stored::{Header, Last, hash_of};
use crate::record::Timestamp;
use crate::task::TaskCore;
use crate::task::times::{OperatorTimes, TimeId};

/// A turn of the loop emits no more than this from one operator, but for what is due in the same millisecond.
pub(crate) const MOST_AT_ONCE: usize = 2_000;

/// What an entry keeps of the value that was emitted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    Nothing,
    /// To tell whether a value is another one.
    Hash,
    /// To tell the old value with a change.
    Value,
}

/// The places that wait.
#[derive(Debug)]
pub(crate) struct Throttle {
    period: Duration,
    emitted_until: TimeId,
    keeps: Keeps,
    queue: BTreeSet<(Timestamp, Box<[u8]>)>,
}

impl Throttle {
    pub(crate) fn new(period: Duration, emitted_until: TimeId, keeps: Keeps) -> Self {
        Self { period, emitted_until, keeps, queue: BTreeSet::new() }
    }

    /// Whether an entry has a change that was not emitted yet.
    pub(crate) fn is_waiting(&self, header: &Header<'_>, times: &OperatorTimes) -> bool {
        header.due.is_some_and(|due| due > times.get(self.emitted_until))
    }

    /// The due mark of a place whose first change after a silence is now.
    pub(crate) fn fresh_due(&self, times: &OperatorTimes, now: Timestamp) -> Timestamp {
        let emitted_until = times.get(self.emitted_until);
        now.plus(self.period).max(emitted_until.plus(Duration::from_millis(1)))
    }

    /// The marks of an entry that changes at `timestamp`, from what it was.
    pub(crate) fn mark<'a>(
        &self,
        before: Option<(Header<'a>, &'a [u8])>,
        timestamp: Timestamp,
        times: &OperatorTimes,
        now: Timestamp,
    ) -> Header<'a> {
        match before {
            Some((header, _)) if self.is_waiting(&header, times) => Header { timestamp, deleted: false, ..header },
            before => Header {
                timestamp,
                emitted: before.is_some(),
                deleted: false,
                due: Some(self.fresh_due(times, now)),
                last: before.map_or(Last::Unknown, |(_, payload)| self.last(payload)),
            },
        }
    }

    fn last<'a>(&self, payload: &'a [u8]) -> Last<'a> {
        match self.keeps {
            Keeps::Nothing => Last::Unknown,
            Keeps::Hash => Last::Hash(hash_of(payload)),
            Keeps::Value => Last::Value(payload),
        }
    }

    /// A place, given in two pieces, waits until `due`.
    pub(crate) fn enqueue(&mut self, due: Timestamp, [head, tail]: [&[u8]; 2]) {
        self.queue.insert((due, [head, tail].concat().into()));
    }

    /// All places of the earliest due time, if it has come.
    pub(crate) fn pop(&mut self, until: Until, now: Timestamp) -> Option<(Timestamp, Vec<Box<[u8]>>)> {
        let (due, _) = self.queue.first()?;
        let due = *due;
        // A due time beyond a whole period was set by a clock that went ahead and was put right.
        let has_come = due <= now || due > now.plus(self.period).plus(self.period);
        if until == Until::Now && !has_come {
            return None;
        }
        let mut places = Vec::new();
        while self.queue.first().is_some_and(|(first, _)| *first == due)
            && let Some((_, place)) = self.queue.pop_first()
        {
            places.push(place);
        }
        Some((due, places))
    }

    /// All places of that due time were emitted.
    pub(crate) fn emitted(&self, due: Timestamp, core: &mut TaskCore) {
        core.times.advance(self.emitted_until, due);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// How far to emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// What is due.
    Now,
    /// Everything: the input has ended.
    TheEnd,
}
