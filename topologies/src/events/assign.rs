//! Which session an event belongs to, as a function of the visitor's sessions.
//!
//! It holds no sessions and moves none; it says what to do.

/// The longest silence within a session; silent for exactly this long, it goes on.
pub const SESSION_GAP_MS: i64 = 30 * 60 * 1_000;

/// The longest time from a session's first event to its last.
pub const MAX_SESSION_MS: i64 = 24 * 60 * 60 * 1_000;

/// What an event does to a visitor's sessions; numbers are places in the list that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It lies inside this session, whose ends stay.
    Join(usize),
    /// It bridges the gap between these two, and all become one.
    Merge(usize, usize),
    /// It becomes the new end or start of this session.
    Extend(usize),
    /// No session is near enough, or each would grow too long: it opens one.
    Open,
}

/// Chooses the session of an event at `t` among a visitor's `sessions`, given as (start, end), both inclusive, in any order and without overlap.
///
/// Of the nearest session before and the nearest after, only those within `gap` (inclusive) count. Both merge with the event if the whole is no
/// longer than `max_len`; otherwise the event extends the earlier one if that stays within `max_len`, else the later one likewise. No session is
/// ever split, so which sessions there are depends on the order of arrival where `max_len` bites.
///
/// ```
/// use shoppulse::events::{Choice, choose};
///
/// let sessions = [(100, 200), (260, 300)];
/// assert_eq!(choose(&sessions, 150, 30, 1_000), Choice::Join(0));
/// assert_eq!(choose(&sessions, 230, 30, 1_000), Choice::Merge(0, 1));
/// assert_eq!(choose(&sessions, 230, 30, 150), Choice::Extend(0));
/// assert_eq!(choose(&sessions, 331, 30, 1_000), Choice::Open);
/// ```
pub fn choose(sessions: &[(i64, i64)], t: i64, gap: i64, max_len: i64) -> Choice {
    let indexed = || sessions.iter().copied().enumerate();
    if let Some((inside, _)) = indexed().find(|&(_, (start, end))| start <= t && t <= end) {
        return Choice::Join(inside);
    }
    let before = indexed().filter(|&(_, (_, end))| end < t && t - end <= gap).max_by_key(|&(_, (_, end))| end);
    let after = indexed().filter(|&(_, (start, _))| start > t && start - t <= gap).min_by_key(|&(_, (start, _))| start);
    match (before, after) {
        (Some((p, (start, _))), Some((n, (_, end)))) if end - start <= max_len => Choice::Merge(p, n),
        (Some((p, (start, _))), _) if t - start <= max_len => Choice::Extend(p),
        (_, Some((n, (_, end)))) if end - t <= max_len => Choice::Extend(n),
        _ => Choice::Open,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Choice, MAX_SESSION_MS as DAY, SESSION_GAP_MS as GAP, choose};

    const MINUTE: i64 = 60_000;

    #[test]
    fn rule_27_an_event_chooses_among_its_neighbours() {
        let (a, b) = ((0, 10 * MINUTE), (60 * MINUTE, 70 * MINUTE));
        let long_before = (0, DAY - 20 * MINUTE);
        let full_before = (0, DAY);
        let long_after = (DAY, 2 * DAY - 10 * MINUTE);
        for (why, sessions, t, expected) in [
            ("nobody is there", vec![], 5, Choice::Open),
            ("on the start", vec![a], 0, Choice::Join(0)),
            ("on the end", vec![a], 10 * MINUTE, Choice::Join(0)),
            ("between the ends", vec![b, a], 5 * MINUTE, Choice::Join(1)),
            ("exactly a gap after", vec![a], 40 * MINUTE, Choice::Extend(0)),
            ("one ms more than a gap after", vec![a], 40 * MINUTE + 1, Choice::Open),
            ("exactly a gap before", vec![b], 30 * MINUTE, Choice::Extend(0)),
            ("one ms more than a gap before", vec![b], 30 * MINUTE - 1, Choice::Open),
            ("near to both", vec![a, b], 35 * MINUTE, Choice::Merge(0, 1)),
            ("near to both, whatever their order", vec![b, a], 35 * MINUTE, Choice::Merge(1, 0)),
            ("exactly a gap from both ends", vec![(0, 0), (60 * MINUTE, 60 * MINUTE)], 30 * MINUTE, Choice::Merge(0, 1)),
            ("near to the later only", vec![a, b], 45 * MINUTE, Choice::Extend(1)),
            (
                "the whole would be too long, the earlier one has room",
                vec![long_before, (DAY + 5 * MINUTE, DAY + 6 * MINUTE)],
                DAY,
                Choice::Extend(0),
            ),
            (
                "one ms too long for the earlier, the later has room",
                vec![long_before, (DAY + 5 * MINUTE, DAY + 6 * MINUTE)],
                DAY + 1,
                Choice::Extend(1),
            ),
            ("the earlier one is full", vec![full_before], DAY + 1, Choice::Open),
            ("exactly full after the event", vec![(0, DAY - MINUTE)], DAY, Choice::Extend(0)),
            ("the whole is exactly a day", vec![(0, DAY - 20 * MINUTE), (DAY, DAY)], DAY - 10 * MINUTE, Choice::Merge(0, 1)),
            ("the later would be too long", vec![long_after], DAY - 10 * MINUTE - 1, Choice::Open),
            ("the later would be exactly a day", vec![long_after], DAY - 10 * MINUTE, Choice::Extend(0)),
            ("neither has room", vec![(0, DAY), (DAY + 2, 2 * DAY + 2)], DAY + 1, Choice::Open),
        ] {
            assert_eq!(choose(&sessions, t, GAP, DAY), expected, "{why}");
        }
    }

    /// Applies what was chosen, as a store of sessions does.
    fn apply(sessions: &mut Vec<(i64, i64)>, t: i64, gap: i64, max_len: i64) {
        match choose(sessions, t, gap, max_len) {
            Choice::Join(i) => assert!(sessions[i].0 <= t && t <= sessions[i].1),
            Choice::Merge(p, n) => {
                sessions[p].1 = sessions[n].1;
                sessions.remove(n);
            }
            Choice::Extend(i) => sessions[i] = (sessions[i].0.min(t), sessions[i].1.max(t)),
            Choice::Open => sessions.push((t, t)),
        }
    }

    proptest! {
        #[test]
        fn rule_27_sessions_never_overlap_nor_outgrow_the_limit(times in prop::collection::vec(0..400_i64, 1..60), gap in 0..20_i64, max_len in 0..80_i64) {
            let mut sessions = Vec::new();
            for (count, t) in times.iter().enumerate() {
                apply(&mut sessions, *t, gap, max_len);
                let mut sorted = sessions.clone();
                sorted.sort_unstable();
                prop_assert!(sorted.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", sorted);
                prop_assert!(sorted.iter().all(|(start, end)| end - start <= max_len));
                prop_assert!(times[..=count].iter().all(|t| sorted.iter().any(|(start, end)| start <= t && t <= end)));
            }
        }

        #[test]
        fn rule_27_without_the_limit_the_order_of_arrival_is_of_no_matter(times in prop::collection::vec(0..400_i64, 1..60), gap in 0..20_i64) {
            let mut arrived = Vec::new();
            for t in &times {
                apply(&mut arrived, *t, gap, i64::MAX);
            }
            arrived.sort_unstable();
            let mut sorted = times;
            sorted.sort_unstable();
            let model = sorted.chunk_by(|a, b| b - a <= gap).map(|run| (run[0], run[run.len() - 1])).collect::<Vec<_>>();
            prop_assert_eq!(arrived, model);
        }
    }
}
