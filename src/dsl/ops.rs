//! What the nodes of the graph do: one operator a file.
//!
//! A few core operators carry the rest: source, transform, sink, repartition, and the stateful ones. `filter`, `map` and
//! their kin are short compositions over `transform`.

pub(super) mod dedup;
pub(super) mod process;
pub(super) mod repartition;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod split;
pub(super) mod stateless;
pub(super) mod transform;
