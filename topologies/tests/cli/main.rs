//! The binary as operators and scripts meet it: exit codes, messages, output. What topologies compute is tested elsewhere.

mod alone;
mod on_a_cluster;
mod shoppulse;
