//! `clean.events` → `curated.sessions` for one partition (rules 27–30). The rows' columns are in [`row`].

mod row;

use std::collections::BTreeMap;

use crate::books::Books;
use crate::clean::SessionEvent;
use crate::expected::Expected;
use crate::reason::Verdict;
use crate::time::DAY_MS;

/// The topic of the rows.
pub(crate) const TABLE: &str = "curated.sessions";
const GAP_MS: i64 = 30 * 60 * 1_000;
const MAX_LENGTH_MS: i64 = DAY_MS;

/// Books the partition's events and adds its sessions' rows. Behind `clean` no event is too late for its session.
pub(crate) fn run(partition: i32, events: &[SessionEvent], books: &mut Books, expected: &mut Expected) {
    let mut visitors: BTreeMap<(&str, &str), Sessions<'_>> = BTreeMap::new();
    for (place, event) in events.iter().enumerate() {
        books.count("sessions", "clean.events", partition, event.occurred_ms, Verdict::Processed(""));
        add(visitors.entry((&event.shop_id, &event.visitor)).or_default(), (place, event));
    }
    for session in visitors.into_values().flat_map(BTreeMap::into_values) {
        expected.add_row(TABLE, row::read(session.events));
    }
}

/// The sessions of one visitor by their start. They never overlap.
type Sessions<'a> = BTreeMap<i64, Session<'a>>;

/// An event with its place in the partition's order, which breaks ties.
type PlacedEvent<'a> = (usize, &'a SessionEvent);

#[derive(Debug)]
struct Session<'a> {
    end: i64,
    events: Vec<PlacedEvent<'a>>,
}

/// Puts an event into one of its visitor's sessions (rule 27).
fn add<'a>(sessions: &mut Sessions<'a>, event: PlacedEvent<'a>) {
    let at = event.1.occurred_ms;
    let latest_begun = sessions.range(..=at).next_back().map(|(&start, session)| (start, session.end));
    if let Some((start, end)) = latest_begun
        && at <= end
    {
        return join(sessions, start, event);
    }
    let before = latest_begun.filter(|&(_, end)| at - end <= GAP_MS);
    let after = sessions.range(at..).next().map(|(&start, session)| (start, session.end));
    let after = after.filter(|&(start, _)| start - at <= GAP_MS);
    match (before, after) {
        (Some((first_start, _)), Some((second_start, end))) if end - first_start <= MAX_LENGTH_MS => {
            let second = sessions.remove(&second_start).expect("it was found there");
            let first = sessions.get_mut(&first_start).expect("it was found there");
            first.end = second.end;
            first.events.extend(second.events);
            first.events.push(event);
        }
        (Some((start, _)), _) if at - start <= MAX_LENGTH_MS => join(sessions, start, event),
        (_, Some((start, end))) if end - at <= MAX_LENGTH_MS => join(sessions, start, event),
        _ => {
            sessions.insert(at, Session { end: at, events: vec![event] });
        }
    }
}

/// Adds an event to the session that starts at `start`, which may thereby start earlier or end later.
fn join<'a>(sessions: &mut Sessions<'a>, start: i64, event: PlacedEvent<'a>) {
    let mut session = sessions.remove(&start).expect("it was found there");
    let at = event.1.occurred_ms;
    session.end = session.end.max(at);
    session.events.push(event);
    sessions.insert(start.min(at), session);
}
