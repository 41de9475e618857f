//! The client of schema registries against a double that answers well and badly, and against a real one.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "support/real_kafka.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod real_kafka;
mod schema_registry {
    pub(crate) mod double;
    pub(crate) mod gate;
}

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use highwater::serde::avro::{
    AvroSerde, CACHE_FILE, Registry, RegistryAuth, RegistryError, RegistrySettings, SchemaId, SchemaRegistry, SharedRegistry,
};
use highwater::serde::{Decode, Encode};
use real_kafka::RealKafka;
use schema_registry::double::Double;
use schema_registry::gate::Gate;
use serde::{Deserialize, Serialize};

const ONE: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}"#;
const TWO: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","string"],"default":null}]}"#;
const BREAKING: &str = r#"{"type":"record","name":"R","doc":"breaking","fields":[{"name":"c","type":"string"}]}"#;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct One {
    a: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Two {
    a: i64,
    b: Option<String>,
}

fn open(settings: &RegistrySettings) -> SchemaRegistry {
    SchemaRegistry::open(&settings.clone().timeout(Duration::from_secs(5))).unwrap()
}

#[test]
fn the_first_start_registers_and_later_ones_only_look() {
    let double = Double::start();
    let directory = tempfile::tempdir().unwrap();
    let settings = RegistrySettings::new(double.url()).state_dir(directory.path());
    assert_eq!(open(&settings).register("t-value", ONE), Ok(SchemaId(1)));
    let expected = ["POST /api/subjects/t-value?deleted=false", "GET /api/config/t-value", "PUT /api/config/t-value"];
    let requests = double.requests();
    assert_eq!(requests[..3], expected);
    assert_eq!(requests[3..], ["POST /api/subjects/t-value/versions"]);
    assert_eq!(double.with(|state| state.compatibility["t-value"].clone()), "BACKWARD_TRANSITIVE");

    // Layout is no change.
    assert_eq!(open(&settings).register("t-value", &ONE.replace(',', " ,\n")), Ok(SchemaId(1)));
    assert_eq!(double.requests(), ["POST /api/subjects/t-value?deleted=false"]);
    assert_eq!(open(&settings).register("t-value", TWO), Ok(SchemaId(2)));
    assert!(!double.requests().contains(&"PUT /api/config/t-value".to_owned()), "a level once set is the operator's");
}

#[test]
fn a_registry_that_wants_a_version_first_gets_the_level_afterwards() {
    let double = Double::start();
    double.with(|state| state.wants_version_first = true);
    assert_eq!(open(&RegistrySettings::new(double.url())).register("t-value", ONE), Ok(SchemaId(1)));
    assert_eq!(double.with(|state| state.compatibility["t-value"].clone()), "BACKWARD_TRANSITIVE");
}

