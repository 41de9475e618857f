//! ShopPulse: the data pipeline of a retail `SaaS`, written with Highwater.

pub mod cdc;
pub mod customers;
pub mod events;
pub mod money;
pub mod object;
pub mod orders;
pub mod payments;
pub mod pipelines;
pub mod rejection;
pub mod schemas;
pub mod stored;
pub mod timestamp;
pub mod topic_names;
pub mod verdict;
