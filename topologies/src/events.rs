//! Web and mobile events: from the bytes of `raw.events` to rows of `clean.events` and sessions.
//!
//! Everything here is a function of its arguments: no store, no clock, no Kafka. The topologies decide what becomes of a result. In the order of
//! an event's life: [`RawEvent::parse`] judges a record, [`RawEvent::event_id`] names it for deduplication, [`RawEvent::into_clean`] makes the
//! row, [`choose`] finds its session and [`Session`] adds it up.

mod assign;
mod clean;
#[cfg(test)]
mod fixture;
mod identity;
mod json;
mod members;
mod message;
mod raw;
mod session;
mod time;

pub use assign::{Choice, MAX_SESSION_MS, SESSION_GAP_MS, choose};
pub use clean::CleanFields;
pub use identity::event_id;
pub use message::{Given, Message};
pub use raw::{EventType, MAX_EVENT_BYTES, RawEvent};
pub use session::{Counts, Mark, RevenueRow, Session, SessionDecodeError, SessionEvent, SessionRow, session_id};
pub use time::{MAX_FUTURE_US, Times};
