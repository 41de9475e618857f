//! When windows close: by the operator's own stream time, and, where it emits on close, by silence too. And what becomes of
//! records that come after.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Timestamp, millis};
use crate::task::TaskCore;
use crate::task::dead_letter::Late;
use crate::task::times::TimeId;
use crate::topology::TaskBuilder;

/// The reason of a record that came after its window's grace.
const BEYOND_GRACE: &str = "beyond_grace";
/// The reason of a record whose window was closed because nothing came for long.
const CLOSED_WHILE_IDLE: &str = "closed_while_idle";

/// The clock of a windowed operator.
#[derive(Clone, Debug)]
pub(crate) struct WindowClock {
    stream_time: TimeId,
    /// How far silence has closed windows; only where windows are emitted when they close.
    idle_until: Option<TimeId>,
    grace_ms: i64,
    /// What is added to the grace before a window closes: a session's gap.
    gap_ms: i64,
    late: Option<Arc<str>>,
}

impl WindowClock {
    pub(crate) fn new(
        task: &mut TaskBuilder<'_>,
        name: &str,
        (grace, gap): (Duration, Duration),
        late: Option<&Arc<str>>,
        emits_on_close: bool,
    ) -> Self {
        Self {
            stream_time: task.time(name),
            idle_until: emits_on_close.then(|| task.mark(name, "idle")),
            grace_ms: millis(grace),
            gap_ms: millis(gap),
            late: late.map(|topic| task.topics.name(topic)),
        }
    }

    /// A record has come.
    pub(crate) fn observe(&self, timestamp: Timestamp, core: &mut TaskCore) {
        core.times.advance(self.stream_time, timestamp);
    }

    /// Nothing has come for long: windows that end before `until` may close. Gives whether that means anything here.
    pub(crate) fn rest(&self, until: Timestamp, core: &mut TaskCore) -> bool {
        self.idle_until.map(|idle_until| core.times.advance(idle_until, until)).is_some()
    }

    fn now(&self, core: &TaskCore) -> Timestamp {
        let stream_time = core.times.get(self.stream_time);
        self.idle_until.map_or(stream_time, |idle_until| stream_time.max(core.times.get(idle_until)))
    }

    fn closing_at(&self, now: Timestamp) -> i64 {
        now.as_millis().saturating_sub(self.grace_ms).saturating_sub(self.gap_ms)
    }

    /// The time before which sessions have closed, and up to which (inclusive) time windows have.
    pub(crate) fn closing_ms(&self, core: &TaskCore) -> i64 {
        self.closing_at(self.now(core))
    }

    /// Rules that the record at hand is too late for its window, and sends it to the late topic.
    ///
    /// `is_closed` tells whether the window is closed at a closing time.
    #[cold]
    pub(crate) fn turn_away(
        &self,
        timestamp: Timestamp,
        (start_ms, end_ms): (i64, i64),
        is_closed: impl Fn(i64) -> bool,
        core: &mut TaskCore,
    ) {
        let stream_time = core.times.get(self.stream_time);
        let by_stream_time = is_closed(self.closing_at(stream_time));
        let reason = if by_stream_time { BEYOND_GRACE } else { CLOSED_WHILE_IDLE };
        let oldest = self.now(core).as_millis().saturating_sub(self.grace_ms);
        let by_millis = oldest.saturating_sub(timestamp.as_millis());
        let place = ("window", format!("{start_ms}/{end_ms}"));
        core.turn_away(self.late.as_ref(), &Late { reason, by_millis, stream_time, place });
    }
}

/// Windows that are open, by the time they end: an index over the store, for those that are emitted when they close.
///
/// A session may have grown since it was put here, a window may never have come to be: the owner asks the store.
#[derive(Debug, Default)]
pub(crate) struct OpenWindows(BTreeSet<(i64, Box<[u8]>)>);

impl OpenWindows {
    pub(crate) fn insert(&mut self, end_ms: i64, [head, tail]: [&[u8]; 2]) {
        self.0.insert((end_ms, [head, tail].concat().into()));
    }

    /// The place of the earliest window that ends before a time.
    pub(crate) fn pop_before(&mut self, end_ms: i64) -> Option<Box<[u8]>> {
        if self.0.first()?.0 >= end_ms {
            return None;
        }
        self.0.pop_first().map(|(_, place)| place)
    }
}
