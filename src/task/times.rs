//! The event-time clocks of a task's operators, persisted with its state so that a restart lets no late record in.

use std::sync::Arc;

use highwater_state::{StoreId, TaskState};

use crate::error::Error;
use crate::record::Timestamp;

/// Which operator's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeId(usize);

/// The stream times of a task's operators.
#[derive(Debug, Default)]
pub(crate) struct OperatorTimes {
    names: Vec<Arc<str>>,
    /// Whether it is a stream time; else it is a mark that an operator keeps for itself.
    is_stream_time: Vec<bool>,
    now: Vec<i64>,
    at_record_start: Vec<i64>,
    persisted: Vec<i64>,
}

impl OperatorTimes {
    /// Adds the clock of the operator with this name.
    pub(crate) fn register(&mut self, name: Arc<str>) -> TimeId {
        self.add(name, true)
    }

    /// Adds a time that only grows and is kept in the same way, but is not the operator's stream time.
    pub(crate) fn register_mark(&mut self, name: Arc<str>) -> TimeId {
        self.add(name, false)
    }

    fn add(&mut self, name: Arc<str>, is_stream_time: bool) -> TimeId {
        debug_assert!(!self.names.contains(&name), "operators are named uniquely");
        self.names.push(name);
        self.is_stream_time.push(is_stream_time);
        for times in [&mut self.now, &mut self.at_record_start, &mut self.persisted] {
            times.push(Timestamp::MIN.as_millis());
        }
        TimeId(self.names.len() - 1)
    }

    /// An operator's stream time.
    pub(crate) fn get(&self, id: TimeId) -> Timestamp {
        Timestamp::from_millis(self.now[id.0])
    }

    /// Moves an operator's clock on, never back, and returns where it stands.
    pub(crate) fn advance(&mut self, id: TimeId, to: Timestamp) -> Timestamp {
        let time = &mut self.now[id.0];
        *time = (*time).max(to.as_millis());
        Timestamp::from_millis(*time)
    }

    /// The greatest of all, for metrics.
    pub(crate) fn greatest(&self) -> Option<Timestamp> {
        let times = self.now.iter().zip(&self.is_stream_time).filter(|(_, is_stream_time)| **is_stream_time);
        times.map(|(time, _)| Timestamp::from_millis(*time)).max().filter(|time| *time > Timestamp::MIN)
    }

    pub(crate) fn begin_record(&mut self) {
        self.at_record_start.copy_from_slice(&self.now);
    }

    pub(crate) fn rollback_record(&mut self) {
        self.now.copy_from_slice(&self.at_record_start);
    }

    /// Reads what was persisted.
    pub(crate) fn load(&mut self, state: &TaskState, store: StoreId) -> Result<(), Error> {
        for (index, name) in self.names.iter().enumerate() {
            let stored = state.get(store, &key(name))?.and_then(|bytes| <[u8; 8]>::try_from(&*bytes).ok());
            let time = stored.map_or(Timestamp::MIN.as_millis(), i64::from_be_bytes);
            self.now[index] = time;
            self.persisted[index] = time;
        }
        Ok(())
    }

    /// Writes what has changed since.
    pub(crate) fn store(&mut self, state: &mut TaskState, store: StoreId) -> Result<(), Error> {
        for (index, name) in self.names.iter().enumerate() {
            if self.now[index] != self.persisted[index] {
                state.put(store, &key(name), &self.now[index].to_be_bytes())?;
                self.persisted[index] = self.now[index];
            }
        }
        Ok(())
    }
}

fn key(name: &str) -> Vec<u8> {
    [b"time/".as_slice(), name.as_bytes()].concat()
}
