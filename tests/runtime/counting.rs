//! Numbers the records of each key, and checks that no number is missing or given twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use highwater::kafka::{
    Admin, Batch, FetchedRecord, Isolation, Kafka, NewTopic, OFFSET_BEGINNING, Outgoing, ProducerSettings, ReaderSettings,
    partition_for_key,
};
use highwater::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, StoreRef, TaskContext};
use highwater::runtime::until_end::{Progress, UntilEnd};
use highwater::runtime::{KafkaStreams, Settings};
use highwater::{Headers, Record, StreamsBuilder, Timestamp, TopicPartition, Topology};

const PARTITIONS: i32 = 4;
const KEYS: usize = 97;
const RECORDS: usize = 20_000;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Numbers the records of each key.
struct Numbering(KvHandle<String, u64>);
struct Numberer(KvStore<String, u64>);

impl ProcessorSupplier<String, String> for Numbering {
    type Processor = Numberer;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> Numberer {
        Numberer(task.open(&self.0))
    }
}

impl Processor<String, String> for Numberer {
    type KeyOut = String;
    type ValueOut = u64;

    fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, u64>) -> Result<(), ProcessError> {
        let number = self.0.get(cx, &record.key)?.unwrap_or(0) + 1;
        self.0.put(cx, &record.key, &number)?;
        let Record { key, timestamp, headers, .. } = record;
        cx.forward(Record { key, value: number, timestamp, headers })
    }
}

fn topology(unique: &str) -> Topology {
    let builder = StreamsBuilder::new("numbering");
    let numbers = builder.key_value_store::<String, u64>("numbers");
    builder
        .stream::<String, String>(&*format!("{unique}-in"))
        .map(|_, value| (value.split('/').next().unwrap_or_default().to_owned(), value))
        .repartition("by_word")
        .process("number", Numbering(numbers))
        .to(&*format!("{unique}-out"));
    builder.build().expect("the topology is right")
}

/// Starts, crashes and restarts an application while it works; what is committed at the end is exact.
pub(crate) fn counts_are_exact_through_crashes_and_restarts(kafka: &Arc<dyn Kafka>, unique: &str) {
    let topology = topology(unique);
    create(&mut *kafka.admin().expect("an admin client"), &[&format!("{unique}-in"), &format!("{unique}-out")]);
    produce(&**kafka, &format!("{unique}-in"));
    let state = tempfile::tempdir().expect("a temporary directory can be made");
    let settings = Settings {
        threads: 2,
        internal_partitions: PARTITIONS,
        replication_factor: 1,
        commit_interval: Duration::from_millis(20),
        ..Settings::new(format!("{unique}-app"), state.path())
    };
    let mut end = UntilEnd::new(&**kafka, &[(&topology, &settings)]).expect("the inputs have ends");
    for crash_after_commits in [1, 3, 6] {
        let running = KafkaStreams::new(topology.clone(), settings.clone(), Arc::clone(kafka)).start().expect("it starts");
        wait(|| running.status().commits >= crash_after_commits || end.poll().expect("positions can be read") == Progress::Done);
        running.crash();
    }
    let running = KafkaStreams::new(topology, settings, Arc::clone(kafka)).start().expect("it starts");
    wait(|| end.poll().expect("positions can be read") == Progress::Done);
    running.shutdown(TIMEOUT).expect("it leaves in order");
    check(&read(&**kafka, &format!("{unique}-out")));
}

fn wait(mut until: impl FnMut() -> bool) {
    const ATTEMPTS: usize = 3_000;
    for _ in 0..ATTEMPTS {
        if until() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("it did not come to pass within a minute");
}

fn create(admin: &mut dyn Admin, names: &[&str]) {
    let topic = |name: &&str| NewTopic {
        name: (*name).to_owned(),
        partitions: PARTITIONS,
        replication_factor: 1,
        config: BTreeMap::new(),
    };
    admin.create_topics(&names.iter().map(topic).collect::<Vec<_>>(), TIMEOUT).expect("topics can be created");
}

fn produce(kafka: &dyn Kafka, topic: &str) {
    let settings = ProducerSettings {
        transactional_id: None,
        client_id: "test".to_owned(),
        transaction_timeout: TIMEOUT,
        linger: Duration::from_millis(5),
        queue_max_bytes: 1 << 24,
    };
    let mut producer = kafka.producer(&settings).expect("a producer");
    let topic: Arc<str> = Arc::from(topic);
    for number in 0..RECORDS {
        let key = format!("k{number}");
        let value = format!("w{}/{number}", number % KEYS);
        let outgoing = Outgoing {
            topic: &topic,
            partition: partition_for_key(key.as_bytes(), PARTITIONS),
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            timestamp: Timestamp::from_millis(1_000 + number as i64),
            headers: &Headers::new(),
            track: false,
        };
        producer.send(&outgoing, TIMEOUT).expect("the record is accepted");
    }
    producer.flush(TIMEOUT).expect("the records are acknowledged");
}

fn read(kafka: &dyn Kafka, topic: &str) -> Vec<(String, u64)> {
    let settings = ReaderSettings { client_id: "test".to_owned(), queue_max_bytes: 1 << 24, isolation: Isolation::ReadCommitted };
    let mut reader = kafka.reader(&settings).expect("a reader");
    let partitions: Vec<_> = (0..PARTITIONS).map(|partition| TopicPartition::new(topic, partition)).collect();
    let starts: Vec<_> = partitions.iter().map(|partition| (partition.clone(), OFFSET_BEGINNING)).collect();
    reader.assign(&starts).expect("partitions can be assigned");
    let mut ended = std::collections::BTreeSet::new();
    let mut records = Vec::new();
    wait(|| {
        let mut batch = Batch::default();
        reader.poll(&mut batch, 10_000, Duration::from_millis(50)).expect("records can be read");
        ended.extend(batch.ends.iter().map(|(slot, _)| *slot));
        records.extend(batch.records.iter().map(decode));
        ended.len() == partitions.len()
    });
    records
}

fn decode(record: &FetchedRecord) -> (String, u64) {
    let key = String::from_utf8(record.key().expect("it has a key").to_vec()).expect("its key is text");
    let value = record.value().expect("it has a value").try_into().expect("its value is a number");
    (key, u64::from_be_bytes(value))
}

fn check(numbers: &[(String, u64)]) {
    let mut by_key: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (key, number) in numbers {
        by_key.entry(key).or_default().push(*number);
    }
    assert_eq!(by_key.len(), KEYS);
    for (key, numbers) in by_key {
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "the numbers of {key} are consecutive, in order, none twice");
    }
    assert_eq!(numbers.len(), RECORDS, "each record has its number");
}
