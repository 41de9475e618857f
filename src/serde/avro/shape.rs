//! The layout of a datum, compiled from its schema once. Not the schema itself: no names but those of fields, no docs.
//!
//! What has no shape: enums, fixed, maps, decimals, unions other than of null and one type, recursive types. Rows that outlive
//! their writers get by without them, and the codec stays small enough to be proofread.

use std::sync::{Arc, OnceLock};

use apache_avro::Schema;
use apache_avro::schema::{RecordSchema, UuidSchema};

use super::fault::Fault;

/// How the values of a schema lie in bytes.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(Box<Self>),
    /// A union of null and one type.
    Nullable {
        null_index: u8,
        some: Box<Self>,
    },
    Record(Arc<RecordShape>),
}

/// The fields of a record, in order.
#[derive(Debug)]
pub(super) struct RecordShape {
    pub(super) fields: Vec<FieldShape>,
    /// The field names of a Rust struct that were found equal to `fields`, so that they need not be compared for every record.
    equal: OnceLock<&'static [&'static str]>,
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct FieldShape {
    pub(super) name: Box<str>,
    pub(super) aliases: Vec<String>,
    pub(super) shape: Shape,
    /// The bytes of the field's default.
    pub(super) default: Option<Vec<u8>>,
    /// A name of a Rust field that was found equal: from then on its address tells.
    equal: OnceLock<&'static str>,
}

impl Shape {
    /// The layout that `schema` describes; an error if it uses what has no shape.
    pub(super) fn of(schema: &Schema) -> Result<Self, Fault> {
        Compiler { named: Vec::new() }.shape(schema)
    }

    /// A name for messages.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Nullable { .. } => "union with null",
            Self::Record(_) => "record",
        }
    }

    /// Whether values take no bytes at all, so that their number is not bounded by the datum's length.
    fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Record(record) => record.fields.iter().all(|field| field.shape.is_empty()),
            _ => false,
        }
    }
}

impl RecordShape {
    /// Whether a struct with these fields has the record's fields, all and in order.
    #[inline]
    pub(super) fn equals(&self, names: &'static [&'static str]) -> bool {
        if self.equal.get().is_some_and(|known| std::ptr::eq(*known, names)) {
            return true;
        }
        let equal = self.fields.len() == names.len() && self.fields.iter().zip(names).all(|(field, name)| *field.name == **name);
        if equal {
            self.equal.get_or_init(|| names);
        }
        equal
    }
}

impl FieldShape {
    /// Whether the field has this name.
    #[inline]
    pub(super) fn is_named(&self, name: &'static str) -> bool {
        if self.equal.get().is_some_and(|known| std::ptr::eq(*known, name)) {
            return true;
        }
        let equal = *self.name == *name;
        if equal {
            self.equal.get_or_init(|| name);
        }
        equal
    }
}

/// The named types on the way, to resolve references and to find recursion.
struct Compiler {
    named: Vec<(String, Option<Shape>)>,
}

impl Compiler {
    fn shape(&mut self, schema: &Schema) -> Result<Shape, Fault> {
        Ok(match schema {
            Schema::Null => Shape::Null,
            Schema::Boolean => Shape::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Shape::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Shape::Long,
            Schema::Float => Shape::Float,
            Schema::Double => Shape::Double,
            Schema::Bytes => Shape::Bytes,
            Schema::String | Schema::Uuid(UuidSchema::String) => Shape::String,
            Schema::Array(array) => self.array(&array.items)?,
            Schema::Union(union) => self.nullable(union.variants())?,
            Schema::Record(record) => self.record(record)?,
            Schema::Ref { name } => self.reference(&name.fullname(None))?,
            other => return Err(Fault::new(format!("{} is not supported: use a string, a record or an array", kind(other)))),
        })
    }

    fn array(&mut self, items: &Schema) -> Result<Shape, Fault> {
        let items = self.shape(items)?;
        if items.is_empty() {
            return Err(Fault::fixed("an array of items without bytes is not supported: its length would have no bound"));
        }
        Ok(Shape::Array(Box::new(items)))
    }

    fn nullable(&mut self, variants: &[Schema]) -> Result<Shape, Fault> {
        let (null_index, some) = match variants {
            [Schema::Null, some] => (0, some),
            [some, Schema::Null] => (1, some),
            _ => return Err(Fault::fixed("a union other than of null and one type is not supported")),
        };
        Ok(Shape::Nullable { null_index, some: Box::new(self.shape(some)?) })
    }

    fn record(&mut self, record: &RecordSchema) -> Result<Shape, Fault> {
        let name = record.name.fullname(None);
        self.named.push((name.clone(), None));
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            fields.push(FieldShape {
                name: field.name.as_str().into(),
                aliases: field.aliases.clone(),
                shape: self.shape(&field.schema)?,
                default: field.default.as_ref().map(|json| default_bytes(json, &field.schema)).transpose()?,
                equal: OnceLock::new(),
            });
        }
        let shape = Shape::Record(Arc::new(RecordShape { fields, equal: OnceLock::new() }));
        if let Some(entry) = self.named.iter_mut().find(|(known, _)| *known == name) {
            entry.1 = Some(shape.clone());
        }
        Ok(shape)
    }

    fn reference(&self, name: &str) -> Result<Shape, Fault> {
        let known = self.named.iter().find(|(known, _)| known == name);
        match known {
            Some((_, Some(shape))) => Ok(shape.clone()),
            Some((_, None)) => Err(Fault::new(format!("the record {name} contains itself, which is not supported"))),
            None => Err(Fault::new(format!("the type {name} is not defined in the schema"))),
        }
    }
}

fn default_bytes(json: &serde_json::Value, schema: &Schema) -> Result<Vec<u8>, Fault> {
    let bytes = || {
        let value = apache_avro::types::Value::try_from(json.clone())?.resolve(schema)?;
        apache_avro::writer::datum::GenericDatumWriter::builder(schema).build()?.write_value_to_vec(value)
    };
    bytes().map_err(|error: apache_avro::Error| Fault::new(format!("the default {json} does not fit its type: {error}")))
}

const fn kind(schema: &Schema) -> &'static str {
    match schema {
        Schema::Map(_) => "a map",
        Schema::Enum(_) => "an enum",
        Schema::Fixed(_) => "a fixed",
        Schema::Decimal(_) | Schema::BigDecimal => "a decimal",
        Schema::Duration(_) => "a duration",
        _ => "the type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_shape_is_refused_with_its_name() {
        let table = [
            (r#"{"type":"enum","name":"E","symbols":["A"]}"#, "an enum is not supported"),
            (r#"{"type":"map","values":"string"}"#, "a map is not supported"),
            (r#"["null","string","long"]"#, "a union other than"),
            (r#"["null"]"#, "a union other than"),
            (r#"{"type":"array","items":"null"}"#, "items without bytes"),
            (r#"{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]}]}"#, "the record R contains itself"),
        ];
        for (text, expected) in table {
            let fault = Shape::of(&Schema::parse_str(text).unwrap()).unwrap_err().to_string();
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn a_named_type_can_be_used_twice() {
        let text = r#"{"type":"record","name":"Twice","fields":[
            {"name":"a","type":{"type":"record","name":"Money","fields":[{"name":"minor","type":"long"}]}},
            {"name":"b","type":"Money"}]}"#;
        let Shape::Record(record) = Shape::of(&Schema::parse_str(text).unwrap()).unwrap() else { panic!("a record") };
        assert!(record.fields.iter().all(|field| matches!(field.shape, Shape::Record(_))));
    }
}
