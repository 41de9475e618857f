//! Which log positions would be found again after a crash: those at the last flush that is known to be complete. Until the next
//! one is, they are a lower bound.

use crate::backend::{Backend, FlushWait};
use crate::spec::LogPosition;

/// Positions by store.
type Positions = Vec<Option<LogPosition>>;

#[derive(Debug)]
pub(super) struct Durable {
    positions: Positions,
    /// What a flush in the background will have made durable.
    under_way: Option<Positions>,
}

impl Durable {
    /// What was found on disk.
    pub(super) fn found(positions: Positions) -> Self {
        Self { positions, under_way: None }
    }

    pub(super) fn positions(&self) -> &[Option<LogPosition>] {
        &self.positions
    }

    /// A flush has begun, or is complete. One that begins while another is under way waits its turn: it is learned with the one
    /// after it.
    pub(super) fn flushed(&mut self, wait: FlushWait, positions: &[Option<LogPosition>]) {
        match wait {
            FlushWait::UntilDurable => *self = Self::found(positions.to_vec()),
            FlushWait::Background if self.under_way.is_none() => self.under_way = Some(positions.to_vec()),
            FlushWait::Background => {}
        }
    }

    /// Learns of a flush that has become complete.
    pub(super) fn check(&mut self, backend: &dyn Backend) {
        if self.under_way.is_some() && backend.is_flushed() {
            self.positions = self.under_way.take().unwrap_or_default();
        }
    }
}
