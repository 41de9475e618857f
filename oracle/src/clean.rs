//! `raw.events` → `clean.events`: validation, corrected time, lateness and dedup of one partition (rules 1–26).
//! The columns of a kept event are read in [`columns`].

mod columns;
mod message;

use std::collections::BTreeMap;

use crate::books::Books;
use crate::expected::{CleanRow, LateEvent};
use crate::input::Placed;
use crate::reason::Verdict;
use crate::time::{DAY_MS, HOUR_MS};

pub(crate) use columns::SessionEvent;
use message::Message;

/// The topic that is read.
pub(crate) const TOPIC: &str = "raw.events";
const TOPOLOGY: &str = "clean";
/// How many hours before the hour of stream time a kept event is remembered (rule 11).
const MEMORY_HOURS: i64 = 25;

/// What one partition comes to, in its order.
#[derive(Debug, Default)]
pub(crate) struct Cleaned {
    /// What sessions need of the kept events.
    pub(crate) kept: Vec<SessionEvent>,
    /// The same events as rows of `clean.events`.
    pub(crate) rows: Vec<CleanRow>,
    pub(crate) late: Vec<LateEvent>,
}

/// Cleans one partition.
pub(crate) fn run(events: &[Placed<'_>], books: &mut Books) -> Cleaned {
    let mut cleaned = Cleaned::default();
    let mut memory = Memory::default();
    for placed in events {
        let message = Message::read(placed.record);
        let verdict = match &message {
            Ok(message) => memory.judge(message),
            Err(reason) => Verdict::DeadLettered(*reason),
        };
        books.book(TOPOLOGY, placed, verdict);
        match (&message, verdict) {
            (Ok(message), Verdict::Processed(_)) => {
                let (row, event) = columns::read(message, placed.record.partition);
                cleaned.rows.push(row);
                cleaned.kept.push(event);
            }
            (Ok(message), Verdict::Late(reason)) => cleaned.late.push(late_event(message, reason, memory.stream_time_ms)),
            _ => {}
        }
    }
    cleaned
}

fn late_event(message: &Message<'_>, reason: &str, stream_time_ms: i64) -> LateEvent {
    let occurred_ms = message.occurred_ms;
    LateEvent {
        key: message.key.to_owned(),
        reason: reason.to_owned(),
        late_by_ms: stream_time_ms - DAY_MS - occurred_ms,
        stream_time_ms,
        bucket_ms: occurred_ms.div_euclid(HOUR_MS) * HOUR_MS,
        topology: TOPOLOGY.to_owned(),
    }
}

/// What a partition remembers: its stream time, and for each identity the latest hour in which an event of it was kept.
/// Nothing is ever forgotten here; the horizon is applied when it is asked for.
#[derive(Debug)]
struct Memory {
    stream_time_ms: i64,
    kept_hours: BTreeMap<(String, String, String), i64>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { stream_time_ms: i64::MIN / 2, kept_hours: BTreeMap::new() }
    }
}

impl Memory {
    fn judge(&mut self, message: &Message<'_>) -> Verdict {
        self.stream_time_ms = self.stream_time_ms.max(message.occurred_ms);
        if message.occurred_ms < self.stream_time_ms - DAY_MS {
            return Verdict::Late("beyond_dedup_horizon");
        }
        let hour = |instant_ms: i64| instant_ms.div_euclid(HOUR_MS);
        let horizon = hour(self.stream_time_ms) - MEMORY_HOURS;
        let identity = (message.key.to_owned(), message.write_key.clone(), message.id.clone());
        let kept_hour = self.kept_hours.entry(identity).or_insert(i64::MIN);
        if *kept_hour >= horizon {
            return Verdict::Duplicate("message_id");
        }
        *kept_hour = (*kept_hour).max(hour(message.occurred_ms));
        Verdict::Processed("")
    }
}
