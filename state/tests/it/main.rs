//! Tests of `highwater-state` through its public interface, on disk and in memory. Layouts and the overlay's parts are tested
//! beside their code.

#![expect(clippy::unwrap_used, reason = "a test that can't set up its scene fails, helpers included")]

mod crash;
mod limits;
mod model;
mod open;
mod restore;
mod scenario;
