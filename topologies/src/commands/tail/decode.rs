//! What bytes are: Avro of a schema that the registry knows, JSON, text, or bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hashbrown::HashMap;
use highwater::serde::avro::{RegistryError, SchemaId, SharedRegistry};
use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::value::RawValue;

use super::avro::{AsJson, Schema, Value};
use super::compact::compact;
use crate::exit::Failure;

/// Bytes, as they are shown.
#[derive(Debug)]
pub(super) enum Shown {
    Null,
    Avro(Value),
    Json(Box<RawValue>),
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Avro(value) => AsJson(value).serialize(serializer),
            Self::Json(document) => document.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => in_base64(bytes, serializer),
        }
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_string(self).ok() == serde_json::to_string(other).ok()
    }
}

/// `{"base64": …}`.
pub(super) fn in_base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry("base64", &BASE64.encode(bytes))?;
    map.end()
}

/// Text if it is UTF-8.
pub(super) fn text_or_base64(bytes: &[u8]) -> Shown {
    std::str::from_utf8(bytes).map_or_else(|_| Shown::Bytes(bytes.to_vec()), |text| Shown::Text(text.to_owned()))
}

/// Knows schemas by their ids, once asked for.
#[derive(Debug)]
pub(super) struct Decoder {
    registry: SharedRegistry,
    schemas: HashMap<u32, Option<Schema>, foldhash::fast::FixedState>,
}

impl Decoder {
    pub(super) fn new(registry: SharedRegistry) -> Self {
        Self { registry, schemas: HashMap::default() }
    }

    /// What to show for these bytes.
    pub(super) fn show(&mut self, bytes: Option<&[u8]>) -> Result<Shown, Failure> {
        let Some(bytes) = bytes else { return Ok(Shown::Null) };
        if let Some((&[0, a, b, c, d], datum)) = bytes.split_first_chunk::<5>()
            && let Some(schema) = self.schema(u32::from_be_bytes([a, b, c, d]))?
            && let Some(value) = schema.decode(datum)
        {
            return Ok(Shown::Avro(value));
        }
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Some(document) = compact(text)
        {
            return Ok(Shown::Json(document));
        }
        Ok(text_or_base64(bytes))
    }

    /// The schema of this id, if the registry knows it. That it does not answer says nothing about the bytes.
    fn schema(&mut self, id: u32) -> Result<Option<&Schema>, Failure> {
        if !self.schemas.contains_key(&id) {
            let schema = match self.registry.schema(SchemaId(id)) {
                Ok(text) => Schema::parse(&text),
                Err(RegistryError::UnknownId { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            self.schemas.insert(id, schema);
        }
        Ok(self.schemas.get(&id).and_then(Option::as_ref))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BytesMut;
    use highwater::serde::Encode as _;
    use highwater::serde::avro::MemoryRegistry;
    use shoppulse_avro::{Revenue, SessionRow};

    use super::*;

    fn json(decoder: &mut Decoder, bytes: Option<&[u8]>) -> String {
        serde_json::to_string(&decoder.show(bytes).unwrap()).unwrap()
    }

    #[test]
    fn bytes_are_shown_as_what_they_are() {
        let mut decoder = Decoder::new(Arc::new(MemoryRegistry::new()));
        let table: [(Option<&[u8]>, &str); 8] = [
            (None, "null"),
            (Some(b"{ \"id\": 9223372036854775807 }"), r#"{"id":9223372036854775807}"#),
            (Some(b"shop|visitor"), r#""shop|visitor""#),
            (Some(b"12"), r#""12""#),
            (Some(b""), r#""""#),
            (Some(&[0xff, 0]), r#"{"base64":"/wA="}"#),
            (Some(&[0, 0, 0, 0, 9, 0xff]), r#"{"base64":"AAAAAAn/"}"#),
            (Some("é\n".as_bytes()), r#""é\n""#),
        ];
        for (bytes, expected) in table {
            assert_eq!(json(&mut decoder, bytes), expected);
        }
    }

    #[test]
    fn rows_are_shown_by_their_schema() {
        let registry: SharedRegistry = Arc::new(MemoryRegistry::new());
        let serde = shoppulse_avro::serde::<SessionRow>(&registry).unwrap();
        let row = SessionRow {
            shop_id: "s".to_owned(),
            started_at: i64::MAX,
            ended_at: 9_007_199_254_740_993,
            user_id: Some("u".to_owned()),
            revenue: vec![Revenue { currency: "EUR".to_owned(), amount_minor: i64::MIN }],
            is_deleted: true,
            ..SessionRow::default()
        };
        let mut bytes = BytesMut::new();
        serde.encode(&row, &mut bytes).unwrap();
        let mut decoder = Decoder::new(registry);
        let shown = json(&mut decoder, Some(&bytes));
        for part in [
            r#""started_at":9223372036854775807,"ended_at":9007199254740993"#,
            r#""user_id":"u""#,
            r#""revenue":[{"currency":"EUR","amount_minor":-9223372036854775808}]"#,
            r#""referrer":null"#,
            r#""is_deleted":true"#,
        ] {
            assert!(shown.contains(part), "{shown} lacks {part}");
        }
        bytes.extend_from_slice(&[7]);
        assert!(json(&mut decoder, Some(&bytes)).starts_with(r#"{"base64""#), "a datum with a remainder is not of the schema");
    }
}
