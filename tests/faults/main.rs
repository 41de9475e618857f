//! The engine under faults: an application on an embedded cluster whose every call may fail, be lost, or be the last.
//!
//! `app` is the application and what must be true of its results; each other file holds one family of faults.

mod app;
mod bounded;
mod rebalances;
mod records;
mod restoring;
mod running;
mod schedules;
mod small;
mod steps;
