//! The cases on real Kafka, started by `dev/kafka` and ended with this process.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use highwater::kafka::Kafka;
use highwater::kafka::rdkafka::RdKafka;

/// A cluster for all tests of this process.
pub(crate) fn kafka() -> Arc<dyn Kafka> {
    static CLUSTER: OnceLock<(tempfile::TempDir, String)> = OnceLock::new();
    let (_, servers) = CLUSTER.get_or_init(start);
    Arc::new(RdKafka::new(servers, BTreeMap::new()).expect("the client's settings are right"))
}

fn start() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(format!("{root}/dev/kafka"))
        .args(["up", "--no-registry", "--dir"])
        .arg(dir.path())
        .args(["--owner", &std::process::id().to_string()])
        .output()
        .expect("dev/kafka can be run");
    assert!(output.status.success(), "dev/kafka up: {}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).expect("its output is text");
    let servers = stdout.lines().find_map(|line| line.split_once("BOOTSTRAP_SERVERS=")).expect("it prints the servers").1;
    (dir, servers.trim_matches(['"', '\'']).to_owned())
}

#[test]
fn counts_are_exact_on_real_kafka_through_crashes_and_restarts() {
    let _ = tracing_subscriber::fmt()
        .with_test_writer()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .try_init();
    crate::counting::counts_are_exact_through_crashes_and_restarts(&kafka(), "real");
}
