//! What the commands of the binary do, one file each. How they are said is in `cli`.

mod cluster;
pub mod collect;
pub mod doctor;
mod epoch;
pub mod load_payments;
mod output;
pub mod reset;
pub mod run;
mod scan;
pub mod state;
pub mod tail;
pub mod topics;
pub mod topology;
