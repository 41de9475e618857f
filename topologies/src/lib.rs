//! ShopPulse: the data pipeline of a retail `SaaS`, written with Highwater.

pub mod events;
pub mod money;
pub mod rejection;
pub mod timestamp;
