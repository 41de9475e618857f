//! The operators of the DSL, each through the test driver: the vectors of the semantics, the rules, and oracles.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod dedup;
mod joins;
mod processors;
mod rows;
mod scd2;
mod sessions;
mod stateless;
mod tables;
mod topology;
mod windows;
