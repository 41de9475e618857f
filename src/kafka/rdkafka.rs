//! The adapter to a real cluster: being written.
#[expect(unsafe_code, reason = "the C client is called here and nowhere else")]
mod message;
pub use message::Message;
