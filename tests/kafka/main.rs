//! The adapter to a real cluster, tried on one. What both adapters promise alike is tested in the conformance suite.

#![expect(clippy::unwrap_used, reason = "an unwrap that fails is a test that fails")]

mod churning;
mod cluster;
mod consuming;
mod doubting;
mod evicting;
mod producing;
#[path = "../support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
mod topics;
