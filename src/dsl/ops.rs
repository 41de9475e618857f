//! What the nodes of the graph do: one operator a file.
//!
//! A few core operators carry the rest: source, transform, sink, repartition, and the stateful ones. `filter`, `map` and
//! their kin are short compositions over `transform`.

pub(super) mod aggregator;
pub(super) mod dedup;
pub(crate) mod pending;
pub(crate) mod placing;
pub(super) mod process;
pub(super) mod repartition;
pub(super) mod rows;
pub(crate) mod session_choice;
pub(crate) mod session_table;
pub(super) mod session_window;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod split;
pub(super) mod stateless;
pub(crate) mod stored;
pub(crate) mod table;
pub(crate) mod throttle;
pub(super) mod to_stream;
pub(super) mod transform;
pub(super) mod upsert;
pub(crate) mod window_clock;
