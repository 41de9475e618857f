//! ShopPulse: the data pipeline of a retail `SaaS`, written with Highwater.

pub mod catalogue;
pub mod cdc;
pub mod cli;
pub mod collect;
pub mod commands;
pub mod config;
pub mod customers;
pub mod demo;
pub mod events;
pub mod exit;
pub mod exports;
pub mod http;
pub mod logging;
pub mod money;
pub mod object;
pub mod orders;
pub mod payments;
pub mod pipelines;
pub mod rejection;
pub mod schemas;
pub mod stored;
pub mod summary;
pub mod timestamp;
pub mod topic_names;
pub mod topics;
pub mod verdict;
