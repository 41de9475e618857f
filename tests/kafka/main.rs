//! The adapter to a real cluster, tried on one. What both adapters promise alike is tested in the conformance suite.

mod cluster;
mod consuming;
mod producing;
mod topics;
