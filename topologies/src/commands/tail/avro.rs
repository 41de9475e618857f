//! Avro of any schema, shown as JSON: fields in the schema's order, unions without their branch, times as their numbers.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as AvroValue;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Serialize, Serializer};

use super::decode::in_base64;

/// A decoded datum.
pub(super) type Value = AvroValue;

/// A schema to decode with.
#[derive(Debug)]
pub(super) struct Schema(apache_avro::Schema);

impl Schema {
    /// `None` if it is no schema that we can read.
    pub(super) fn parse(text: &str) -> Option<Self> {
        apache_avro::Schema::parse_str(text).ok().map(Self)
    }

    /// All of `datum`, or nothing.
    pub(super) fn decode(&self, mut datum: &[u8]) -> Option<Value> {
        let value = GenericDatumReader::builder(&self.0).build().ok()?.read_value(&mut datum).ok()?;
        datum.is_empty().then_some(value)
    }
}

/// Serialises a datum as plain JSON.
pub(super) struct AsJson<'a>(pub(super) &'a Value);

impl Serialize for AsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AvroValue::Null => serializer.serialize_unit(),
            AvroValue::Boolean(flag) => serializer.serialize_bool(*flag),
            AvroValue::Int(n) | AvroValue::Date(n) | AvroValue::TimeMillis(n) => serializer.serialize_i32(*n),
            AvroValue::Long(n)
            | AvroValue::TimeMicros(n)
            | AvroValue::TimestampMillis(n)
            | AvroValue::TimestampMicros(n)
            | AvroValue::TimestampNanos(n)
            | AvroValue::LocalTimestampMillis(n)
            | AvroValue::LocalTimestampMicros(n)
            | AvroValue::LocalTimestampNanos(n) => serializer.serialize_i64(*n),
            AvroValue::Float(n) => serializer.serialize_f32(*n),
            AvroValue::Double(n) => serializer.serialize_f64(*n),
            AvroValue::String(text) | AvroValue::Enum(_, text) => serializer.serialize_str(text),
            AvroValue::Bytes(bytes) | AvroValue::Fixed(_, bytes) => in_base64(bytes, serializer),
            AvroValue::Union(_, inner) => AsJson(inner).serialize(serializer),
            AvroValue::Array(items) => serializer.collect_seq(items.iter().map(AsJson)),
            AvroValue::Record(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, &AsJson(value))?;
                }
                map.end()
            }
            AvroValue::Map(entries) => {
                let sorted: std::collections::BTreeMap<_, _> =
                    entries.iter().map(|(name, value)| (name, AsJson(value))).collect();
                serializer.collect_map(sorted)
            }
            AvroValue::Decimal(decimal) => {
                let bytes = Vec::<u8>::try_from(decimal).map_err(S::Error::custom)?;
                in_base64(&bytes, serializer)
            }
            AvroValue::BigDecimal(decimal) => serializer.collect_str(decimal),
            AvroValue::Uuid(uuid) => serializer.collect_str(uuid),
            AvroValue::Duration(duration) => in_base64(&<[u8; 12]>::from(*duration), serializer),
        }
    }
}
