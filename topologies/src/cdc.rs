//! Changes of the shop's database, as Debezium tells them: what one record says, and what it does to its row.
//!
//! It knows the three tables and the order of changes; it does not know what is made of the rows (`customers`, `orders`), nor the engine.
//!
//! Reading order: [`envelope`] turns a record into a [`Message`], [`rows`] and [`cell`] hold the typed columns, [`era`] decides whether a
//! change of an order or an item is its row's newest state.

pub mod cell;
pub(crate) mod columns;
pub mod envelope;
pub mod era;
pub mod rows;

pub use cell::Cell;
pub use envelope::{Change, LogPlace, Message, Op, read};
pub use era::{RowState, Step};
pub use rows::{CustomerRow, ItemRow, OrderRow, Row};
