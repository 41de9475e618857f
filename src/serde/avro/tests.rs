//! The codec against `apache-avro` as its oracle, and the serde against registries that answer, refuse and stay silent.

use std::sync::atomic::{AtomicUsize, Ordering};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const SCHEMA: &str = r#"{"type":"record","name":"Everything","namespace":"t","fields":[
    {"name":"yes","type":"boolean"},
    {"name":"small","type":"int"},
    {"name":"large","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"single","type":"float"},
    {"name":"double","type":["double","null"]},
    {"name":"text","type":"string"},
    {"name":"maybe","type":["null","string"],"default":null},
    {"name":"inner","type":{"type":"record","name":"Inner","fields":[{"name":"a","type":["null","long"],"default":null},{"name":"b","type":"string"}]}},
    {"name":"inners","type":{"type":"array","items":"t.Inner"}},
    {"name":"texts","type":["null",{"type":"array","items":"string"}],"default":null},
    {"name":"kind","type":"string"}]}"#;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    yes: bool,
    small: i32,
    large: i64,
    single: f32,
    double: Option<f64>,
    text: String,
    maybe: Option<String>,
    inner: Inner,
    inners: Vec<Inner>,
    texts: Option<Vec<String>>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    a: Option<i64>,
    b: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    FirstKind,
    Second,
}

fn inner() -> impl Strategy<Value = Inner> {
    (any::<Option<i64>>(), any::<String>()).prop_map(|(a, b)| Inner { a, b })
}

fn everything() -> impl Strategy<Value = Everything> {
    let plain = (any::<bool>(), any::<i32>(), any::<i64>(), -1e9_f32..1e9, proptest::option::of(-1e9..1e9));
    let texts =
        (any::<String>(), any::<Option<String>>(), proptest::option::of(proptest::collection::vec(any::<String>(), 0..4)));
    let nested = (inner(), proptest::collection::vec(inner(), 0..4), prop_oneof![Just(Kind::FirstKind), Just(Kind::Second)]);
    (plain, texts, nested).prop_map(|((yes, small, large, single, double), (text, maybe, texts), (inner, inners, kind))| {
        Everything { yes, small, large, single, double, text, maybe, inner, inners, texts, kind }
    })
}

fn registry() -> SharedRegistry {
    Arc::new(MemoryRegistry::new())
}

fn bound<T>(registry: &SharedRegistry, schema: &str) -> AvroSerde<T> {
    AvroSerde::bind(registry, "test-value", schema).unwrap()
}

fn encoded<T: Serialize>(serde: &AvroSerde<T>, value: &T) -> Vec<u8> {
    let mut out = BytesMut::new();
    serde.encode(value, &mut out).unwrap();
    out.to_vec()
}

/// `value` through the generic form of the reference implementation, which checks names, order and types against the schema.
fn reference_value(value: &Everything, schema: &Schema) -> apache_avro::types::Value {
    apache_avro::to_value(value).unwrap().resolve(schema).unwrap()
}

