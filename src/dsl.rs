//! The DSL: streams and tables as small handles over a recorded graph.
//!
//! Nothing here runs. A handle is a reference to the [`StreamsBuilder`] and a node; its methods record a node and return the
//! next handle. What the nodes do once instantiated is in `ops`, one operator a file.

pub(crate) mod builder;
mod dedup;
mod kstream;
mod ops;
mod options;

pub use builder::StreamsBuilder;
pub use dedup::Dedup;
pub use kstream::KStream;
pub use options::{Consumed, Produced, Repartitioned, TimestampExtractor};
