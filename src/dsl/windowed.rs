//! Grouped streams whose time is cut into windows. One line a method; the operators are in `ops`.

use std::fmt;
use std::sync::Arc;

use super::grouped::KGroupedStream;
use super::ktable::KTable;
use super::materialized::Materialized;
use super::ops;
use super::ops::aggregator::{Aggregator, RecordPosition};
use super::windows::{SessionWindows, TimeWindows, Windowed};
use crate::record::Record;
use crate::serde::Data;

/// A way to cut time into windows.
pub trait Windowing: sealed::Sealed {
    /// The grouped stream that it makes.
    type Grouped<'b, K: Data, V: Data>;

    #[doc(hidden)]
    fn window<K: Data, V: Data>(self, grouped: KGroupedStream<'_, K, V>) -> Self::Grouped<'_, K, V>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::SessionWindows {}
    impl Sealed for super::TimeWindows {}
}

impl Windowing for SessionWindows {
    type Grouped<'b, K: Data, V: Data> = SessionWindowedKStream<'b, K, V>;

    fn window<K: Data, V: Data>(self, grouped: KGroupedStream<'_, K, V>) -> SessionWindowedKStream<'_, K, V> {
        SessionWindowedKStream { grouped, windows: self }
    }
}

impl Windowing for TimeWindows {
    type Grouped<'b, K: Data, V: Data> = TimeWindowedKStream<'b, K, V>;

    fn window<K: Data, V: Data>(self, grouped: KGroupedStream<'_, K, V>) -> TimeWindowedKStream<'_, K, V> {
        TimeWindowedKStream { grouped, windows: self }
    }
}

/// A grouped stream cut into windows of one size.
///
/// ```
/// use std::time::Duration;
/// use highwater::dsl::{Emit, Materialized, TimeWindows};
/// use highwater::{StreamsBuilder, TopologyTestDriver};
///
/// let builder = StreamsBuilder::new("clicks");
/// builder
///     .stream::<String, String>("clicks")
///     .group_by_key()
///     .windowed_by(TimeWindows::tumbling(Duration::from_millis(10)))
///     .count(Materialized::named("per-window").emit(Emit::Close))
///     .to_stream()
///     .map(|window, count| (format!("{}@{}", window.key, window.start), count))
///     .to("counts");
/// let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
/// for time in [3, 7, 12] {
///     driver.input("clicks").send("ada".to_owned(), String::new(), time);
/// }
/// let counts: Vec<(String, Option<u64>)> = driver.output("counts").read_all();
/// assert_eq!(counts, [("ada@0".to_owned(), Some(2))]);
/// ```
#[must_use = "a windowed stream that nothing aggregates does nothing"]
pub struct TimeWindowedKStream<'b, K, V> {
    grouped: KGroupedStream<'b, K, V>,
    windows: TimeWindows,
}

impl<K, V> fmt::Debug for TimeWindowedKStream<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeWindowedKStream").field("windows", &self.windows).finish_non_exhaustive()
    }
}

impl<'b, K: Data, V: Data> TimeWindowedKStream<'b, K, V> {
    /// Aggregates the records of each key and window: `init` begins, `add` adds. Records without a value count too.
    pub fn aggregate<A: Data>(
        self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
    ) -> KTable<'b, Windowed<K>, A> {
        self.aggregate_with(store.into(), Aggregator::of(init, add))
    }

    /// As [`aggregate`](Self::aggregate), for aggregates that need a record's time, or its place in the order of arrival.
    pub fn aggregate_records<A: Data>(
        self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&Record<K, V>, RecordPosition, &mut A) + Send + Sync + 'static,
    ) -> KTable<'b, Windowed<K>, A> {
        self.aggregate_with(store.into(), Aggregator::of_records(init, add))
    }

    /// Counts the records of each key and window.
    pub fn count(self, store: impl Into<Materialized<K, u64>>) -> KTable<'b, Windowed<K>, u64> {
        self.aggregate(store, || 0, |_, _, count| *count += 1)
    }

    fn aggregate_with<A: Data>(self, options: Materialized<K, A>, aggregator: Aggregator<K, V, A>) -> KTable<'b, Windowed<K>, A> {
        let stream = self.grouped.meeting(&options.name);
        ops::time_window::aggregate(stream, self.windows, options, aggregator)
    }
}

