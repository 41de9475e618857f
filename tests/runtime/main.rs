//! The runtime on a cluster: threads, commits, crashes, restarts. One set of cases for every adapter.

mod counting;
mod embedded;
mod real;
