//! The embedded cluster: being written.
