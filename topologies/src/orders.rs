//! Order facts: an order's row, its items and its payment lines, met by order id.
//!
//! The logic is pure: [`component`] is what one source says to one order (it crosses a repartition topic), [`fact`] what an order adds up
//! to. Which change of a row or line counts was decided before, where its own key lives (`cdc::era`, `payments::versions`).

pub mod component;
pub mod fact;
mod sums;

pub use component::{Component, ComponentUpdate};
pub use fact::{FactColumns, OrderState};
