//! Released schemas bind: rows read what earlier versions wrote, keys never change, and every field says what it is.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fs;
use std::path::Path;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use serde_json::Value;
use shoppulse_avro::{
    CustomerRow, CustomerVersion, OrderFact, Part, PersonalField, QualityRow, SessionRow, TopicRow, TopicSchema, personal_fields,
    schemas,
};

fn manifest(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The schema's text in every release that has it, oldest first.
fn released(schema: &TopicSchema) -> Vec<String> {
    let mut releases: Vec<_> = fs::read_dir(manifest("golden")).unwrap().map(|entry| entry.unwrap().path()).collect();
    releases.sort_by_key(|path| path.file_name().unwrap().to_string_lossy().trim_start_matches('v').parse::<u32>().unwrap());
    let texts = releases.iter().map(|release| release.join(format!("{}.avsc", schema.subject)));
    texts.filter(|path| path.exists()).map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn fields(schema: &TopicSchema) -> Vec<Value> {
    let json: Value = serde_json::from_str(schema.text).unwrap();
    json["fields"].as_array().unwrap().clone()
}

#[test]
fn a_schema_reads_what_all_its_releases_wrote() {
    for schema in schemas() {
        let current = Schema::parse_str(schema.text).unwrap();
        let released = released(schema);
        assert!(!released.is_empty(), "{} has no golden copy: add it to golden/ when it is released", schema.subject);
        for text in released {
            let earlier = Schema::parse_str(&text).unwrap();
            assert_eq!(SchemaCompatibility::can_read(&earlier, &current), Ok(Compatibility::Full), "{}", schema.subject);
        }
    }
}

#[test]
fn a_key_is_byte_for_byte_the_released_one() {
    for schema in schemas().iter().filter(|schema| schema.part == Part::Key) {
        assert_eq!(released(schema), [schema.text], "{}: a new schema id would change the bytes of every key", schema.subject);
    }
}

#[test]
fn every_file_is_in_the_catalogue() {
    let mut files: Vec<_> = fs::read_dir(manifest("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "avsc"));
    files.sort();
    let mut subjects: Vec<_> = schemas().iter().map(|schema| manifest(&format!("{}.avsc", schema.subject))).collect();
    subjects.sort();
    assert_eq!(files, subjects);
}

// covers: R50
#[test]
fn every_field_has_a_doc_and_a_type_that_lasts() {
    for schema in schemas() {
        let record: Value = serde_json::from_str(schema.text).unwrap();
        assert!(record["namespace"] == "shoppulse" && record["doc"].is_string(), "{}", schema.subject);
        for field in fields(schema) {
            let what = format!("{}: {}", schema.subject, field["name"]);
            assert!(field["doc"].as_str().is_some_and(|doc| doc.ends_with('.')), "{what} has no sentence");
            if let Some(variants) = field["type"].as_array() {
                assert_eq!(
                    (variants.len(), &variants[0], field.get("default")),
                    (2, &"null".into(), Some(&Value::Null)),
                    "{what}"
                );
            }
            let text = field["type"].to_string();
            for banned in ["enum", "fixed", "float", "double", "map", "decimal", "timestamp-millis"] {
                assert!(!text.contains(banned), "{what} is of type {text}");
            }
        }
    }
}

#[test]
fn values_repeat_their_keys_and_end_alike() {
    for value in schemas().iter().filter(|schema| schema.part == Part::Value) {
        let names: Vec<_> = fields(value).iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect();
        if value.topic == "clean.events" {
            assert_eq!(names.last().unwrap(), "processed_at");
            assert!(!names.contains(&"row_version".to_owned()));
            continue;
        }
        let key = schemas().iter().find(|key| key.topic == value.topic && key.part == Part::Key).unwrap();
        assert_eq!(fields(key), fields(value)[..fields(key).len()], "{}", value.topic);
        assert_eq!(names[names.len() - 4..], ["row_version", "is_deleted", "updated_at", "processed_at"], "{}", value.topic);
    }
}

#[test]
fn personal_fields_can_be_erased_and_are_in_no_key() {
    let expected = [
        ("clean.events", "user_id", "user_id"),
        ("clean.events", "page_url", "url"),
        ("clean.events", "ip", "ip_address"),
        ("clean.events", "properties", "free_form"),
        ("curated.sessions", "user_id", "user_id"),
        ("curated.customers", "email", "email"),
        ("curated.customers", "name", "name"),
        ("curated.customers", "phone", "phone"),
        ("curated.customer_history", "email", "email"),
        ("curated.customer_history", "name", "name"),
        ("curated.customer_history", "phone", "phone"),
    ];
    let expected = expected.map(|(topic, field, kind)| PersonalField { topic, field: field.to_owned(), kind: kind.to_owned() });
    assert_eq!(personal_fields(), expected);
    for schema in schemas().iter().filter(|schema| schema.topic.starts_with("curated")) {
        for field in fields(schema).iter().filter(|field| field.get("pii").is_some()) {
            assert!(schema.part == Part::Value && field["type"][0] == "null", "{}: {}", schema.subject, field["name"]);
        }
    }
}

/// A row with text in every column that may hold some, deleted.
fn check_deletion<T: TopicRow + serde::Serialize + serde::de::DeserializeOwned>() {
    let fields = fields(&T::SCHEMA);
    let filled = fields.iter().map(|field| {
        let value = match &field["type"] {
            Value::Array(variants) if variants[1] == "string" => "text".into(),
            Value::Array(_) => Value::Null,
            Value::Object(of) if of["type"] == "array" => Value::Array(Vec::new()),
            Value::String(name) if name == "string" => "text".into(),
            Value::String(name) if name == "boolean" => false.into(),
            _ => 0.into(),
        };
        (field["name"].as_str().unwrap().to_owned(), value)
    });
    let before = Value::Object(filled.collect());
    let mut row: T = serde_json::from_value(before.clone()).unwrap();
    row.delete();
    row.stamp(5, 6);
    let after = serde_json::to_value(&row).unwrap();
    for field in &fields {
        let name = field["name"].as_str().unwrap();
        let expected = match name {
            "is_deleted" => true.into(),
            "row_version" => 5.into(),
            "processed_at" => 6.into(),
            _ if field.get("pii").is_some() => Value::Null,
            _ => before[name].clone(),
        };
        assert_eq!(after[name], expected, "{}: {name}", T::SCHEMA.subject);
    }
}

#[test]
fn a_deleted_row_keeps_all_but_what_is_personal() {
    check_deletion::<SessionRow>();
    check_deletion::<OrderFact>();
    check_deletion::<CustomerRow>();
    check_deletion::<CustomerVersion>();
    check_deletion::<QualityRow>();
}
