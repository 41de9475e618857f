//! The cases on real Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::kafka::rdkafka::RdKafka;

use crate::real_kafka;

#[test]
fn counts_are_exact_on_real_kafka_through_crashes_and_restarts() {
    let _ = tracing_subscriber::fmt()
        .with_test_writer()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .try_init();
    let kafka = RdKafka::new(real_kafka::bootstrap_servers(), BTreeMap::new()).expect("the client's settings are right");
    crate::counting::counts_are_exact_through_crashes_and_restarts(&(Arc::new(kafka) as _), "real");
}
