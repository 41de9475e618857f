//! What the cases share: clients with sensible settings, and waiting with a deadline. A real cluster answers when it likes,
//! so no case depends on how long anything takes, only on what comes in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use highwater::kafka::{
    Admin, Batch, CommittedOffset, Consumer, ConsumerSettings, FetchedRecord, Isolation, Kafka, KafkaError, NewTopic,
    OFFSET_BEGINNING, Outgoing, Producer, ProducerSettings, Reader, ReaderSettings, Rebalance,
};
use highwater::time::{Clock, SystemClock};
use highwater::{Headers, Timestamp, TopicPartition};

/// How long a call may take.
pub(crate) const CALL: Duration = Duration::from_secs(30);
/// How long anything may take to come true.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);
/// Within the retention of any topic, whenever the test runs.
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// Calls `step` until it gives an answer, and fails the test when that takes too long.
pub(crate) fn eventually<T>(what: &str, mut step: impl FnMut() -> Option<T>) -> T {
    let deadline = SystemClock.now().plus(PATIENCE);
    loop {
        if let Some(answer) = step() {
            return answer;
        }
        assert!(SystemClock.now() < deadline, "not within {PATIENCE:?}: {what}");
    }
}

/// A recent time, in whole milliseconds as Kafka keeps it.
pub(crate) fn a_minute_ago() -> Timestamp {
    SystemClock.now().minus(MINUTE)
}

pub(crate) fn admin(kafka: &dyn Kafka) -> Box<dyn Admin> {
    kafka.admin().unwrap()
}

pub(crate) fn new_topic(name: &str, partitions: i32, config: &[(&str, &str)]) -> NewTopic {
    let config = config.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    NewTopic { name: name.to_owned(), partitions, replication_factor: 1, config }
}

/// Creates a topic and waits until the cluster knows it.
pub(crate) fn create(kafka: &dyn Kafka, name: &str, partitions: i32, config: &[(&str, &str)]) -> Arc<str> {
    let mut admin = admin(kafka);
    admin.create_topics(&[new_topic(name, partitions, config)], CALL).unwrap();
    eventually("the topic is known", || admin.describe_topics(&[name], CALL).unwrap().remove(0));
    Arc::from(name)
}

pub(crate) fn producer(kafka: &dyn Kafka, transactional_id: Option<&str>) -> Box<dyn Producer> {
    let settings = ProducerSettings {
        transactional_id: transactional_id.map(str::to_owned),
        client_id: "producer".into(),
        transaction_timeout: MINUTE,
        linger: Duration::from_millis(1),
        queue_max_bytes: 16 << 20,
    };
    kafka.producer(&settings).unwrap()
}

/// A transactional producer that is ready to begin.
pub(crate) fn transactional(kafka: &dyn Kafka, id: &str) -> Box<dyn Producer> {
    let mut producer = producer(kafka, Some(id));
    producer.init_transactions(CALL).unwrap();
    producer
}

/// A text record with a value and the key `k`.
pub(crate) fn send(producer: &mut dyn Producer, topic: &Arc<str>, partition: i32, value: &str) -> Result<(), KafkaError> {
    let headers = Headers::new();
    let timestamp = SystemClock.now();
    let (key, value) = (Some(b"k".as_slice()), Some(value.as_bytes()));
    producer.send(&Outgoing { topic, partition, key, value, timestamp, headers: &headers, track: true }, CALL)
}

/// A transaction that writes these values to partition 0 and commits.
pub(crate) fn commit_values(producer: &mut dyn Producer, topic: &Arc<str>, values: &[&str]) {
    producer.begin().unwrap();
    for value in values {
        send(producer, topic, 0, value).unwrap();
    }
    producer.commit(CALL).unwrap();
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: TopicPartition,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Headers,
}

impl Seen {
    fn new(partition: &TopicPartition, record: &FetchedRecord) -> Self {
        Self {
            partition: partition.clone(),
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record.headers(),
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap_or_default()).unwrap()
    }
}

/// Values as text.
pub(crate) fn texts(records: &[Seen]) -> Vec<&str> {
    records.iter().map(Seen::text).collect()
}

/// A reader of partition 0 of a topic, from its beginning.
pub(crate) struct Reading {
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) records: Vec<Seen>,
    pub(crate) ends: Vec<i64>,
    pub(crate) partition: TopicPartition,
}

impl Reading {
    pub(crate) fn of(kafka: &dyn Kafka, topic: &Arc<str>, isolation: Isolation) -> Self {
        let settings = ReaderSettings { client_id: "reader".into(), queue_max_bytes: 16 << 20, isolation };
        let partition = TopicPartition::new(Arc::clone(topic), 0);
        let mut reader = kafka.reader(&settings).unwrap();
        reader.assign(&[(partition.clone(), OFFSET_BEGINNING)]).unwrap();
        Self { reader, records: Vec::new(), ends: Vec::new(), partition }
    }

    pub(crate) fn poll(&mut self) -> Result<(), KafkaError> {
        let mut batch = Batch::default();
        let polled = self.reader.poll(&mut batch, 1000, POLL);
        let slot = self.reader.slot(&self.partition);
        assert!(batch.records.iter().all(|record| record.slot == slot), "only what was assigned");
        self.records.extend(batch.records.iter().map(|record| Seen::new(&self.partition, record)));
        self.ends.extend(batch.ends.iter().map(|&(_, end)| end));
        polled
    }

