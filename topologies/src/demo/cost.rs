//! What a demo costs: time, CPU, memory, of the whole process.

use std::time::Duration;

use highwater::Timestamp;

use crate::summary::{cpu_time, memory_bytes};

/// Measures from here on.
pub(super) struct Meter {
    began: Timestamp,
    cpu_before: Duration,
}

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    pub(super) peak_memory_bytes: Option<u64>,
}

impl Meter {
    pub(super) fn start(now: Timestamp) -> Self {
        Self { began: now, cpu_before: cpu_time() }
    }

    pub(super) fn read(&self, now: Timestamp) -> Cost {
        let wall_ms = now.as_millis().saturating_sub(self.began.as_millis()).max(0);
        Cost {
            wall: Duration::from_millis(wall_ms as u64),
            cpu: cpu_time().saturating_sub(self.cpu_before),
            peak_memory_bytes: memory_bytes("VmHWM"),
        }
    }
}
