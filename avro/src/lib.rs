//! The schemas of ShopPulse's Avro topics (`*.avsc` beside this crate's manifest) and the Rust types that equal them.
//!
//! A schema is the source of truth: its names, their order, what may be null, the units, and which fields are personal. A type has the
//! same fields in the same order, and tests hold the two together. `golden/` keeps every released schema: a new one must read what the
//! old ones wrote, and a key's schema never changes, as its id is part of the key's bytes.
//! A release that changes a schema copies it to `golden/v<n>/`.
//!
//! Start reading at [`schemas`] and [`serde()`]. Not here: topics that are not Avro (input, late, dead letters), and how rows are made.

mod catalogue;
mod clean_event;
mod customer;
mod order_fact;
mod quality;
mod row;
mod session;

pub use catalogue::{
    CLEAN_EVENTS_VALUE, CURATED_CUSTOMER_HISTORY_KEY, CURATED_CUSTOMER_HISTORY_VALUE, CURATED_CUSTOMERS_KEY,
    CURATED_CUSTOMERS_VALUE, CURATED_ORDER_FACTS_KEY, CURATED_ORDER_FACTS_VALUE, CURATED_SESSIONS_KEY, CURATED_SESSIONS_VALUE,
    OPS_QUALITY_KEY, OPS_QUALITY_VALUE, Part, PersonalField, TopicRecord, TopicSchema, personal_fields, schemas, serde,
};
pub use clean_event::{CleanEvent, CleanEventRef};
pub use customer::{CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey};
pub use order_fact::{OrderFact, OrderFactKey};
pub use quality::{QualityKey, QualityRow};
pub use row::{TopicKey, TopicRow};
pub use session::{Revenue, SessionKey, SessionRow};
