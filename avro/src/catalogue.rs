//! All schemas, by topic and part, and the personal fields in them. Not the row types.

use std::sync::Arc;

use highwater::serde::avro::{AvroSerde, RegistryError, SharedRegistry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Which part of a record a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// A schema and where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSchema {
    /// The topic.
    pub topic: &'static str,
    /// Key or value.
    pub part: Part,
    /// The registry's name for the two together.
    pub subject: &'static str,
    /// The schema, as JSON.
    pub text: &'static str,
}

macro_rules! schemas {
    ($($constant:ident = $topic:literal $part:ident $suffix:literal;)*) => {
        $(
            #[doc = concat!("The schema of `", $topic, $suffix, "`.")]
            pub const $constant: TopicSchema = TopicSchema {
                topic: $topic,
                part: Part::$part,
                subject: concat!($topic, $suffix),
                text: include_str!(concat!("../", $topic, $suffix, ".avsc")),
            };
        )*

        const SCHEMAS: &[TopicSchema] = &[$($constant),*];
    };
}

schemas! {
    CLEAN_EVENTS_VALUE = "clean.events" Value "-value";
    CURATED_SESSIONS_KEY = "curated.sessions" Key "-key";
    CURATED_SESSIONS_VALUE = "curated.sessions" Value "-value";
    CURATED_ORDER_FACTS_KEY = "curated.order_facts" Key "-key";
    CURATED_ORDER_FACTS_VALUE = "curated.order_facts" Value "-value";
    CURATED_CUSTOMERS_KEY = "curated.customers" Key "-key";
    CURATED_CUSTOMERS_VALUE = "curated.customers" Value "-value";
    CURATED_CUSTOMER_HISTORY_KEY = "curated.customer_history" Key "-key";
    CURATED_CUSTOMER_HISTORY_VALUE = "curated.customer_history" Value "-value";
    OPS_QUALITY_KEY = "ops.quality" Key "-key";
    OPS_QUALITY_VALUE = "ops.quality" Value "-value";
}

/// Every schema of the pipeline.
///
/// ```
/// let subjects: Vec<_> = shoppulse_avro::schemas().iter().map(|schema| schema.subject).collect();
/// assert!(subjects.contains(&"curated.sessions-key"));
/// ```
pub const fn schemas() -> &'static [TopicSchema] {
    SCHEMAS
}

/// A Rust type that equals a topic's schema.
pub trait TopicRecord {
    /// The schema it equals.
    const SCHEMA: TopicSchema;
}

/// The serde of a topic's keys or values, with its schema registered. Asks the registry, so: once, at start.
///
/// ```
/// use std::sync::Arc;
///
/// use highwater::serde::avro::{MemoryRegistry, SharedRegistry};
/// use shoppulse_avro::{SessionKey, serde};
///
/// let registry: SharedRegistry = Arc::new(MemoryRegistry::new());
/// let keys = serde::<SessionKey>(&registry)?;
/// # Ok::<(), highwater::serde::avro::RegistryError>(())
/// ```
pub fn serde<T: TopicRecord + Serialize + DeserializeOwned>(
    registry: &SharedRegistry,
) -> Result<Arc<AvroSerde<T>>, RegistryError> {
    AvroSerde::bind(registry, T::SCHEMA.subject, T::SCHEMA.text).map(Arc::new)
}

/// A field that says something about a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonalField {
    /// The topic.
    pub topic: &'static str,
    /// The field of the topic's value.
    pub field: String,
    /// What it says: the schema's property `pii`.
    pub kind: String,
}

/// The personal fields of all topics: what to mask, to encrypt or to leave out.
///
/// ```
/// let emails = shoppulse_avro::personal_fields().into_iter().filter(|field| field.kind == "email").count();
/// assert_eq!(emails, 2);
/// ```
pub fn personal_fields() -> Vec<PersonalField> {
    let mut found = Vec::new();
    for schema in SCHEMAS {
        let json: Value = serde_json::from_str(schema.text).expect("a test parses every schema");
        for field in json["fields"].as_array().into_iter().flatten() {
            if let (Some(name), Some(kind)) = (field["name"].as_str(), field["pii"].as_str()) {
                found.push(PersonalField { topic: schema.topic, field: name.to_owned(), kind: kind.to_owned() });
            }
        }
    }
    found
}
