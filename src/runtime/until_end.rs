//! The end of a bounded run: being written.
