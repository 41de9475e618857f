//! Windows as plain values: how time is cut for an aggregation, how long it waits for late records, and a key within a window.
//!
//! What they do is in `ops`; which windows a time belongs to is pure and here.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};

use crate::record::{Timestamp, millis};
use crate::serde::{Data, Decode, DefaultSerde, Encode, Serde, SerdeError, SharedSerde};

/// A key within a window.
///
/// The end of a time window is behind it (exclusive); a session ends with its last record (inclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Windowed<K> {
    /// The key that was grouped by.
    pub key: K,
    /// Where the window begins.
    pub start: Timestamp,
    /// Where it ends.
    pub end: Timestamp,
}

/// Windows of one size, each beginning a fixed step after the last.
///
/// ```
/// use std::time::Duration;
/// use highwater::dsl::TimeWindows;
///
/// let minutes = TimeWindows::tumbling(Duration::from_secs(60)).grace(Duration::from_secs(10));
/// let overlapping = TimeWindows::hopping(Duration::from_secs(60), Duration::from_secs(15));
/// assert_eq!(overlapping.starts(70_000).collect::<Vec<_>>(), [15_000, 30_000, 45_000, 60_000]);
/// assert_eq!(minutes.starts(70_000).collect::<Vec<_>>(), [60_000]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeWindows {
    pub(crate) size_ms: i64,
    pub(crate) advance_ms: i64,
    pub(crate) grace: Duration,
    pub(crate) late: Option<Arc<str>>,
}

impl TimeWindows {
    /// Windows that touch and do not overlap.
    pub fn tumbling(size: Duration) -> Self {
        Self::hopping(size, size)
    }

    /// A window of this size at every multiple of `advance`.
    pub fn hopping(size: Duration, advance: Duration) -> Self {
        Self { size_ms: millis(size), advance_ms: millis(advance), grace: Duration::ZERO, late: None }
    }

    /// How long after its end a window still takes records, by stream time. By default no time at all.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Records that are too late for every window go to this topic, as they came in.
    #[must_use]
    pub fn late_to(mut self, topic: &str) -> Self {
        self.late = Some(Arc::from(topic));
        self
    }

    /// Where the windows begin that a time (in milliseconds, from 1970 on) belongs to, in order.
    pub fn starts(&self, timestamp_ms: i64) -> impl Iterator<Item = i64> + use<> {
        let first = (timestamp_ms - self.size_ms + self.advance_ms).max(0) / self.advance_ms * self.advance_ms;
        let advance = self.advance_ms as usize;
        (first..=timestamp_ms).step_by(advance)
    }

    /// What contradicts itself in them.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.size_ms <= 0 || self.advance_ms <= 0 {
            Some("windows need a size and an advance of at least a millisecond")
        } else if self.advance_ms > self.size_ms {
            Some("windows that advance by more than their size leave out records between them")
        } else {
            None
        }
    }
}

/// Windows that last as long as records come no further apart than a gap.
///
/// Two records exactly a gap apart are in one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    pub(crate) gap: Duration,
    pub(crate) grace: Duration,
    pub(crate) max_length: Option<Duration>,
    pub(crate) late: Option<Arc<str>>,
    pub(crate) by_start: bool,
}

impl SessionWindows {
    /// A session ends when no record comes for `gap`.
    pub fn inactivity(gap: Duration) -> Self {
        Self { gap, grace: Duration::ZERO, max_length: None, late: None, by_start: false }
    }

    /// How long after its gap a session still takes records, by stream time. By default no time at all.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// No session becomes longer: a record that would make it so joins another one or opens its own.
    ///
    /// Which sessions there are then depends on the order of arrival, where the length bites.
    #[must_use]
    pub fn max_length(mut self, max_length: Duration) -> Self {
        self.max_length = Some(max_length);
        self
    }

    /// Records that are too late go to this topic, as they came in.
    #[must_use]
    pub fn late_to(mut self, topic: &str) -> Self {
        self.late = Some(Arc::from(topic));
        self
    }

