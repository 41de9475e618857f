//! Clocks: the only way the engine learns what time it is, and the only way it waits.
//!
//! Event time is not here: it travels with records and lives in operators (`dsl/ops`).

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::record::{Timestamp, millis};

/// A source of wall-clock time.
///
/// Everything in the engine that needs the time is handed one, so that a test can hold it still or let a day pass.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;

    /// Waits. A virtual clock moves itself on and returns at once.
    fn sleep(&self, duration: Duration);

    /// Whether its time passes while nobody does anything. Waiting for something to happen makes sense only then.
    fn moves_by_itself(&self) -> bool {
        true
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the injected clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_millis(since_epoch.map_or(0, millis))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the injected clock")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock that moves only when it is told to, or when somebody sleeps on it.
#[derive(Debug, Default)]
pub struct VirtualClock(AtomicI64);

impl VirtualClock {
    /// A clock that stands at `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_millis()))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn moves_by_itself(&self) -> bool {
        false
    }
}
