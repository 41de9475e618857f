//! A deterministic generator of input records with every kind of disorder. What the records mean is not computed here:
//! that is `expect`'s work, so that neither can excuse the other.
//!
//! Time is simulated: acts (a visit, an order's life, a customer's life, a broken record) begin at even distances, and each
//! schedules its records on the [`stage`] at the instants at which they reach Kafka.

mod broken_changes;
mod broken_lines;
mod broken_messages;
mod customers;
mod disturb;
mod lines;
mod members;
mod message;
mod orders;
mod random;
mod script;
mod settings;
mod stage;
mod visits;

pub use settings::{Disorder, TrafficSettings};

use crate::input::InputRecord;
use stage::Stage;

/// How many records an act makes on average, by which acts are spaced.
const RECORDS_PER_ACT: u64 = 5;

/// An endless day of a shop, cut at the number of records that the settings ask for. Records come in the order in which
/// they are to be produced; the offset of each is its place within its topic and partition.
///
/// ```
/// use shoppulse_oracle::{Traffic, TrafficSettings};
///
/// let first: Vec<_> = Traffic::new(TrafficSettings::test(100, 1)).collect();
/// let again: Vec<_> = Traffic::new(TrafficSettings::test(100, 1)).collect();
/// assert_eq!(first, again);
/// ```
#[derive(Debug)]
pub struct Traffic {
    stage: Stage,
    acts_begun: u64,
    records_left: usize,
}

impl Traffic {
    /// A generator that has made nothing yet.
    pub fn new(settings: TrafficSettings) -> Self {
        let records_left = settings.records;
        Self { stage: Stage::new(settings), acts_begun: 0, records_left }
    }

    /// Begins all acts that may still send something before the earliest scheduled record.
    fn begin_acts(&mut self) {
        loop {
            let settings = &self.stage.settings;
            let acts = (settings.records as u64 / RECORDS_PER_ACT).max(1);
            let begin_ms = settings.start_ms + settings.span_ms * self.acts_begun as i64 / acts as i64;
            if self.stage.earliest_ms().is_some_and(|earliest| earliest < begin_ms) {
                return;
            }
            self.begin_act(begin_ms);
            self.acts_begun += 1;
        }
    }

    fn begin_act(&mut self, begin_ms: i64) {
        let stage = &mut self.stage;
        let broken_permille = stage.settings.disorder.broken_permille;
        if stage.random.chance(broken_permille) {
            match stage.random.below(8) {
                0..3 => broken_changes::begin(stage, begin_ms),
                3 | 4 => broken_lines::begin(stage, begin_ms),
                _ => broken_messages::begin(stage, begin_ms),
            }
            return;
        }
        let (orders, customers) = (stage.settings.orders_permille, stage.settings.customers_permille);
        match stage.random.below(1_000) as u32 {
            share if share < orders => orders::begin(stage, begin_ms),
            share if share < orders + customers => customers::begin(stage, begin_ms),
            _ => visits::begin(stage, begin_ms),
        }
    }
}

impl Iterator for Traffic {
    type Item = InputRecord;

    fn next(&mut self) -> Option<InputRecord> {
        self.records_left = self.records_left.checked_sub(1)?;
        self.begin_acts();
        self.stage.take_earliest()
    }
}