/// A grouped stream cut into sessions.
#[must_use = "a windowed stream that nothing aggregates does nothing"]
pub struct SessionWindowedKStream<'b, K, V> {
    grouped: KGroupedStream<'b, K, V>,
    windows: SessionWindows,
}

impl<K, V> fmt::Debug for SessionWindowedKStream<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWindowedKStream").field("windows", &self.windows).finish_non_exhaustive()
    }
}

impl<'b, K: Data, V: Data> SessionWindowedKStream<'b, K, V> {
    /// Aggregates each session: `init` begins one, `add` adds a record, `merge` makes one of an earlier and a later one.
    ///
    /// `add` is called with the session that the record joins, in the order of arrival.
    ///
    /// ```
    /// use std::time::Duration;
    /// use highwater::dsl::{SessionWindows, Windowed};
    /// use highwater::{StreamsBuilder, TopologyTestDriver};
    ///
    /// let builder = StreamsBuilder::new("visits");
    /// builder
    ///     .stream::<String, String>("clicks")
    ///     .group_by_key()
    ///     .windowed_by(SessionWindows::inactivity(Duration::from_millis(10)))
    ///     .aggregate("visits", || 0_u64, |_, _, clicks| *clicks += 1, |_, earlier, later| earlier + later)
    ///     .to_stream()
    ///     .map(|visit, clicks| (format!("{}@{}..{}", visit.key, visit.start, visit.end), clicks))
    ///     .to("visits");
    /// let mut driver = TopologyTestDriver::new(&builder.build().unwrap()).committing_by_hand();
    /// for time in [0, 5, 20] {
    ///     driver.input("clicks").send("ada".to_owned(), String::new(), time);
    /// }
    /// driver.commit();
    /// let visits: Vec<(String, Option<u64>)> = driver.output("visits").read_all();
    /// assert_eq!(visits, [("ada@0..5".to_owned(), Some(2)), ("ada@20..20".to_owned(), Some(1))]);
    /// ```
    pub fn aggregate<A: Data>(
        self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &mut A) + Send + Sync + 'static,
        merge: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> KTable<'b, Windowed<K>, A> {
        self.aggregate_with(store.into(), Aggregator::of(init, add), merge)
    }

    /// As [`aggregate`](Self::aggregate), for aggregates that need a record's time, or its place in the order of arrival.
    pub fn aggregate_records<A: Data>(
        self,
        store: impl Into<Materialized<K, A>>,
        init: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&Record<K, V>, RecordPosition, &mut A) + Send + Sync + 'static,
        merge: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> KTable<'b, Windowed<K>, A> {
        self.aggregate_with(store.into(), Aggregator::of_records(init, add), merge)
    }

    /// Counts the records of each session.
    pub fn count(self, store: impl Into<Materialized<K, u64>>) -> KTable<'b, Windowed<K>, u64> {
        self.aggregate(store, || 0, |_, _, count| *count += 1, |_, earlier, later| earlier + later)
    }

    fn aggregate_with<A: Data>(
        self,
        options: Materialized<K, A>,
        aggregator: Aggregator<K, V, A>,
        merge: impl Fn(&K, A, A) -> A + Send + Sync + 'static,
    ) -> KTable<'b, Windowed<K>, A> {
        let stream = self.grouped.meeting(&options.name);
        let merge = Arc::new(merge);
        let spec = ops::session_window::SessionSpec { windows: self.windows, options, aggregator, merge };
        ops::session_window::aggregate(stream, spec)
    }
}
