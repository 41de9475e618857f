//! When an event happened: the client's clock, corrected by the server's.
//!
//! Times come in as microseconds since 1970 and are never compared with a clock of ours, so that a replay gives the same result at any time.

/// How far an event may lie ahead of its own receipt.
pub const MAX_FUTURE_US: i64 = 5 * 60 * MICROS_A_SECOND;

const MICROS_A_SECOND: i64 = 1_000_000;
const MICROS_A_MILLI: i64 = 1_000;

/// The times of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Corrected time, never after receipt, floored to milliseconds: what deduplication, lateness and sessions go by.
    pub occurred_ms: i64,
    /// The client's time as it stands, or the receipt's where the client gave none.
    pub original_us: i64,
    /// When the client says it sent the batch.
    pub sent_us: Option<i64>,
    /// When the collector received it.
    pub received_us: i64,
    /// Receipt minus sending, floored; 0 where the client didn't say when it sent.
    pub clock_skew_ms: i64,
    ahead_us: i64,
}

impl Times {
    /// Corrects the client's time: receipt − (sending − client's time), as long as the client says when it sent.
    ///
    /// ```
    /// use shoppulse::events::Times;
    ///
    /// // The client's clock is one hour ahead: it recorded at 3 605 s, sent at 3 610 s, and we received at 10 s.
    /// let times = Times::correct(10_000_000, Some(3_610_000_000), Some(3_605_000_000));
    /// assert_eq!((times.occurred_ms, times.clock_skew_ms), (5_000, -3_600_000));
    /// ```
    pub fn correct(received_us: i64, sent_us: Option<i64>, client_us: Option<i64>) -> Self {
        let corrected_us = match (client_us, sent_us) {
            (Some(client), Some(sent)) => received_us - (sent - client),
            (Some(client), None) => client,
            (None, _) => received_us,
        };
        Self {
            occurred_ms: corrected_us.min(received_us).div_euclid(MICROS_A_MILLI),
            original_us: client_us.unwrap_or(received_us),
            sent_us,
            received_us,
            clock_skew_ms: sent_us.map_or(0, |sent| (received_us - sent).div_euclid(MICROS_A_MILLI)),
            ahead_us: corrected_us - received_us,
        }
    }

    /// The time that counts, as the row carries it: whole milliseconds, in microseconds.
    pub const fn occurred_us(&self) -> i64 {
        self.occurred_ms * MICROS_A_MILLI
    }

    /// Whether the corrected time lies before 1970, which no event of ours can.
    pub const fn is_before_1970(&self) -> bool {
        self.occurred_ms < 0
    }

    /// Whether the corrected time lies more than [`MAX_FUTURE_US`] after receipt.
    pub const fn is_future(&self) -> bool {
        self.ahead_us > MAX_FUTURE_US
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn rule_01_without_a_client_time_all_times_are_the_receipt() {
        for sent in [None, Some(0), Some(77 * SECOND)] {
            let times = Times::correct(50 * SECOND + 1_999, sent, None);
            assert_eq!((times.occurred_ms, times.original_us, times.received_us), (50_001, 50_001_999, 50_001_999), "{sent:?}");
            assert!(!times.is_future());
        }
    }

    #[test]
    fn rule_02_the_client_clock_is_corrected_only_with_a_sending_time() {
        for (received, sent, client, occurred_ms) in [
            (100, Some(100), 90, 90_000),
            (100, Some(90), 80, 90_000),
            (100, Some(4_000), 3_990, 90_000),
            (100, None, 80, 80_000),
            (100, Some(50), 40, 90_000),
        ] {
            let times = Times::correct(received * SECOND, sent.map(|sent| sent * SECOND), Some(client * SECOND));
            assert_eq!(times.occurred_ms, occurred_ms, "received {received} s, sent {sent:?} s, client {client} s");
            assert_eq!(times.original_us, client * SECOND);
        }
    }

    #[test]
    fn rule_03_exactly_five_minutes_ahead_pass_and_one_microsecond_more_is_future() {
        let received = 1_000 * SECOND;
        for (ahead_us, is_future) in [(0, false), (1, false), (300 * SECOND, false), (300 * SECOND + 1, true), (1 << 55, true)] {
            for sent in [None, Some(received)] {
                let times = Times::correct(received, sent, Some(received + ahead_us));
                assert_eq!(times.is_future(), is_future, "{ahead_us}");
                assert_eq!(times.occurred_ms, 1_000_000, "never after receipt");
            }
        }
    }

    #[test]
    fn rule_03_the_time_that_counts_is_floored_to_milliseconds_and_has_no_lower_limit_but_1970() {
        for (client_us, occurred_ms, is_before_1970) in [
            (1_999, 1, false),
            (1_000, 1, false),
            (999, 0, false),
            (0, 0, false),
            (-1, -1, true),
            (-1_000, -1, true),
            (-1_001, -2, true),
        ] {
            let times = Times::correct(SECOND, None, Some(client_us));
            assert_eq!((times.occurred_ms, times.is_before_1970()), (occurred_ms, is_before_1970), "{client_us}");
            assert_eq!(times.occurred_us(), occurred_ms * 1_000);
            assert_eq!(times.original_us, client_us, "other times keep their microseconds");
        }
    }

    #[test]
    fn rule_03_a_client_clock_before_1970_is_mended_by_its_sending_time() {
        let times = Times::correct(100 * SECOND, Some(-50 * SECOND), Some(-60 * SECOND));
        assert_eq!((times.occurred_ms, times.original_us, times.is_before_1970()), (90_000, -60 * SECOND, false));
    }

    #[test]
    fn rule_04_skew_is_receipt_minus_sending_floored() {
        for (received_us, sent_us, skew_ms) in [
            (5_000, Some(2_000), 3),
            (5_999, Some(2_000), 3),
            (2_000, Some(5_000), -3),
            (2_000, Some(5_001), -4),
            (2_000, Some(2_001), -1),
            (7, None, 0),
        ] {
            assert_eq!(Times::correct(received_us, sent_us, Some(0)).clock_skew_ms, skew_ms, "{received_us} − {sent_us:?}");
        }
    }

    #[test]
    fn rule_02_the_widest_years_do_not_overflow() {
        let (first, last) = (-62_167_305_540_000_000, 253_402_387_139_999_999);
        for received in [first, last] {
            for sent in [first, last] {
                for client in [first, last] {
                    let corrected = i128::from(received) - (i128::from(sent) - i128::from(client));
                    let times = Times::correct(received, Some(sent), Some(client));
                    assert_eq!(i128::from(times.occurred_ms), corrected.min(i128::from(received)).div_euclid(1_000));
                }
            }
        }
    }
}
