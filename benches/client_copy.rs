//! What the Kafka client costs without any processing: consuming, and copying exactly once. The floor of every topology.
//!
//! `dev/kafka up --no-registry` first, then `cargo bench --bench client_copy -- RECORDS`. CPU is that of the whole process, its
//! threads included; wall time depends on what else the machine does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::kafka::rdkafka::RdKafka;
use highwater::kafka::{
    Batch, CommittedOffset, Consumer, ConsumerSettings, Isolation, Kafka, NewTopic, Outgoing, Producer, ProducerSettings,
};
use highwater::{Headers, Timestamp, TopicPartition};
use shoppulse::summary::cpu_time;

const PARTITIONS: i32 = 4;
const COMMIT_INTERVAL: Duration = Duration::from_millis(200);
const BATCH_RECORDS: usize = 1_000;
const TIMEOUT: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let records = std::env::args().find_map(|argument| argument.parse::<u64>().ok());
    #[expect(clippy::disallowed_methods, reason = "where the cluster is, as dev/kafka says it")]
    let servers = std::env::var("SHOPPULSE__KAFKA__BOOTSTRAP_SERVERS");
    let (Some(records), Ok(servers)) = (records, servers) else {
        report("give a number of records, and start a cluster with `eval \"$(dev/kafka up)\"`");
        // `cargo test --benches` runs this too, and there is nothing to measure then.
        return ExitCode::SUCCESS;
    };
    let kafka = RdKafka::new(servers, BTreeMap::new()).expect("no properties");
    let (input, output) = (new_topic(&kafka, "bench-input"), new_topic(&kafka, "bench-output"));
    fill(&kafka, &input, records);
    for _ in 0..3 {
        let (read, cost) = measured(|| consume(&kafka, &input, records));
        report(&format!("consume        {}", cost.per_million(read)));
        let mut commits = Vec::new();
        let (copied, cost) = measured(|| copy(&kafka, &input, &output, records, &mut commits));
        commits.sort_unstable();
        let at = |percent: usize| commits[(commits.len() * percent / 100).min(commits.len() - 1)].as_secs_f64() * 1e3;
        report(&format!(
            "copy           {} · {} commits, p50 {:.1} ms, p99 {:.1} ms",
            cost.per_million(copied),
            commits.len(),
            at(50),
            at(99)
        ));
    }
    paced(&kafka, &output);
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "a bench reports to its reader")]
fn report(line: &str) {
    println!("{line}");
}

fn new_topic(kafka: &RdKafka, name: &str) -> Arc<str> {
    let name = format!("{name}-{}", std::process::id());
    let topic = NewTopic { name: name.clone(), partitions: PARTITIONS, replication_factor: -1, config: BTreeMap::new() };
    kafka.admin().and_then(|mut admin| admin.create_topics(&[topic], TIMEOUT)).expect("a topic");
    Arc::from(name)
}