    /// Reads until the end of the partition is reported at this offset.
    pub(crate) fn up_to(mut self, end: i64) -> Self {
        eventually(&format!("the end of {} at {end}", self.partition), || {
            self.poll().unwrap();
            (self.ends.last() == Some(&end)).then_some(())
        });
        self
    }

    /// Reads until this many records have come.
    pub(crate) fn at_least(mut self, records: usize) -> Self {
        eventually(&format!("{records} records of {}", self.partition), || {
            self.poll().unwrap();
            (self.records.len() >= records).then_some(())
        });
        self
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        texts(&self.records)
    }
}

/// A group member that answers rebalances at once, each lead partition with its co-partition if there is a second topic.
pub(crate) struct Member {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) owned: BTreeSet<i32>,
    pub(crate) records: Vec<Seen>,
    pub(crate) ends: BTreeMap<TopicPartition, i64>,
    pub(crate) rebalances: Vec<Rebalance>,
    topics: Vec<Arc<str>>,
    known: Vec<TopicPartition>,
}

impl Member {
    /// Joins a group for the first of these topics; the others come along partition by partition.
    pub(crate) fn join(kafka: &dyn Kafka, group: &str, name: &str, instance: Option<&str>, topics: &[&Arc<str>]) -> Self {
        let settings = ConsumerSettings {
            group_id: group.into(),
            instance_id: instance.map(str::to_owned),
            client_id: name.into(),
            queue_max_bytes: 16 << 20,
            session_timeout: Duration::from_secs(10),
            isolation: Isolation::ReadCommitted,
        };
        let mut consumer = kafka.consumer(&settings).unwrap();
        consumer.subscribe(&[Arc::clone(topics[0])]).unwrap();
        Self {
            consumer,
            owned: BTreeSet::new(),
            records: Vec::new(),
            ends: BTreeMap::new(),
            rebalances: Vec::new(),
            topics: topics.iter().map(|&topic| Arc::clone(topic)).collect(),
            known: Vec::new(),
        }
    }

    /// Polls once and answers what the group decided.
    pub(crate) fn poll(&mut self) -> Result<(), KafkaError> {
        let mut batch = Batch::default();
        let polled = self.consumer.poll(&mut batch, 1000, POLL);
        for record in &batch.records {
            let consumer = &mut self.consumer;
            let partition = self.known.iter().find(|partition| consumer.slot(partition) == record.slot).unwrap();
            self.records.push(Seen::new(partition, record));
        }
        for &(slot, end) in &batch.ends {
            let consumer = &mut self.consumer;
            let partition = self.known.iter().find(|partition| consumer.slot(partition) == slot).unwrap();
            self.ends.insert(partition.clone(), end);
        }
        for event in batch.rebalances.drain(..) {
            self.answer(&event);
            self.rebalances.push(event);
        }
        polled
    }

    /// Polls once, and leaves what the group decided to the caller.
    pub(crate) fn poll_without_answer(&mut self) -> Result<Batch, KafkaError> {
        let mut batch = Batch::default();
        self.consumer.poll(&mut batch, 1000, POLL)?;
        Ok(batch)
    }

    /// Polls all until each owns as many partitions as wanted.
    pub(crate) fn settle(members: &mut [&mut Self], wanted: &[usize]) {
        eventually(&format!("members own {wanted:?}"), || {
            for member in &mut *members {
                member.poll().unwrap();
            }
            members.iter().map(|member| member.owned.len()).eq(wanted.iter().copied()).then_some(())
        });
    }

    pub(crate) fn metadata(&self) -> Box<dyn highwater::kafka::GroupMetadata> {
        self.consumer.group_metadata().unwrap()
    }

    fn answer(&mut self, event: &Rebalance) {
        match event {
            Rebalance::Assign(partitions) => {
                let all = self.with_co_partitions(partitions);
                let from: Vec<_> = all.iter().map(|partition| (partition.clone(), OFFSET_BEGINNING)).collect();
                self.consumer.incremental_assign(&from).unwrap();
                self.owned.extend(partitions.iter().map(|partition| partition.partition));
                self.known.extend(all);
            }
            Rebalance::Revoke(partitions) | Rebalance::Lost(partitions) => {
                let all = self.with_co_partitions(partitions);
                self.consumer.incremental_unassign(&all).unwrap();
                self.owned.retain(|owned| partitions.iter().all(|partition| partition.partition != *owned));
            }
        }
    }

    fn with_co_partitions(&self, lead: &[TopicPartition]) -> Vec<TopicPartition> {
        let all = lead
            .iter()
            .flat_map(|partition| self.topics.iter().map(|topic| TopicPartition::new(Arc::clone(topic), partition.partition)));
        all.collect()
    }
}

/// A position with metadata.
pub(crate) fn at(topic: &Arc<str>, partition: i32, offset: i64) -> (TopicPartition, CommittedOffset) {
    (TopicPartition::new(Arc::clone(topic), partition), CommittedOffset { offset, metadata: "m".into() })
}

/// A group's position in partition 0.
pub(crate) fn position(kafka: &dyn Kafka, group: &str, topic: &Arc<str>) -> Option<i64> {
    let partition = TopicPartition::new(Arc::clone(topic), 0);
    let offsets = admin(kafka).group_offsets(group, &[partition], CALL).unwrap();
    offsets[0].as_ref().map(|committed| committed.offset)
}
