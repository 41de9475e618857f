//! The cases on the embedded cluster.

use std::sync::Arc;

use highwater::kafka::Kafka;
use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::time::SystemClock;

#[test]
fn counts_are_exact_on_the_embedded_cluster_through_crashes_and_restarts() {
    let _ = tracing_subscriber::fmt()
        .with_test_writer()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .try_init();
    let cluster = MemoryCluster::new(Arc::new(SystemClock), MemorySettings::default());
    let kafka: Arc<dyn Kafka> = Arc::new(cluster);
    crate::counting::counts_are_exact_through_crashes_and_restarts(&kafka, "embedded");
}
