//! The door: an HTTP server that unmodified SDKs of Segment and `RudderStack` send to. Each message becomes one record of `raw.events`, and
//! a request is answered with success only when all in-sync replicas have all of its records.
//!
//! In the order of a request's life: `server` accepts, `routes` knows paths and CORS, `body` reads within limits, `auth` and `keys` find the
//! shop, `envelope` finds the messages, `record` makes keys and values, `intake` queues them and waits. Nothing here judges what a
//! message means: that is `events`, and the topology `clean`.
//!
//! What is sent is kept byte by byte; what is added stands behind it, where of repeated names the last counts.

mod address;
mod auth;
mod body;
mod budget;
mod cors;
mod envelope;
mod intake;
mod keys;
mod meters;
mod record;
mod routes;
mod server;
mod spans;
mod tls;

pub use address::ClientIp;
pub use intake::{Collector, Destinations};
pub use keys::{KeyFile, WriteKeys};
pub use meters::describe;
pub use routes::router;
pub use server::{Server, ServerSettings};
pub use tls::Certificate;
