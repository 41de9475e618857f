//! All schemas in a real registry, where there is one.

use std::sync::Arc;

use highwater::serde::avro::{AvroSerde, RegistrySettings, SchemaRegistry, SharedRegistry};
use shoppulse_avro::schemas;

#[test]
#[ignore = "needs a schema registry: eval \"$(dev/kafka up)\""]
fn every_schema_is_registered_and_read_back() {
    #[expect(clippy::disallowed_methods, reason = "where the registry is depends on the machine")]
    let url = std::env::var("SHOPPULSE__SCHEMA_REGISTRY__URL").expect("the registry's address");
    let registry: SharedRegistry = Arc::new(SchemaRegistry::open(&RegistrySettings::new(&url)).unwrap());
    for schema in schemas() {
        let serde = AvroSerde::<()>::bind(&registry, schema.subject, schema.text).unwrap();
        let fresh = SchemaRegistry::open(&RegistrySettings::new(&url)).unwrap();
        let text = highwater::serde::avro::Registry::schema(&fresh, serde.schema_id()).unwrap();
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&text), parse(schema.text), "{}: docs and personal fields included", schema.subject);
    }
}
