//! How a moment looks, as text: the panel for a terminal, and the line for a log. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::HumanCount;

use crate::demo::progress::{Scene, Standing};
use crate::topic_names as topics;

/// Reasons of dead letters that fit into a line.
const REASONS_MAX: usize = 5;
/// Later than this is shown as late.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// Minutes and seconds.
pub(super) fn clock(elapsed: Duration) -> String {
    format!("{}:{:02}", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

/// What stands below the bar.
pub(super) fn panel(scene: &Scene) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "  {} · {} records/s\n", clock(scene.elapsed), HumanCount(scene.fed_per_second));
    let _ = writeln!(
        text,
        "  {:<10}{:>10}{:>10}{:>11}{:>10}{:>11}{:>7}{:>7}{:>10}",
        "topology", "records/s", "in", "processed", "filtered", "duplicate", "late", "dead", "behind"
    );
    for standing in &scene.standings {
        let behind = console::style(format!("{:>10}", seconds(standing.behind)));
        let behind = if standing.behind > BEHIND_MAX { behind.yellow() } else { behind.green() }.for_stderr();
        let Standing { topology, per_second, records_in, processed, filtered, duplicate, late, dead_lettered, .. } = standing;
        let [per_second, records_in, processed, filtered, duplicate, late, dead_lettered] =
            [per_second, records_in, processed, filtered, duplicate, late, dead_lettered]
                .map(|count| HumanCount(*count).to_string());
        let _ = writeln!(
            text,
            "  {topology:<10}{per_second:>10}{records_in:>10}{processed:>11}{filtered:>10}{duplicate:>11}{late:>7}\
             {dead_lettered:>7}{behind}"
        );
    }
    let _ = writeln!(text, "\n  rows written   {}", written(scene));
    let _ = writeln!(text, "  dead letters   {}", reasons(scene));
    let _ = writeln!(text, "  commits        {}", HumanCount(scene.commits));
    let _ = write!(text, "  the books      {}", books(scene));
    text
}

/// The same in one line.
pub(super) fn line(scene: &Scene) -> String {
    let sum = |of: fn(&Standing) -> u64| HumanCount(scene.standings.iter().map(of).sum());
    let behind = scene.standings.iter().max_by_key(|standing| standing.behind);
    let behind = behind.map_or_else(String::new, |most| format!(" · {} {} behind", most.topology, seconds(most.behind)));
    format!(
        "{} fed {} ({}/s) · processed {} · filtered {} · duplicate {} · late {} · dead {}{behind} · {} commits",
        clock(scene.elapsed),
        HumanCount(scene.fed),
        HumanCount(scene.fed_per_second),
        sum(|standing| standing.processed),
        sum(|standing| standing.filtered),
        sum(|standing| standing.duplicate),
        sum(|standing| standing.late),
        sum(|standing| standing.dead_lettered),
        HumanCount(scene.commits),
    )
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn written(scene: &Scene) -> String {
    let rows = [
        ("sessions", topics::SESSIONS),
        ("order facts", topics::ORDER_FACTS),
        ("customers", topics::CUSTOMERS),
        ("history", topics::CUSTOMER_HISTORY),
    ];
    let rows = rows.map(|(name, topic)| format!("{name} {}", HumanCount(scene.written.get(topic).copied().unwrap_or(0))));
    rows.join(" · ")
}

fn reasons(scene: &Scene) -> String {
    let mut reasons: Vec<_> = scene.dead_letters.iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(**count), **reason));
    let shown: Vec<String> =
        reasons.iter().take(REASONS_MAX).map(|(reason, count)| format!("{reason} {}", HumanCount(**count))).collect();
    match (shown.is_empty(), reasons.len() > REASONS_MAX) {
        (true, _) => "none".to_owned(),
        (false, true) => format!("{} · …", shown.join(" · ")),
        (false, false) => shown.join(" · "),
    }
}

fn books(scene: &Scene) -> String {
    let accounted = |standing: &Standing| {
        standing.processed + standing.filtered + standing.duplicate + standing.late + standing.dead_lettered
    };
    let taken: u64 = scene.standings.iter().map(|standing| standing.records_in).sum();
    let left: u64 = scene.standings.iter().map(accounted).sum();
    let word = if taken == left { "they balance" } else { "THEY DO NOT BALANCE" };
    format!("{} in, {} accounted for: {word}", HumanCount(taken), HumanCount(left))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn scene() -> Scene {
        let standing = Standing {
            topology: "clean",
            per_second: 1_500,
            records_in: 12_345,
            processed: 12_000,
            duplicate: 300,
            late: 5,
            dead_lettered: 40,
            behind: Duration::from_millis(300),
            ..Standing::default()
        };
        let reasons = ["bad_key", "not_json", "not_utf8", "too_large", "wrong_type", "empty_value"];
        Scene {
            elapsed: Duration::from_secs(75),
            fed: 20_000,
            fed_per_second: 2_000,
            standings: vec![standing],
            written: BTreeMap::from([(topics::SESSIONS.to_owned(), 1_234)]),
            dead_letters: reasons.into_iter().zip(1..).collect(),
            commits: 99,
            crashes: 1,
        }
    }

    #[test]
    fn a_panel_tells_rates_outcomes_delays_and_whether_the_books_balance() {
        let panel = panel(&scene());
        for part in ["1:15", "12,345", "300", "0.3 s", "sessions 1,234", "empty_value 6 · ", " · …", "they balance"] {
            assert!(panel.contains(part), "{part} in\n{panel}");
        }
        let unbalanced = Scene { standings: vec![Standing { late: 4, ..scene().standings[0].clone() }], ..scene() };
        assert!(super::panel(&unbalanced).contains("THEY DO NOT BALANCE"));
    }

    #[test]
    fn a_line_tells_the_same_in_one_line() {
        let expected = "1:15 fed 20,000 (2,000/s) · processed 12,000 · filtered 0 · duplicate 300 · late 5 · dead 40 · clean 0.3 s behind · 99 commits";
        assert_eq!(line(&scene()), expected);
    }
}
