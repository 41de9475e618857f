//! Deadlines of client calls, in the monotonic time that librdkafka itself counts in. Not the engine's clock.
//!
//! A call to a cluster ends after real time, also where a test holds the engine's clock still.

use std::time::{Duration, Instant};

/// A point in real time by which a call has to return.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    started: Instant,
    timeout: Duration,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "timeouts of client calls are real time, whatever the engine's clock says")]
    pub(super) fn after(timeout: Duration) -> Self {
        Self { started: Instant::now(), timeout }
    }

    pub(super) fn remaining(&self) -> Duration {
        self.timeout.saturating_sub(self.started.elapsed())
    }

    pub(super) fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// What is left, at most `limit`, in the C client's milliseconds; at least 1 while any time is left.
    pub(super) fn millis_at_most(&self, limit: Duration) -> i32 {
        timeout_millis(self.remaining().min(limit))
    }

    /// What is left in the C client's milliseconds.
    pub(super) fn millis(&self) -> i32 {
        timeout_millis(self.remaining())
    }
}

/// A duration in the C client's milliseconds, rounded up, never "infinite" (which is -1 there).
pub(super) fn timeout_millis(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Deadline, timeout_millis};

    #[test]
    fn durations_round_up_and_never_become_infinite() {
        let table = [
            (Duration::ZERO, 0),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(5), 5),
            (Duration::from_micros(5_001), 6),
            (Duration::MAX, i32::MAX),
        ];
        for (duration, millis) in table {
            assert_eq!(timeout_millis(duration), millis, "{duration:?}");
        }
    }

    #[test]
    fn a_deadline_of_no_time_has_passed() {
        assert!(Deadline::after(Duration::ZERO).has_passed());
        assert!(!Deadline::after(Duration::from_hours(1)).has_passed());
    }
}
