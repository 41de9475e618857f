//! Every Rust type has its schema's fields: names, order, types and what may be null, as the reference implementation sees them.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Debug;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use bytes::BytesMut;
use highwater::serde::avro::{MemoryRegistry, SharedRegistry};
use highwater::serde::{Decode, Encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shoppulse_avro::{
    CleanEvent, CleanEventRef, CustomerKey, CustomerRow, CustomerVersion, CustomerVersionKey, OrderFact, OrderFactKey,
    QualityKey, QualityRow, SessionKey, SessionRow, TopicRecord,
};

/// A value of the schema in which every field differs from all others, so that two fields can't be swapped unseen.
fn distinct(schema: &Schema, next: &mut i64, fill_unions: bool) -> Value {
    *next += 1;
    match schema {
        Schema::String => Value::String(format!("text {next}")),
        Schema::Long => Value::Long(*next),
        Schema::Int => Value::Int(*next as i32),
        Schema::TimestampMicros => Value::TimestampMicros(*next),
        Schema::Boolean => Value::Boolean(fill_unions),
        Schema::Array(array) => Value::Array((0..3).map(|_| distinct(&array.items, next, fill_unions)).collect()),
        Schema::Union(union) if fill_unions => Value::Union(1, Box::new(distinct(&union.variants()[1], next, fill_unions))),
        Schema::Union(_) => Value::Union(0, Box::new(Value::Null)),
        Schema::Record(record) => {
            let fields = record.fields.iter().map(|field| (field.name.clone(), distinct(&field.schema, next, fill_unions)));
            Value::Record(fields.collect())
        }
        other => panic!("no topic uses {other:?}"),
    }
}

fn check<T: TopicRecord + Serialize + DeserializeOwned + Debug>() {
    let subject = T::SCHEMA.subject;
    let registry: SharedRegistry = Arc::new(MemoryRegistry::new());
    let serde = shoppulse_avro::serde::<T>(&registry).unwrap();
    let schema = Schema::parse_str(T::SCHEMA.text).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    for fill_unions in [true, false] {
        // A value of the reference, read by the codec into the type, and written by it, is the same bytes.
        let value = distinct(&schema, &mut 0, fill_unions);
        let datum = writer.write_value_to_vec(value.clone()).unwrap();
        let mut record = BytesMut::from(&[0, 0, 0, 0, 1][..]);
        record.extend_from_slice(&datum);
        let ours: T = serde.decode(&record).unwrap_or_else(|error| panic!("{subject}: {error}"));
        let mut again = BytesMut::new();
        serde.encode(&ours, &mut again).unwrap();
        assert_eq!(again, record, "{subject}");

        // By name, the reference finds in the type what the schema says, field by field.
        let generic = apache_avro::to_value(&ours).unwrap();
        let Value::Record(fields) = &generic else { panic!("{subject} is a record") };
        let Value::Record(expected) = &value else { panic!("{subject} is a record") };
        let names = |fields: &[(String, Value)]| fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(fields), names(expected), "{subject}");
        assert_eq!(generic.resolve(&schema).unwrap(), value, "{subject}");
        let read =
            GenericDatumReader::builder(&schema).reader_schema(&schema).build().unwrap().read_value(&mut &again[5..]).unwrap();
        assert_eq!(read, value, "{subject}");
    }
}

#[test]
fn every_type_has_the_fields_of_its_schema() {
    check::<CleanEvent>();
    check::<SessionKey>();
    check::<SessionRow>();
    check::<OrderFactKey>();
    check::<OrderFact>();
    check::<CustomerKey>();
    check::<CustomerRow>();
    check::<CustomerVersionKey>();
    check::<CustomerVersion>();
    check::<QualityKey>();
    check::<QualityRow>();
}

#[test]
fn the_borrowing_event_is_the_owned_one() {
    let registry: SharedRegistry = Arc::new(MemoryRegistry::new());
    let serde = shoppulse_avro::serde::<CleanEvent>(&registry).unwrap();
    let schema = Schema::parse_str(CleanEvent::SCHEMA.text).unwrap();
    for fill_unions in [true, false] {
        let datum = GenericDatumWriter::builder(&schema)
            .build()
            .unwrap()
            .write_value_to_vec(distinct(&schema, &mut 0, fill_unions))
            .unwrap();
        let record = [&[0, 0, 0, 0, 1], &datum[..]].concat();
        let owned: CleanEvent = serde.decode(&record).unwrap();
        let mut scratch = BytesMut::new();
        let borrowed: CleanEventRef<'_> = serde.decode_as(&record, &mut scratch).unwrap();
        assert_eq!(borrowed, CleanEventRef::from(&owned));
        let mut again = BytesMut::new();
        serde.encode_as(&borrowed, &mut again).unwrap();
        assert_eq!(again, record);
        assert_eq!(borrowed.to_owned_event(), owned);
    }
}
