//! The DSL: streams and tables as small handles over a recorded graph.
//!
//! Nothing here runs. A handle is a reference to the [`StreamsBuilder`] and a node; its methods record a node and return the
//! next handle. What the nodes do once instantiated is in `ops`, one operator a file.

pub(crate) mod builder;
mod change;
mod cogroup;
mod dedup;
mod emit;
mod grouped;
mod grouped_table;
mod kstream;
mod ktable;
mod lookup;
mod materialized;
mod ops;
mod options;
mod row;
mod scd2;
mod windowed;
mod windows;

pub use builder::StreamsBuilder;
pub use change::Change;
pub use cogroup::CogroupedKStream;
pub use dedup::Dedup;
pub use emit::Emit;
pub use grouped::{Grouped, KGroupedStream};
pub use grouped_table::KGroupedTable;
pub use kstream::{KStream, Processed};
pub use ktable::KTable;
pub use materialized::Materialized;
pub use ops::aggregator::RecordPosition;
pub use options::{Consumed, Produced, Repartitioned, TimestampExtractor};
pub use row::{Row, RowStamp};
pub use scd2::{Scd2, Version, Versioned};
pub use windowed::{SessionWindowedKStream, TimeWindowedKStream, Windowing};
pub use windows::{SessionWindows, TimeWindows, Windowed, WindowedSerde};
