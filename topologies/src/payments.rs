//! Payment lines: what one line of an export says, and which version of it counts.
//!
//! [`mod@line`] reads a record of `raw.payments`; [`versions`] remembers a line's last versions and tells the orders what changed. Reading the
//! providers' files is another module's work.

pub mod line;
pub mod versions;

pub use line::{Kind, LineKey, LineVersion, Provider, read};
pub use versions::LineState;
