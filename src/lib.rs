//! Highwater: stateful stream processing on Kafka, exactly once.
//!
//! The layers, from the outside in:
//!
//! * [`dsl`]: streams and tables as handles over a recorded graph; [`processor`]: operators written by hand.
//! * [`topology`]: the graph, checked and cut into sub-topologies, instantiated once for each task.
//! * [`task`]: one sub-topology at one partition: operators, state, queues, books.
//! * [`kafka`]: ports to a cluster, with one adapter for a real one and one for an embedded one.
//! * [`serde`]: how keys and values become bytes. State is in the crate `highwater-state`.
//!
//! ```
//! use highwater::{StreamsBuilder, TopologyTestDriver};
//!
//! let builder = StreamsBuilder::new("shout");
//! builder.stream::<String, String>("words").filter(|_, word| !word.is_empty()).map_values(|_, word| word.to_uppercase()).to("WORDS");
//! let mut driver = TopologyTestDriver::new(&builder.build().unwrap());
//! driver.input("words").send("k".to_owned(), "hello".to_owned(), 0);
//! assert_eq!(driver.output("WORDS").read_all::<String, String>(), [("k".to_owned(), "HELLO".to_owned())]);
//! ```

pub mod dsl;
pub mod error;
pub mod kafka;
pub mod metrics;
pub mod processor;
pub mod record;
pub mod runtime;
pub mod serde;
pub mod task;
pub mod testing;
pub mod time;
pub mod topology;

pub use dsl::{Consumed, KStream, Produced, Repartitioned, StreamsBuilder};
pub use error::{Error, ErrorKind};
pub use record::{Header, Headers, Record, TaskId, Timestamp, TopicPartition};
pub use testing::TopologyTestDriver;
pub use topology::Topology;
