//! The binary as operators and scripts meet it: exit codes, messages, output. What topologies compute is tested elsewhere.

#![expect(clippy::unwrap_used, reason = "what fails in a test's own helpers fails the test")]

mod alone;
mod on_a_cluster;
mod payments;
#[path = "../../../tests/support/real_kafka.rs"]
#[expect(dead_code, reason = "the engine's tests need more of it")]
mod real_kafka;
mod shoppulse;