#[test]
fn a_level_that_cannot_be_set_stops_nobody() {
    let double = Double::start();
    double.with(|state| state.to_method = Some(("PUT", 403, r#"{"error_code":40301,"message":"no"}"#.to_owned())));
    assert_eq!(open(&RegistrySettings::new(double.url())).register("t-value", ONE), Ok(SchemaId(1)));
}

#[test]
fn what_is_cached_serves_while_the_registry_is_away_and_nothing_else_does() {
    let double = Double::start();
    let directory = tempfile::tempdir().unwrap();
    let settings = RegistrySettings::new(double.url()).state_dir(directory.path());
    let first = open(&settings);
    first.register("t-key", ONE).unwrap();
    first.register("t-value", TWO).unwrap();
    double.go_away();
    double.requests();

    let second = open(&settings);
    assert_eq!(second.register("t-key", ONE), Ok(SchemaId(1)));
    assert_eq!(second.register("t-value", TWO), Ok(SchemaId(2)));
    assert_eq!(double.requests().len(), 1, "one call that fails is enough");
    assert_eq!(second.schema(SchemaId(1)).as_deref(), Ok(ONE));
    for error in [second.register("new-value", TWO).unwrap_err(), second.schema(SchemaId(9)).unwrap_err()] {
        assert!(error.is_retriable() && error.to_string().contains("shutting down"), "{error}");
    }

    std::fs::write(directory.path().join(CACHE_FILE), "{").unwrap();
    assert!(open(&settings).register("t-key", ONE).unwrap_err().is_retriable(), "a damaged file is as none");
}

#[test]
fn nobody_listening_is_unreachable_and_says_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = open(&RegistrySettings::new(&url)).register("t-value", ONE).unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    for part in [url.as_str(), "refused", "check its address", "state directory"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn refusals_name_the_cause_and_the_mend() {
    type Is = fn(&RegistryError) -> bool;
    let json = |code: u32, message: &str| format!(r#"{{"error_code":{code},"message":"{message}"}}"#);
    let table: [(u16, String, Is, &[&str]); 8] = [
        (
            401,
            json(401, "who are you"),
            |e| matches!(e, RegistryError::Denied { .. }),
            &["who are you", "credentials", "t-value"],
        ),
        (403, json(40301, "no"), |e| matches!(e, RegistryError::Denied { .. }), &["credentials"]),
        (409, json(409, "a lost"), |e| matches!(e, RegistryError::Incompatible { .. }), &["t-value", "a lost", "default"]),
        (422, json(42201, "bad schema"), |e| matches!(e, RegistryError::Invalid { .. }), &["422", "bad schema"]),
        (404, "<html>".to_owned(), |e| matches!(e, RegistryError::Invalid { .. }), &["no registry", "/apis/ccompat/v7"]),
        (500, json(50001, "store"), |e| matches!(e, RegistryError::Unreachable { .. }), &["store"]),
        (502, "<html>".to_owned(), |e| matches!(e, RegistryError::Unreachable { .. }), &["does not answer"]),
        (200, "<html>".to_owned(), |e| matches!(e, RegistryError::Invalid { .. }), &["could not parse"]),
    ];
    for (status, body, is, parts) in table {
        let double = Double::start();
        double.with(|state| state.always = Some((status, body)));
        let error = open(&RegistrySettings::new(double.url())).register("t-value", ONE).unwrap_err();
        assert!(is(&error), "{status}: {error:?}");
        for part in parts {
            assert!(error.to_string().contains(part), "{status}: {error}");
        }
    }
}

#[test]
fn an_incompatible_schema_is_refused() {
    let double = Double::start();
    let registry = open(&RegistrySettings::new(double.url()));
    registry.register("t-value", ONE).unwrap();
    let error = registry.register("t-value", BREAKING).unwrap_err();
    assert!(matches!(&error, RegistryError::Incompatible { subject, .. } if subject == "t-value"), "{error}");
}

#[test]
fn only_the_registry_itself_says_that_an_id_is_unknown() {
    let double = Double::start();
    let registry = open(&RegistrySettings::new(double.url()));
    assert_eq!(registry.schema(SchemaId(5)), Err(RegistryError::UnknownId { id: SchemaId(5) }));
    double.with(|state| state.always = Some((404, "<html>".to_owned())));
    assert!(registry.schema(SchemaId(6)).unwrap_err().is_retriable(), "a proxy's 404");
    double.with(|state| state.always = Some((200, r#"{"schema":"{}","schemaType":"JSON"}"#.to_owned())));
    assert!(matches!(registry.schema(SchemaId(6)), Err(RegistryError::Invalid { .. })));
}

#[test]
fn a_key_that_gets_another_id_stops_the_start() {
    let double = Double::start();
    let directory = tempfile::tempdir().unwrap();
    let settings = RegistrySettings::new(double.url()).state_dir(directory.path());
    open(&settings).register("t-key", ONE).unwrap();
    open(&settings).register("t-value", ONE).unwrap();
    double.with(|state| state.first_id = 100);
    let error = open(&settings).register("t-key", ONE).unwrap_err();
    assert!(matches!(error, RegistryError::Moved { .. }) && error.to_string().contains(CACHE_FILE), "{error}");
    assert_eq!(open(&settings).register("t-value", ONE), Ok(SchemaId(100)), "a value only names its schema");
}

#[test]
fn credentials_go_with_every_call() {
    let double = Double::start();
    let table = [
        (RegistryAuth::None, None),
        (
            RegistryAuth::Basic { user: "Aladdin".into(), password: "open sesame".into() },
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ),
        (RegistryAuth::Bearer("token".into()), Some("Bearer token")),
    ];
    for (number, (auth, expected)) in table.into_iter().enumerate() {
        assert!(!format!("{auth:?}").contains("sesame"));
        let registry = open(&RegistrySettings::new(double.url()).auth(auth));
        double.with(|state| state.to_method = Some(("GET", 200, r#"{"compatibilityLevel":"FULL"}"#.to_owned())));
        registry.register(&format!("t{number}-value"), ONE).unwrap();
        assert_eq!(double.with(|state| state.authorization.clone()).as_deref(), expected, "by the client");
        double.with(|state| state.to_method = Some(("POST", 404, r#"{"error_code":40401,"message":"none"}"#.to_owned())));
        registry.register("other-value", ONE).unwrap_err();
        assert_eq!(double.with(|state| state.authorization.clone()).as_deref(), expected, "by the level's call");
    }
}

#[test]
fn a_record_of_an_unknown_id_waits_for_the_registry() {
    let double = Double::start();
    let shared = |registry: SchemaRegistry| -> SharedRegistry { Arc::new(registry) };
    let writer = AvroSerde::<Two>::bind(&shared(open(&RegistrySettings::new(double.url()))), "t-value", TWO).unwrap();
    let reader = AvroSerde::<One>::bind(&shared(open(&RegistrySettings::new(double.url()))), "t-value", ONE).unwrap();
    let mut record = BytesMut::new();
    writer.encode(&Two { a: 7, b: Some("b".into()) }, &mut record).unwrap();

    double.go_away();
    assert!(reader.decode(&record).unwrap_err().is_retriable());
    double.with(|state| state.always = None);
    assert_eq!(reader.decode(&record), Ok(One { a: 7 }));
    double.go_away();
    assert_eq!(reader.decode(&record), Ok(One { a: 7 }), "once known, it needs no registry");
}

#[test]
fn a_real_registry_does_the_same() {
    let cluster = RealKafka::up(&[]);
    let url = cluster.registry_url();
    every_schema_is_registered_and_read_back(url);
    let (authority, path) = url.trim_start_matches("http://").split_once('/').expect("the address has a path");
    let gate = Gate::before(authority);
    let directory = tempfile::tempdir().unwrap();
    let settings = RegistrySettings::new(format!("http://{}/{path}", gate.authority())).state_dir(directory.path());
    let topic = directory.path().file_name().unwrap().to_string_lossy().replace('.', "");
    let (key, value) = (format!("{topic}-key"), format!("{topic}-value"));

    let id = open(&settings).register(&value, TWO).unwrap();
    assert_eq!(open(&settings).register(&value, TWO), Ok(id), "again the same id");
    let key_id = open(&settings).register(&key, ONE).unwrap();
    let error = open(&settings).register(&value, &BREAKING.replace(r#""doc":"breaking","#, "")).unwrap_err();
    assert!(matches!(&error, RegistryError::Incompatible { subject, .. } if *subject == value), "{error}");

    let fresh = open(&RegistrySettings::new(url));
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(&fresh.schema(id).unwrap()), parse(TWO));
    let unknown = SchemaId(99_999_999);
    assert_eq!(fresh.schema(unknown), Err(RegistryError::UnknownId { id: unknown }));

    gate.shut();
    let offline = open(&settings);
    assert_eq!(offline.register(&key, ONE), Ok(key_id));
    let shared: SharedRegistry = Arc::new(offline);
    let serde = AvroSerde::<Two>::bind(&shared, &value, TWO).unwrap();
    let mut record = BytesMut::new();
    serde.encode(&Two { a: 1, b: None }, &mut record).unwrap();
    assert_eq!(serde.decode(&record), Ok(Two { a: 1, b: None }));
    assert!(shared.schema(unknown).unwrap_err().is_retriable());
    assert!(shared.register("other-value", ONE).unwrap_err().is_retriable());
}

/// All schemas of the pipeline, with docs and marks of personal fields.
fn every_schema_is_registered_and_read_back(url: &str) {
    let registry: SharedRegistry = Arc::new(open(&RegistrySettings::new(url)));
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for schema in shoppulse_avro::schemas() {
        let serde = AvroSerde::<()>::bind(&registry, schema.subject, schema.text).unwrap();
        let text = open(&RegistrySettings::new(url)).schema(serde.schema_id()).unwrap();
        assert_eq!(parse(&text), parse(schema.text), "{}", schema.subject);
    }
}
