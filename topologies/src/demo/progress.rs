//! How things stand at one moment: counts, rates, and how far behind the world each topology is. How that looks is `view`'s matter.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use highwater::Timestamp;

use super::feed::Feed;
use super::tally::Tally;
use crate::catalogue;
use crate::topic_names as topics;

/// Over how long rates are taken.
const RATE_OVER: Duration = Duration::from_secs(1);

/// One topology at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Standing {
    pub(super) topology: &'static str,
    pub(super) per_second: u64,
    pub(super) records_in: u64,
    pub(super) processed: u64,
    pub(super) filtered: u64,
    pub(super) duplicate: u64,
    pub(super) late: u64,
    pub(super) dead_lettered: u64,
    /// How long the oldest record that is not committed has been waiting.
    pub(super) behind: Duration,
}

/// Everything at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scene {
    pub(super) elapsed: Duration,
    pub(super) fed: u64,
    pub(super) fed_per_second: u64,
    pub(super) standings: Vec<Standing>,
    /// Records written, by topic.
    pub(super) written: BTreeMap<String, u64>,
    /// Dead letters by reason.
    pub(super) dead_letters: BTreeMap<&'static str, u64>,
    pub(super) commits: u64,
    pub(super) crashes: u64,
}

/// Remembers what it takes to tell rates and delays.
pub(super) struct Progress {
    began: Timestamp,
    fed: Meter,
    courses: Vec<Course>,
}

/// One topology over time.
struct Course {
    topology: &'static str,
    taken: Meter,
    /// What there was to take at which time, as far as it is not taken yet.
    offered: VecDeque<(Timestamp, u64)>,
}

impl Progress {
    pub(super) fn new(now: Timestamp) -> Self {
        let course = |topology| Course { topology, taken: Meter::default(), offered: VecDeque::new() };
        let courses = catalogue::ALL.iter().map(|pipeline| course(pipeline.name)).collect();
        Self { began: now, fed: Meter::default(), courses }
    }

    /// How things stand now.
    pub(super) fn at(&mut self, now: Timestamp, feed: &Feed<'_>, tally: &Tally) -> Scene {
        let sent = feed.sent() as u64;
        let stand = |course: &mut Course| course.at(now, offered_to(course.topology, feed, tally), tally);
        Scene {
            elapsed: since(self.began, now),
            fed: sent,
            fed_per_second: self.fed.per_second(now, sent),
            standings: self.courses.iter_mut().map(stand).collect(),
            written: tally.records_out.clone(),
            dead_letters: tally.reasons("dead_lettered"),
            commits: tally.commits,
            crashes: tally.crashes,
        }
    }
}

/// How many records there have been for a topology to take.
fn offered_to(topology: &str, feed: &Feed<'_>, tally: &Tally) -> u64 {
    match topology {
        "clean" => feed.sent_to(topics::RAW_EVENTS),
        "sessions" => tally.records_out.get(topics::CLEAN_EVENTS).copied().unwrap_or(0),
        "customers" => feed.sent_to(topics::CDC_CUSTOMERS),
        _ => [topics::CDC_ORDERS, topics::CDC_ORDER_ITEMS, topics::RAW_PAYMENTS].iter().map(|topic| feed.sent_to(topic)).sum(),
    }
}

impl Course {
    fn at(&mut self, now: Timestamp, offered: u64, tally: &Tally) -> Standing {
        let records_in = tally.records_in.get(self.topology).copied().unwrap_or(0);
        let of = |outcome| tally.of(self.topology, outcome);
        Standing {
            topology: self.topology,
            per_second: self.taken.per_second(now, records_in),
            records_in,
            processed: of("processed"),
            filtered: of("filtered"),
            duplicate: of("duplicate"),
            late: of("late"),
            dead_lettered: of("dead_lettered"),
            behind: self.behind(now, offered, records_in),
        }
    }

    fn behind(&mut self, now: Timestamp, offered: u64, taken: u64) -> Duration {
        if self.offered.back().is_none_or(|(_, before)| *before < offered) {
            self.offered.push_back((now, offered));
        }
        while self.offered.front().is_some_and(|(_, offered)| *offered <= taken) {
            self.offered.pop_front();
        }
        self.offered.front().map_or(Duration::ZERO, |(time, _)| since(*time, now))
    }
}

/// Takes a rate over a moving window.
#[derive(Debug, Default)]
struct Meter(VecDeque<(Timestamp, u64)>);

impl Meter {
    fn per_second(&mut self, now: Timestamp, count: u64) -> u64 {
        self.0.push_back((now, count));
        while self.0.get(1).is_some_and(|(time, _)| time.plus(RATE_OVER) <= now) {
            self.0.pop_front();
        }
        let Some((from, before)) = self.0.front() else { return 0 };
        let elapsed_ms = since(*from, now).as_millis() as u64;
        (count.saturating_sub(*before) * 1_000).checked_div(elapsed_ms).unwrap_or(0)
    }
}

fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::from_millis(later.as_millis().saturating_sub(earlier.as_millis()).max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_is_as_far_behind_as_the_oldest_record_that_it_has_not_taken() {
        let mut course = Course { topology: "clean", taken: Meter::default(), offered: VecDeque::new() };
        // Time, offered so far, taken so far: behind.
        let cases = [(0, 0, 0, 0), (100, 50, 0, 0), (200, 80, 0, 100), (300, 80, 50, 100), (400, 80, 80, 0), (900, 81, 80, 0)];
        for (now_ms, offered, taken, expected_ms) in cases {
            let behind = course.behind(Timestamp::from_millis(now_ms), offered, taken);
            assert_eq!(behind, Duration::from_millis(expected_ms), "at {now_ms}");
        }
    }

    #[test]
    fn a_rate_is_of_the_last_second() {
        let mut meter = Meter::default();
        for (now_ms, count, expected) in [(0, 0, 0), (500, 100, 200), (1_000, 200, 200), (2_000, 200, 0), (2_500, 700, 333)] {
            assert_eq!(meter.per_second(Timestamp::from_millis(now_ms), count), expected, "at {now_ms}");
        }
    }
}
