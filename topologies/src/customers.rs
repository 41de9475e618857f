//! Customers: the current row and the history of each, from the shop's own table.
//!
//! The logic is pure: [`history`] holds what is remembered of a customer and says which rows a change touches, `versions` turns what is
//! remembered into rows, [`columns`] are the rows, `packed` is how the state lies in a store.

pub mod columns;
pub mod history;
mod packed;
mod versions;

pub use columns::{CustomerColumns, CustomerVersionColumns};
pub use history::{CustomerState, RowChange};
