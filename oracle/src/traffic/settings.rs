//! What traffic is asked for: how much, over which time, and how disorderly.

use crate::time::HOUR_MS;

/// How often each kind of disorder happens. The kinds within a rate take turns or are drawn evenly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disorder {
    /// Acts, in a thousand, that are a broken record, or one at the edge of what is allowed.
    pub broken_permille: u32,
    /// Events, in a thousand, that come twice: near, far, or sent again with another `sentAt`.
    pub repeated_permille: u32,
    /// Visits, in a thousand, whose events reach the collector hours later or out of order, within grace.
    pub offline_permille: u32,
    /// Events, in a thousand, that come after the dedup horizon.
    pub late_permille: u32,
    /// Clients, in a thousand, whose clock is wrong.
    pub skewed_permille: u32,
    /// Rows of the shop's database, in a thousand, whose changes come repeated, replayed, out of order or with snapshots.
    pub disturbed_rows_permille: u32,
    /// Payment lines, in a thousand, that come again, corrected, or for another order.
    pub repeated_lines_permille: u32,
    /// The greatest number of records larger than what is read: each has more than 512 KiB.
    pub oversized_records: u32,
}

impl Disorder {
    /// No disorder at all: every record is valid, and comes once and in order.
    pub fn none() -> Self {
        Self {
            broken_permille: 0,
            repeated_permille: 0,
            offline_permille: 0,
            late_permille: 0,
            skewed_permille: 0,
            disturbed_rows_permille: 0,
            repeated_lines_permille: 0,
            oversized_records: 0,
        }
    }
}

impl Default for Disorder {
    fn default() -> Self {
        Self {
            broken_permille: 80,
            repeated_permille: 40,
            offline_permille: 120,
            late_permille: 4,
            skewed_permille: 200,
            disturbed_rows_permille: 450,
            repeated_lines_permille: 250,
            oversized_records: 4,
        }
    }
}

/// What traffic is asked for. Begin with a preset and change what matters.
///
/// ```
/// use shoppulse_oracle::TrafficSettings;
///
/// let settings = TrafficSettings { partitions: 12, ..TrafficSettings::test(1_000, 42) };
/// assert_eq!(settings.records, 1_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficSettings {
    /// The same seed and settings yield the same records.
    pub seed: u64,
    /// When the first records reach Kafka, in epoch milliseconds.
    pub start_ms: i64,
    /// The simulated time between the first record and the last, approximately.
    pub span_ms: i64,
    /// The number of records.
    pub records: usize,
    /// The partitions of every input topic.
    pub partitions: i32,
    /// The number of shops.
    pub shops: u32,
    /// The number of visitors.
    pub visitors: u32,
    /// Acts, in a thousand, that are the life of an order with its items and payments.
    pub orders_permille: u32,
    /// Acts, in a thousand, that are the life of a customer.
    pub customers_permille: u32,
    /// How disorderly it is.
    pub disorder: Disorder,
}

impl TrafficSettings {
    /// For tests: so many records over 40 hours that begin on 2026-01-05.
    pub fn test(records: usize, seed: u64) -> Self {
        Self {
            seed,
            start_ms: 1_767_571_200_000,
            span_ms: 40 * HOUR_MS,
            records,
            partitions: 4,
            shops: 3,
            visitors: (records / 40).max(5) as u32,
            orders_permille: 170,
            customers_permille: 130,
            disorder: Disorder::default(),
        }
    }

    /// For a demonstration of so many seconds at so many records a second: the past 30 hours in fast motion. The caller
    /// paces the records by the wall clock.
    pub fn demo(seconds: u64, records_per_second: u64, now_ms: i64) -> Self {
        let records = seconds.saturating_mul(records_per_second) as usize;
        Self { start_ms: now_ms - 35 * HOUR_MS, span_ms: 30 * HOUR_MS, ..Self::test(records, now_ms as u64) }
    }
}
