//! What a demo costs: time, CPU, memory, of the whole process.

use std::time::Duration;

use highwater::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::summary::memory_bytes;

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
        Self { began: now, cpu_before: cpu() }
    }

    pub(super) fn read(&self, now: Timestamp) -> Cost {
        let wall_ms = now.as_millis().saturating_sub(self.began.as_millis()).max(0);
        Cost {
            wall: Duration::from_millis(wall_ms as u64),
            cpu: cpu().saturating_sub(self.cpu_before),
            peak_memory_bytes: memory_bytes("VmHWM"),
        }
    }
}

/// What this process has used of CPU, in user and system mode together.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.max(0) as u64, used.tv_nsec.clamp(0, 999_999_999) as u32)
}
