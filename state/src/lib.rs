//! Task state for Highwater: stores that are never ahead of their log.
//!
//! A [`TaskState`] is all state of one task: some named stores ([`StoreSpec`]) in one database, an overlay that holds the running
//! transaction in memory, and the log positions that the data on disk stands for. The order of a transaction is
//!
//! 1. for each record, [`begin_record`](TaskState::begin_record), reads and writes, and then [`accept_record`](TaskState::accept_record)
//!    or [`rollback_record`](TaskState::rollback_record);
//! 2. [`log_changes`](TaskState::log_changes), whose records the caller puts into the log;
//! 3. when the log has committed them, [`apply`](TaskState::apply); when it has aborted, [`discard`](TaskState::discard).
//!
//! What was applied is held in memory and written to disk many transactions at a time, always as a whole: data, positions and
//! clock stamp in one batch. [`maintain`](TaskState::maintain) and [`flush`](TaskState::flush) make it durable.
//!
//! After a crash, [`TaskState::open`] finds what was flushed last, and [`restore`](TaskState::restore) brings it up to date from
//! [`position`](TaskState::position) on.
//!
//! The layers, from top to bottom: the kinds (`key_value`, `window`, `session`, `dedup`), the `overlay` with its undo `journal`,
//! a `backend` (`rocks` or `memory`). What lies in which bytes is in `layout` and `metadata`. This crate knows neither a broker
//! nor a clock: the caller gives positions and times.

mod backend;
mod dedup;
mod error;
mod expiry;
mod journal;
mod key_value;
mod layout;
mod limits;
mod memory;
mod metadata;
mod overlay;
mod rocks;
mod session;
mod spec;
mod task_state;
mod value_ref;
mod window;

pub use backend::Usage;
pub use error::{OpenError, StateError};
pub use rocks::{ResourceLimits, SharedResources};
pub use session::VisitSession;
pub use spec::{LogPosition, StoreId, StoreKind, StoreSpec};
pub use task_state::{EmitChange, Inspection, LogRecord, OpenOptions, StoreInspection, TaskState};
pub use value_ref::ValueRef;
pub use window::VisitWindow;
