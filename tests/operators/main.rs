//! The operators of the DSL, each through the test driver: the vectors of the semantics, the rules, and oracles.

mod dedup;
mod joins;
mod rows;
mod sessions;
mod tables;
mod windows;