proptest! {
    #[test]
    fn bytes_equal_those_of_the_reference_and_are_read_back(value in everything()) {
        let schema = Schema::parse_str(SCHEMA).unwrap();
        let serde = bound::<Everything>(&registry(), SCHEMA);
        let bytes = encoded(&serde, &value);
        let reference = GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(reference_value(&value, &schema)).unwrap();
        prop_assert_eq!(&bytes[5..], &reference[..]);
        prop_assert_eq!(serde.decode(&bytes).unwrap(), value);
    }

    #[test]
    fn a_record_cut_anywhere_or_prolonged_is_a_bad_value(value in everything()) {
        let serde = bound::<Everything>(&registry(), SCHEMA);
        let mut bytes = encoded(&serde, &value);
        for length in 0..bytes.len() {
            prop_assert_eq!(serde.decode(&bytes[..length]).unwrap_err().reason, "bad_value", "{} of {}", length, bytes.len());
        }
        bytes.push(0);
        prop_assert_eq!(serde.decode(&bytes).unwrap_err().reason, "bad_value");
    }

    #[test]
    fn no_bytes_make_it_panic(datum in proptest::collection::vec(any::<u8>(), 0..200), older in any::<bool>()) {
        let registry = registry();
        let first = bound::<Everything>(&registry, SCHEMA);
        let newer = SCHEMA.replacen(r#"{"name":"yes""#, r#"{"name":"new","type":"string","default":"d"},{"name":"yes""#, 1);
        let second = bound::<Everything>(&registry, &newer);
        let mut bytes = wire::prefix(SchemaId(1)).to_vec();
        bytes.extend_from_slice(&datum);
        let result = if older { second.decode(&bytes) } else { first.decode(&bytes) };
        prop_assert!(result.is_ok() || result.unwrap_err().reason == "bad_value");
    }

    #[test]
    fn one_damaged_byte_never_panics(value in everything(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let serde = bound::<Everything>(&registry(), SCHEMA);
        let mut bytes = encoded(&serde, &value);
        let at = 5 + at.index(bytes.len() - 5);
        bytes[at] = byte;
        let _ = serde.decode(&bytes);
    }

    #[test]
    fn resolution_equals_that_of_the_reference(value in everything()) {
        // Removed, added with defaults, moved, renamed, widened, allowed to be null.
        const NEWER: &str = r#"{"type":"record","name":"Everything","namespace":"t","fields":[
            {"name":"added","type":{"type":"array","items":"string"},"default":["x","y"]},
            {"name":"inners","type":{"type":"array","items":{"type":"record","name":"Inner","fields":[
                {"name":"b","type":["null","string"],"default":null},{"name":"c","type":"long","default":-5},{"name":"a","type":["null","long"],"default":null}]}}},
            {"name":"small","type":"long"},
            {"name":"renamed","aliases":["text"],"type":"string"},
            {"name":"maybe","type":["string","null"],"default":"m"},
            {"name":"double","type":["null","double"],"default":null},
            {"name":"inner","type":"t.Inner"},
            {"name":"large","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null}]}"#;
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct NewInner { b: Option<String>, c: i64, a: Option<i64> }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Newer {
            added: Vec<String>, inners: Vec<NewInner>, small: i64, renamed: String, maybe: Option<String>, double: Option<f64>,
            inner: NewInner, large: Option<i64>,
        }
        let registry = registry();
        let bytes = encoded(&bound::<Everything>(&registry, SCHEMA), &value);
        let read: Newer = AvroSerde::<Newer>::bind(&registry, "other-value", NEWER).unwrap().decode(&bytes).unwrap();
        let inner = |inner: &Inner| NewInner { b: Some(inner.b.clone()), c: -5, a: inner.a };
        prop_assert_eq!(&read, &Newer {
            added: vec!["x".to_owned(), "y".to_owned()],
            inners: value.inners.iter().map(inner).collect(),
            small: i64::from(value.small),
            renamed: value.text.clone(),
            maybe: value.maybe.clone(),
            double: value.double,
            inner: inner(&value.inner),
            large: Some(value.large),
        });
        // The reference agrees where it can: it knows no aliases of fields when it resolves.
        let (writer, reader) = (Schema::parse_str(SCHEMA).unwrap(), Schema::parse_str(&NEWER.replace("renamed", "text")).unwrap());
        let oracle = GenericDatumReader::builder(&writer).reader_schema(&reader).build().unwrap().read_value(&mut &bytes[5..]).unwrap();
        let oracle = GenericDatumWriter::builder(&reader).build().unwrap().write_value_to_vec(oracle).unwrap();
        let ours = AvroSerde::<Newer>::bind(&registry, "other-value", NEWER).unwrap();
        prop_assert_eq!(&encoded(&ours, &read)[5..], &oracle[..]);
    }
}

#[test]
fn a_record_is_five_bytes_and_the_datum_as_the_specification_has_it() {
    #[derive(Serialize, Deserialize)]
    struct Key {
        shop_id: String,
        order_id: String,
        at: i64,
        note: Option<String>,
    }
    let schema = r#"{"type":"record","name":"Key","fields":[{"name":"shop_id","type":"string"},{"name":"order_id","type":"string"},
        {"name":"at","type":"long"},{"name":"note","type":["null","string"],"default":null}]}"#;
    let serde = bound::<Key>(&registry(), schema);
    let key = Key { shop_id: "s1".into(), order_id: "1000".into(), at: -65, note: None };
    assert_eq!(encoded(&serde, &key), b"\x00\x00\x00\x00\x01\x04s1\x081000\x81\x01\x00");
}

#[test]
fn text_is_borrowed_and_unnamed_fields_are_skipped() {
    #[derive(Debug, Deserialize)]
    struct Part<'a> {
        kind: &'a str,
        maybe: Option<&'a str>,
        large: i64,
    }
    let registry = registry();
    let serde = bound::<Everything>(&registry, SCHEMA);
    let value = Everything {
        yes: true,
        small: 1,
        large: 2,
        single: 0.5,
        double: None,
        text: "text".into(),
        maybe: Some("maybe".into()),
        inner: Inner { a: None, b: String::new() },
        inners: vec![Inner { a: Some(1), b: "x".into() }],
        texts: Some(vec!["a".into()]),
        kind: Kind::FirstKind,
    };
    let bytes = encoded(&serde, &value);
    let mut scratch = BytesMut::new();
    let part: Part<'_> = serde.decode_as(&bytes, &mut scratch).unwrap();
    assert_eq!((part.kind, part.large), ("first_kind", 2));
    assert_eq!(part.maybe, Some("maybe"));
    assert!(bytes.as_ptr_range().contains(&part.kind.as_ptr()));
}

