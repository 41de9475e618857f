//! Edges of an instantiated graph: typed trait objects, so that operators are erased and records are not.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::core::TaskCore;
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::Data;

/// The receiving end of an edge.
pub(crate) trait Forward<K, V> {
    /// Takes a record, and with it the task, depth first.
    fn forward(&mut self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError>;
}

/// A typed edge to one operator of the same task.
pub(crate) type Inlet<K, V> = Rc<RefCell<dyn Forward<K, V>>>;

/// The edges that leave an operator, in the order in which its children were declared.
pub(crate) struct Outlet<K, V>(Vec<Inlet<K, V>>);

impl<K, V> fmt::Debug for Outlet<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outlet").field(&self.0.len()).finish()
    }
}

impl<K: Data, V: Data> Outlet<K, V> {
    pub(crate) fn new(children: Vec<Inlet<K, V>>) -> Self {
        Self(children)
    }

    /// Hands a record to every child; only all but the last need a copy.
    pub(crate) fn forward(&self, record: Record<K, V>, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Some((last, others)) = self.0.split_last() else { return Ok(()) };
        for child in others {
            child.borrow_mut().forward(record.clone(), core)?;
        }
        last.borrow_mut().forward(record, core)
    }
}

/// An operator that also runs when no record comes.
pub(crate) trait Lifecycle {
    /// The task's state is complete: rebuild from it what is kept in memory.
    fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let _ = core;
        Ok(())
    }

    /// A commit is due: emit what is held back until then.
    fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let _ = core;
        Ok(())
    }

    /// Stream time or the wall clock has moved (`core.stream_time`, `core.now`): do what is due.
    fn on_time(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let _ = core;
        Ok(())
    }

    /// All inputs are caught up and have been silent for the idle time: `until` is the wall clock as event time.
    fn on_idle(&mut self, until: Timestamp, core: &mut TaskCore) -> Result<(), ProcessError> {
        let _ = (until, core);
        Ok(())
    }

    /// The input has ended for good (`--until-end`): emit everything that is held back.
    fn drain(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let _ = core;
        Ok(())
    }

    /// Whether something waits to be emitted by [`on_time`](Self::on_time) or [`drain`](Self::drain).
    fn holds_back(&self) -> bool {
        false
    }
}

/// An operator of a task, for its life cycle.
pub(crate) type SharedLifecycle = Rc<RefCell<dyn Lifecycle>>;

/// The entry of an instantiated graph for one input topic.
pub(crate) trait SourceEntry {
    /// Decodes the input record at hand and keeps it; its event time decides when it is this source's turn.
    fn load(&mut self, record: &crate::kafka::FetchedRecord) -> Result<Timestamp, ProcessError>;
    /// Sends the loaded record on its way.
    fn fire(&mut self, core: &mut TaskCore) -> Result<(), ProcessError>;
    /// Drops the loaded record.
    fn clear(&mut self);
}
