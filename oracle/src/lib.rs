//! ShopPulse's rules written a second time, as a plain batch computation, to judge the stream by; and traffic to judge it on.
//!
//! Start with [`expect`]: from all input records it computes the rows, late events, dead letters and counts that a correct
//! stream must end with. [`Actual`] gathers what a stream did write, [`compare`] names every difference in a sentence, and
//! [`Traffic`] makes input with every kind of disorder. This crate shares no code with the stream: each rule is read from
//! the contract and written here for clarity, not for speed. It knows neither Kafka nor Avro; records come and go as bytes
//! and JSON.
//!
//! ```
//! use shoppulse_oracle::{Traffic, TrafficSettings, expect};
//!
//! let records: Vec<_> = Traffic::new(TrafficSettings::test(500, 7)).collect();
//! let expected = expect(&records);
//! assert!(!expected.clean_events.is_empty());
//! ```

mod actual;
mod books;
mod canonical;
mod changes;
mod clean;
mod compare;
mod customers;
mod digest;
mod expected;
mod facts;
mod input;
mod json;
mod money;
mod murmur2;
mod orders;
mod payments;
mod reason;
mod row_log;
mod sessions;
mod tables;
mod time;
mod traffic;

pub use actual::{Actual, OutputRow};
pub use compare::{Difference, DifferenceKind, compare};
pub use expected::{CleanRow, DeadLetter, Expected, LateEvent, QualityKey, expect};
pub use input::InputRecord;
pub use murmur2::{murmur2, partition_of};
pub use reason::REASONS;
pub use traffic::{Disorder, Traffic, TrafficSettings};