/// A record of 1.1 KB that compresses as JSON does.
fn value(number: u64) -> String {
    let mut value = format!("{{\"id\":\"{:032x}\"", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for field in 0..24_u64 {
        let noise = number.wrapping_add(field).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        write!(value, ",\"some_property_{field:02}\":\"{noise:016x}-value\"").expect("a string takes everything");
    }
    value.push('}');
    value
}

fn producer(kafka: &RdKafka, transactional_id: Option<String>) -> Box<dyn Producer> {
    let settings = ProducerSettings {
        transactional_id,
        client_id: "bench".to_owned(),
        transaction_timeout: Duration::from_mins(1),
        linger: Duration::from_millis(20),
        queue_max_bytes: 64 << 20,
    };
    kafka.producer(&settings).expect("a producer")
}

fn consumer(kafka: &RdKafka, input: &Arc<str>) -> Box<dyn Consumer> {
    let settings = ConsumerSettings {
        group_id: format!("bench-{}", std::process::id()),
        instance_id: None,
        client_id: "bench".to_owned(),
        queue_max_bytes: 32 << 20,
        session_timeout: Duration::from_secs(30),
        isolation: Isolation::ReadCommitted,
    };
    let mut consumer = kafka.consumer(&settings).expect("a consumer");
    let all: Vec<_> = (0..PARTITIONS).map(|partition| (TopicPartition::new(Arc::clone(input), partition), 0)).collect();
    consumer.incremental_assign(&all).expect("assigned");
    consumer
}

fn fill(kafka: &RdKafka, input: &Arc<str>, records: u64) {
    let mut producer = producer(kafka, None);
    for number in 0..records {
        let key = number.to_be_bytes();
        send(&mut *producer, input, (number % PARTITIONS as u64) as i32, &key, value(number).as_bytes(), false);
    }
    producer.flush(TIMEOUT).expect("filled");
}

fn send(producer: &mut dyn Producer, topic: &Arc<str>, partition: i32, key: &[u8], value: &[u8], track: bool) {
    let headers = Headers::new();
    let timestamp = Timestamp::from_millis(1_700_000_000_000);
    let record = Outgoing { topic, partition, key: Some(key), value: Some(value), timestamp, headers: &headers, track };
    producer.send(&record, TIMEOUT).expect("sent");
}

fn consume(kafka: &RdKafka, input: &Arc<str>, records: u64) -> u64 {
    let mut consumer = consumer(kafka, input);
    let (mut batch, mut read, mut bytes) = (Batch::default(), 0, 0);
    while read < records {
        batch.clear();
        consumer.poll(&mut batch, BATCH_RECORDS, Duration::from_millis(100)).expect("polled");
        read += batch.records.len() as u64;
        bytes += batch.records.iter().map(highwater::kafka::FetchedRecord::size_bytes).sum::<usize>();
    }
    assert!(bytes as u64 > 1_000 * records);
    batch.clear();
    consumer.close(TIMEOUT).expect("closed");
    read
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn copy(kafka: &RdKafka, input: &Arc<str>, output: &Arc<str>, records: u64, commits: &mut Vec<Duration>) -> u64 {
    let (mut consumer, mut batch) = (consumer(kafka, input), Batch::default());
    let mut producer = producer(kafka, Some(format!("bench-{}", std::process::id())));
    producer.init_transactions(TIMEOUT).expect("initialised");
    producer.begin().expect("begun");
    let (mut copied, mut began) = (0, Instant::now());
    while copied < records {
        batch.clear();
        consumer.poll(&mut batch, BATCH_RECORDS, Duration::from_millis(20)).expect("polled");
        for record in &batch.records {
            let (key, value) = (record.key().expect("a key"), record.value().expect("a value"));
            send(&mut *producer, output, record.slot.0 as i32, key, value, record.offset % 4 == 0);
        }
        copied += batch.records.len() as u64;
        if began.elapsed() >= COMMIT_INTERVAL || copied >= records {
            commits.push(commit(&mut *producer, &*consumer, input));
            began = Instant::now();
        }
    }
    batch.clear();
    consumer.close(TIMEOUT).expect("closed");
    copied
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn commit(producer: &mut dyn Producer, consumer: &dyn Consumer, input: &Arc<str>) -> Duration {
    let began = Instant::now();
    let offsets: Vec<_> = (0..PARTITIONS)
        .map(|partition| {
            (TopicPartition::new(Arc::clone(input), partition), CommittedOffset { offset: 1, metadata: String::new() })
        })
        .collect();
    let metadata = consumer.group_metadata().expect("metadata");
    producer.send_offsets(&offsets, &*metadata, TIMEOUT).expect("offsets sent");
    producer.commit(TIMEOUT).expect("committed");
    let took = began.elapsed();
    assert!(!producer.doubtful());
    producer.begin().expect("begun");
    took
}

/// Commits with little to flush: what a commit itself takes.
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn paced(kafka: &RdKafka, output: &Arc<str>) {
    let consumer = consumer(kafka, output);
    let mut producer = producer(kafka, Some(format!("bench-paced-{}", std::process::id())));
    producer.init_transactions(TIMEOUT).expect("initialised");
    producer.begin().expect("begun");
    let mut took: Vec<Duration> = (0..50)
        .map(|_| {
            for number in 0..200_u64 {
                send(&mut *producer, output, (number % 4) as i32, b"key", value(number).as_bytes(), true);
            }
            std::thread::sleep(Duration::from_millis(100));
            commit(&mut *producer, &*consumer, output)
        })
        .collect();
    took.sort_unstable();
    report(&format!("paced commit   p50 {:.1} ms, p99 {:.1} ms", took[25].as_secs_f64() * 1e3, took[49].as_secs_f64() * 1e3));
}

struct Cost {
    wall: Duration,
    cpu_seconds: f64,
}

impl Cost {
    fn per_million(&self, records: u64) -> String {
        let millions = records as f64 / 1e6;
        format!("{:.2} CPU-s per million, {:.0} records/s", self.cpu_seconds / millions, records as f64 / self.wall.as_secs_f64())
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn measured<R>(work: impl FnOnce() -> R) -> (R, Cost) {
    let (began, cpu) = (Instant::now(), cpu_time());
    let result = work();
    (result, Cost { wall: began.elapsed(), cpu_seconds: cpu_time().saturating_sub(cpu).as_secs_f64() })
}
