//! Which session a record belongs to: a pure choice among the sessions of its key. Moving them is the operator's business.

/// A session's start and end, both inclusive, in milliseconds.
pub(crate) type Bounds = (i64, i64);

/// What becomes of a record's key; numbers are places in the list that was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// No session is near enough, or all would become too long: the record opens one.
    Open,
    /// It falls into this one, or becomes its new start or end.
    Into(usize),
    /// It bridges the gap between these two, earlier and later.
    Merge(usize, usize),
}

/// How sessions are cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) gap_ms: i64,
    /// `i64::MAX` if sessions may be of any length.
    pub(crate) max_length_ms: i64,
}

impl Rule {
    /// Chooses the session of a record at `time_ms` among `sessions`, which do not overlap.
    ///
    /// A record within a session joins it. Otherwise only the nearest before and the nearest after count, if they are no
    /// further than the gap: both merge if the whole is not too long; else the record joins the earlier one if that does not
    /// become too long, else the later one likewise. A session is never split.
    pub(crate) fn choose(self, sessions: &[Bounds], time_ms: i64) -> Choice {
        let Self { gap_ms, max_length_ms } = self;
        let (mut earlier, mut later): (Option<usize>, Option<usize>) = (None, None);
        for (index, &(start, end)) in sessions.iter().enumerate() {
            if start <= time_ms && time_ms <= end {
                return Choice::Into(index);
            }
            if end < time_ms {
                if time_ms.saturating_sub(end) <= gap_ms && earlier.is_none_or(|other| sessions[other].1 < end) {
                    earlier = Some(index);
                }
            } else if start.saturating_sub(time_ms) <= gap_ms && later.is_none_or(|other| start < sessions[other].0) {
                later = Some(index);
            }
        }
        let fits = |start: i64, end: i64| end.saturating_sub(start) <= max_length_ms;
        match (earlier, later) {
            (Some(one), Some(other)) if fits(sessions[one].0, sessions[other].1) => Choice::Merge(one, other),
            (Some(one), _) if fits(sessions[one].0, time_ms) => Choice::Into(one),
            (_, Some(other)) if fits(time_ms, sessions[other].1) => Choice::Into(other),
            _ => Choice::Open,
        }
    }
}

impl Choice {
    /// The bounds of the session that holds the record afterwards.
    pub(crate) fn bounds(self, sessions: &[Bounds], time_ms: i64) -> Bounds {
        match self {
            Self::Open => (time_ms, time_ms),
            Self::Into(index) => (sessions[index].0.min(time_ms), sessions[index].1.max(time_ms)),
            Self::Merge(one, other) => (sessions[one].0, sessions[other].1),
        }
    }

    /// The sessions that become part of it.
    pub(crate) fn absorbed(self) -> impl Iterator<Item = usize> {
        let (one, other) = match self {
            Self::Open => (None, None),
            Self::Into(index) => (Some(index), None),
            Self::Merge(one, other) => (Some(one), Some(other)),
        };
        one.into_iter().chain(other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // covers: R27, V-2.6-inclusive-gap
    #[test]
    fn a_record_joins_merges_or_opens() {
        let rule = Rule { gap_ms: 10, max_length_ms: 50 };
        for (why, sessions, time, choice) in [
            ("nobody is there", vec![], 5, Choice::Open),
            ("on the start", vec![(5, 9)], 5, Choice::Into(0)),
            ("within", vec![(0, 1), (20, 30)], 25, Choice::Into(1)),
            ("exactly a gap behind", vec![(0, 5)], 15, Choice::Into(0)),
            ("a millisecond more", vec![(0, 5)], 16, Choice::Open),
            ("exactly a gap ahead", vec![(15, 20)], 5, Choice::Into(0)),
            ("a millisecond more ahead", vec![(15, 20)], 4, Choice::Open),
            ("between two", vec![(0, 5), (20, 25)], 12, Choice::Merge(0, 1)),
            ("between two, whatever their order", vec![(20, 25), (0, 5)], 12, Choice::Merge(1, 0)),
            ("the whole is exactly as long as it may be", vec![(0, 5), (20, 50)], 12, Choice::Merge(0, 1)),
            ("the whole would be too long", vec![(0, 5), (20, 51)], 12, Choice::Into(0)),
            ("so would the earlier one", vec![(0, 45), (60, 70)], 51, Choice::Into(1)),
            ("so would both", vec![(0, 45), (60, 110)], 52, Choice::Open),
            ("the only one is full", vec![(0, 50)], 51, Choice::Open),
            ("the only one becomes full", vec![(0, 45)], 50, Choice::Into(0)),
            ("the nearest counts", vec![(0, 3), (5, 6), (12, 13), (15, 15)], 9, Choice::Merge(1, 2)),
        ] {
            assert_eq!(rule.choose(&sessions, time), choice, "{why}");
        }
    }

    fn apply(rule: Rule, sessions: &mut Vec<Bounds>, time: i64) {
        let choice = rule.choose(sessions, time);
        let bounds = choice.bounds(sessions, time);
        let mut absorbed: Vec<usize> = choice.absorbed().collect();
        absorbed.sort_unstable();
        for index in absorbed.into_iter().rev() {
            sessions.swap_remove(index);
        }
        sessions.push(bounds);
    }

    proptest! {
        // covers: R27
        #[test]
        fn sessions_never_overlap_grow_too_long_or_lose_a_record(
            times in prop::collection::vec(0..400_i64, 1..60), gap_ms in 0..20_i64, max_length_ms in 0..80_i64,
        ) {
            let rule = Rule { gap_ms, max_length_ms };
            let mut sessions = Vec::new();
            for time in &times {
                apply(rule, &mut sessions, *time);
            }
            sessions.sort_unstable();
            prop_assert!(sessions.windows(2).all(|pair| pair[0].1 < pair[1].0));
            prop_assert!(sessions.iter().all(|(start, end)| end - start <= max_length_ms));
            prop_assert!(times.iter().all(|time| sessions.iter().any(|(start, end)| start <= time && time <= end)));
        }

        #[test]
        fn without_a_length_the_order_of_arrival_does_not_matter(
            times in prop::collection::vec(0..400_i64, 1..60), gap_ms in 0..20_i64,
        ) {
            let rule = Rule { gap_ms, max_length_ms: i64::MAX };
            let mut sessions = Vec::new();
            for time in &times {
                apply(rule, &mut sessions, *time);
            }
            sessions.sort_unstable();
            let mut sorted = times;
            sorted.sort_unstable();
            let runs: Vec<Bounds> = sorted.chunk_by(|a, b| b - a <= gap_ms).map(|run| (run[0], run[run.len() - 1])).collect();
            prop_assert_eq!(sessions, runs);
        }
    }
}
