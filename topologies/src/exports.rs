//! Payment exports: the files that providers write, read line by line and loaded into `raw.payments`.
//!
//! [`reader`] makes normalised lines and rejections of a file's bytes and knows no Kafka; [`load`] writes them, a chunk a transaction, with the
//! file's position; [`source`] finds and opens files. What a line means to an order is not here but in `payments`.

mod adyen;
mod batches;
mod cells;
mod header;
mod ledger;
mod line;
pub mod load;
mod progress;
pub mod reader;
mod records;
pub mod source;
mod stripe;
mod tally;
mod zones;

pub(crate) use adyen::ORDER_COLUMNS as ADYEN_ORDER_COLUMNS;
pub use batches::Mismatch;
pub use line::ExportLine;
pub use progress::Progress;
pub use reader::{Entry, ExportReader, Layout, ReadError};
pub(crate) use stripe::ORDER_COLUMNS as STRIPE_ORDER_COLUMNS;
pub use tally::Tally;
pub use zones::Zones;
