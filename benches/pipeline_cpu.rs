//! CPU seconds per million events of `clean` and `sessions`, on the embedded cluster: what the engine and the topologies cost
//! without a network client. Run with `cargo bench --bench pipeline_cpu -- [RECORDS]`.
//!
//! Not a comparison with other engines: that needs a real broker for both sides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::kafka::Kafka;
use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::runtime::until_end::{Progress, UntilEnd};
use highwater::runtime::{KafkaStreams, Settings};
use highwater::time::SystemClock;
use shoppulse::pipelines::{clean, sessions};
use shoppulse::schemas::Schemas;
use shoppulse::summary::cpu_time;
use shoppulse_oracle::{Traffic, TrafficSettings};

const PARTITIONS: i32 = 4;
const RECORDS: usize = 300_000;

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark measures time and prints what it measured")]
fn main() {
    let records = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(RECORDS);
    let cluster = MemoryCluster::new(Arc::new(SystemClock), MemorySettings { max_bytes: 8 << 30, ..MemorySettings::default() });
    let loaded = load(&cluster, records);
    println!("{loaded} events loaded");
    let schemas = Schemas::in_memory();
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    for (name, topology) in [("clean", clean::build(&schemas)), ("sessions", sessions::build(&schemas))] {
        let topology = topology.expect("the topology is right");
        let settings = Settings { internal_partitions: PARTITIONS, ..Settings::new("bench", dir.path()) };
        let (wall, cpu) = (Instant::now(), cpu_time());
        let kafka: Arc<dyn Kafka> = Arc::new(cluster.clone());
        let mut end = UntilEnd::new(&*kafka, &[(&topology, &settings)]).expect("the inputs have ends");
        let running = KafkaStreams::new(topology, settings, kafka).start().expect("it starts");
        while end.poll().expect("positions can be read") != Progress::Done {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        running.drain();
        while !running.is_drained() {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let commits = running.status().commits;
        running.shutdown(Duration::from_secs(30)).expect("it leaves in order");
        let cpu = cpu_time().saturating_sub(cpu).as_secs_f64();
        let per_million = cpu * 1e6 / loaded as f64;
        println!(
            "{name}: {per_million:.2} CPU-s per million events, {cpu:.2} CPU-s, {:.2} s wall, {commits} commits",
            wall.elapsed().as_secs_f64()
        );
    }
}

/// Writes generated events, and nothing else, into the cluster.
fn load(cluster: &MemoryCluster, records: usize) -> usize {
    for topic in ["raw.events", "clean.events", "curated.sessions", "late.events", "dlq.shoppulse", "ops.quality"] {
        cluster.create_topic(topic, PARTITIONS).expect("the topic is new");
    }
    let traffic =
        Traffic::new(TrafficSettings { orders_permille: 0, customers_permille: 0, ..TrafficSettings::test(records, 1) });
    let mut loaded = 0;
    for record in traffic.filter(|record| record.topic == "raw.events") {
        let time = highwater::Timestamp::from_millis(record.timestamp_ms);
        cluster
            .append("raw.events", record.partition, record.key.as_deref(), record.value.as_deref(), time)
            .expect("there is room");
        loaded += 1;
    }
    loaded
}
