//! The documentation, checked: its first topology runs, its links lead somewhere, the commands that it names exist, and the
//! boundaries that it draws through the code are there.
//!
//! Not here: whether its sentences are true. The tests that the architecture's page names do that.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod boundaries;
#[expect(unreachable_pub, reason = "it is written as a module of a library")]
#[path = "../../docs/guide/first_topology.rs"]
mod first_topology;
mod first_topology_runs;
mod pages;