    /// A session that grows at its end stays the same row for what is behind: it is changed, not deleted and made anew.
    ///
    /// Always so with [`Emit::AtMostEvery`](super::Emit::AtMostEvery).
    #[must_use]
    pub fn identified_by_start(mut self) -> Self {
        self.by_start = true;
        self
    }
}

/// A windowed key's bytes: those of the key, then the window's start and end (8 bytes each).
pub struct WindowedSerde<K>(pub SharedSerde<K>);

impl<K> std::fmt::Debug for WindowedSerde<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WindowedSerde")
    }
}

impl<K: Data> Encode<Windowed<K>> for WindowedSerde<K> {
    fn encode(&self, windowed: &Windowed<K>, out: &mut BytesMut) -> Result<(), SerdeError> {
        self.0.encode(&windowed.key, out)?;
        out.put_i64(windowed.start.as_millis());
        out.put_i64(windowed.end.as_millis());
        Ok(())
    }
}

impl<K: Data> Decode<Windowed<K>> for WindowedSerde<K> {
    fn decode(&self, bytes: &[u8]) -> Result<Windowed<K>, SerdeError> {
        let short = || SerdeError::new("bad_key", "a windowed key has at least 16 bytes");
        let (rest, end) = bytes.split_last_chunk::<8>().ok_or_else(short)?;
        let (key, start) = rest.split_last_chunk::<8>().ok_or_else(short)?;
        let time = |bytes: &[u8; 8]| Timestamp::from_millis(i64::from_be_bytes(*bytes));
        Ok(Windowed { key: self.0.decode(key)?, start: time(start), end: time(end) })
    }
}

impl<K: Data> Serde<Windowed<K>> for WindowedSerde<K> {}

impl<K: DefaultSerde> DefaultSerde for Windowed<K> {
    fn default_serde() -> SharedSerde<Self> {
        Arc::new(WindowedSerde(K::default_serde()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: V-2.4-windows
    #[test]
    fn a_time_belongs_to_every_window_that_begins_at_or_before_it_and_ends_behind_it() {
        let (tumbling, hopping) = ((10, 10), (10, 5));
        for ((size, advance), time, starts) in [
            (tumbling, 0, vec![0]),
            (tumbling, 9, vec![0]),
            (tumbling, 10, vec![10]),
            (hopping, 0, vec![0]),
            (hopping, 4, vec![0]),
            (hopping, 5, vec![0, 5]),
            (hopping, 9, vec![0, 5]),
            (hopping, 10, vec![5, 10]),
            (hopping, 104, vec![95, 100]),
            ((10, 3), 10, vec![3, 6, 9]),
            ((10, 1), 3, vec![0, 1, 2, 3]),
        ] {
            let windows = TimeWindows::hopping(Duration::from_millis(size), Duration::from_millis(advance));
            assert_eq!(windows.starts(time).collect::<Vec<_>>(), starts, "{size}/{advance} at {time}");
        }
    }

    #[test]
    fn windows_that_contradict_themselves_are_found() {
        let of = |size, advance| TimeWindows::hopping(Duration::from_millis(size), Duration::from_millis(advance)).fault();
        assert!(of(10, 10).is_none() && of(10, 1).is_none());
        assert!(of(0, 0).is_some() && of(10, 0).is_some() && of(10, 11).is_some());
    }

    #[test]
    fn a_windowed_key_comes_back_from_its_bytes() {
        let serde = Windowed::<String>::default_serde();
        let key = Windowed { key: "k".to_owned(), start: Timestamp::from_millis(1), end: Timestamp::from_millis(-2) };
        let mut bytes = BytesMut::new();
        serde.encode(&key, &mut bytes).unwrap();
        assert_eq!(serde.decode(&bytes), Ok(key));
        assert!(serde.decode(b"short").is_err());
    }
}