#[test]
fn a_type_that_differs_from_the_schema_is_not_written() {
    #[derive(Serialize, Deserialize)]
    struct Wrong {
        yes: bool,
        large: i64,
    }
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"yes","type":"boolean"},{"name":"small","type":"int"}]}"#;
    let serde = bound::<Wrong>(&registry(), schema);
    let error = serde.encode(&Wrong { yes: true, large: 1 }, &mut BytesMut::new()).unwrap_err();
    assert!(error.message.contains("field 1 of the schema is small, of the value large"), "{error}");

    let mut out = BytesMut::new();
    let table = [
        (serde.encode_as(&serde_json::json!({"yes": true}), &mut out), "a map"),
        (serde.encode_as(&(true, 1), &mut out), "a tuple"),
        (serde.encode_as("text", &mut out), "a string"),
    ];
    for (result, expected) in table {
        let error = result.unwrap_err();
        assert!(error.reason == "bad_value" && error.message.contains(expected), "{error}");
    }
}

/// Answers as told, and counts.
#[derive(Debug)]
struct Scripted {
    answer: Result<Arc<str>, RegistryError>,
    asked: AtomicUsize,
}

impl Registry for Scripted {
    fn register(&self, _: &str, _: &str) -> Result<SchemaId, RegistryError> {
        Ok(SchemaId(1))
    }

    fn schema(&self, _: SchemaId) -> Result<Arc<str>, RegistryError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.answer.clone()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Number {
    n: i64,
}

#[test]
fn an_unknown_id_is_a_bad_value_only_if_the_registry_says_so() {
    let unreachable = RegistryError::Unreachable { url: "http://r".into(), cause: "connection refused".into() };
    let denied = RegistryError::Denied { url: "http://r".into(), what: "schema 2".into(), cause: "no".into() };
    let incompatible = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"string"}]}"#;
    let table = [
        (Err(unreachable), true, 3, "connection refused"),
        (Err(denied), true, 3, "credentials"),
        (Err(RegistryError::UnknownId { id: SchemaId(2) }), false, 1, "no schema has the id 2"),
        (Ok("{".into()), false, 1, "no Avro schema"),
        (Ok(r#"{"type":"map","values":"long"}"#.into()), false, 1, "a map is not supported"),
        (Ok(incompatible.into()), false, 1, "n: a string can't be read as a long"),
    ];
    for (answer, retriable, asked, message) in table {
        let scripted = Arc::new(Scripted { answer, asked: AtomicUsize::new(0) });
        let registry: SharedRegistry = scripted.clone();
        let serde = bound::<Number>(&registry, r#"{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}"#);
        for _ in 0..3 {
            let error = serde.decode(&[0, 0, 0, 0, 2, 2]).unwrap_err();
            assert_eq!(error.is_retriable(), retriable, "{error}");
            assert_eq!(error.reason, if retriable { "internal" } else { "bad_value" });
            assert!(error.message.contains(message), "{error}");
        }
        assert_eq!(scripted.asked.load(Ordering::Relaxed), asked, "final answers are remembered, others asked for again");
    }
}

#[test]
fn null_is_an_empty_value() {
    assert_eq!(bound::<Everything>(&registry(), SCHEMA).decode_null().unwrap_err().reason, "empty_value");
}

#[test]
fn a_huge_length_or_count_costs_no_memory() {
    #[derive(Debug, Serialize, Deserialize)]
    struct R {
        t: Vec<String>,
    }
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"t","type":{"type":"array","items":"string"}}]}"#;
    let serde = bound::<R>(&registry(), schema);
    let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for before in [&[][..], &[2]] {
        let bytes = [&[0, 0, 0, 0, 1], before, &huge].concat();
        assert_eq!(serde.decode(&bytes).unwrap_err().reason, "bad_value");
    }
}
