//! What the nodes of the graph do: one operator a file.
//!
//! A few core operators carry the rest: source, transform, sink, repartition, and the stateful ones. `filter`, `map` and
//! their kin are short compositions over `transform`.

pub(super) mod aggregate;
pub(super) mod aggregator;
pub(super) mod dedup;
mod history;
pub(super) mod keep;
pub(crate) mod pending;
pub(crate) mod placing;
pub(super) mod process;
pub(super) mod regroup;
pub(super) mod repartition;
pub(super) mod rows;
pub(super) mod scd2;
pub(crate) mod session_choice;
pub(crate) mod session_table;
pub(super) mod session_window;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod split;
pub(super) mod stateless;
pub(crate) mod stored;
pub(super) mod stream_table_join;
pub(crate) mod table;
pub(super) mod table_join;
pub(super) mod table_view;
pub(crate) mod throttle;
pub(super) mod time_window;
pub(super) mod to_stream;
pub(super) mod to_table;
pub(super) mod transform;
pub(crate) mod window_clock;
