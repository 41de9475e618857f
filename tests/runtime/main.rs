//! The runtime on a cluster: threads, commits, crashes, restarts. One set of cases for every adapter.

mod counting;
mod embedded;
mod real;
#[path = "../support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
