//! The ports to Kafka: what the engine asks of a cluster, as synchronous traits.
//!
//! Two adapters stand behind them: `rdkafka` (a real cluster) and `memory` (an embedded cluster with transactions, groups
//! and faults, for tests and the demo). One conformance suite runs against both. Nothing here processes a record.
//!
//! **Who calls what.** A stream thread owns one [`Consumer`] and one [`Producer`] and is their only caller; a restore
//! owns a [`Reader`]; start-up and tools use an [`Admin`]. Rebalances come out of [`Consumer::poll`] as events; the
//! thread answers each with `incremental_assign` or `incremental_unassign` before it polls again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Headers, Timestamp, TopicPartition};

mod error;
mod fetched;
pub mod memory;
mod partitioner;
pub mod rdkafka;
mod receipt;

pub use error::{KafkaError, KafkaErrorKind};
pub use fetched::{Batch, FetchedRecord, Payload, StoredRecord};
pub use partitioner::{murmur2, partition_for_key};
pub use receipt::Receipt;

/// Offset of the first record of a partition, whatever it is.
pub const OFFSET_BEGINNING: i64 = -2;
/// Offset behind the last record of a partition, whatever it is.
pub const OFFSET_END: i64 = -1;

/// A cluster: makes clients.
pub trait Kafka: fmt::Debug + Send + Sync {
    /// A group member.
    fn consumer(&self, settings: &ConsumerSettings) -> Result<Box<dyn Consumer>, KafkaError>;
    /// A reader of given partitions, in no group.
    fn reader(&self, settings: &ReaderSettings) -> Result<Box<dyn Reader>, KafkaError>;
    /// A producer; transactional if the settings name a transactional id.
    fn producer(&self, settings: &ProducerSettings) -> Result<Box<dyn Producer>, KafkaError>;
    /// A producer without transactions that many threads share.
    fn sender(&self, settings: &SenderSettings) -> Result<Box<dyn Sender>, KafkaError>;
    /// An administrator's client.
    fn admin(&self) -> Result<Box<dyn Admin>, KafkaError>;
}

/// What a group member needs to know.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// The group.
    pub group_id: String,
    /// A stable member name (static membership); `None` makes a dynamic member.
    pub instance_id: Option<String>,
    /// Name in broker logs.
    pub client_id: String,
    /// Bound of the client's prefetch queue, in bytes.
    pub queue_max_bytes: usize,
    /// How long a member may be silent before its partitions move.
    pub session_timeout: Duration,
    /// Whether to see only committed records (exactly-once) or all.
    pub isolation: Isolation,
}

/// What a reader needs to know.
#[derive(Clone, Debug)]
pub struct ReaderSettings {
    /// Name in broker logs.
    pub client_id: String,
    /// Bound of the client's prefetch queue, in bytes.
    pub queue_max_bytes: usize,
    /// Which records it sees.
    pub isolation: Isolation,
}

/// What a producer needs to know.
#[derive(Clone, Debug)]
pub struct ProducerSettings {
    /// Stable across restarts, one per living thread; `None`: an idempotent producer without transactions.
    pub transactional_id: Option<String>,
    /// Name in broker logs.
    pub client_id: String,
    /// How long the broker lets a silent transaction live.
    pub transaction_timeout: Duration,
    /// How long records may wait for company.
    pub linger: Duration,
    /// Bound of the send queue, in bytes.
    pub queue_max_bytes: usize,
}

/// What a sender needs to know.
#[derive(Clone, Debug)]
pub struct SenderSettings {
    /// Name in broker logs.
    pub client_id: String,
    /// All topics that it will send to.
    pub topics: Vec<Arc<str>>,
    /// How long records may wait for company.
    pub linger: Duration,
    /// How long a record may wait to be acknowledged, from `send` on, before it is given up.
    pub delivery_timeout: Duration,
    /// Bound of the send queue, in bytes.
    pub queue_max_bytes: usize,
}

/// Which records a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Records of committed transactions, and of none.
    ReadCommitted,
    /// Everything in the log.
    ReadUncommitted,
}

/// A number that stands for a partition within one client, so that the record path needs no names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What the group decided, told by [`Consumer::poll`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebalance {
    /// These partitions of subscribed topics are ours now: answer with [`Consumer::incremental_assign`].
    Assign(Vec<TopicPartition>),
    /// These are to be given back: commit, close, then answer with [`Consumer::incremental_unassign`].
    Revoke(Vec<TopicPartition>),
    /// These are somebody else's already: close without a commit, then answer with [`Consumer::incremental_unassign`].
    Lost(Vec<TopicPartition>),
}

/// A committed position of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// What the committer wrote beside it.
    pub metadata: String,
}

/// A member of a group, as the group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// What its client calls itself.
    pub client_id: String,
    /// The partitions of subscribed topics that it has.
    pub partitions: Vec<TopicPartition>,
}

/// A group's member at a generation, sent with offsets so that a zombie's are refused. Opaque.
pub trait GroupMetadata: fmt::Debug + Send {
    /// For the adapter that made it.
    fn as_any(&self) -> &dyn std::any::Any;
}

/// A member of a consumer group: the input of one stream thread.
pub trait Consumer: Send {
    /// Joins the group for these topics (the lead topics).
    fn subscribe(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError>;

    /// Gives up the membership, a static one too, and joins for these topics as a new member, so that the group shares out all
    /// partitions anew. What this member has is told as revoked or lost first.
    fn rejoin(&mut self, topics: &[Arc<str>]) -> Result<(), KafkaError>;

    /// Appends what has arrived to `batch`, at most `max_records` records; waits at most `wait` for the first.
    ///
    /// Rebalances and ends of partitions are reported in the batch, in order. Records of partitions that are
    /// no longer assigned may still come once; the caller drops them by its own positions.
    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError>;

    /// Adds partitions, each from an offset on (or `OFFSET_BEGINNING`, `OFFSET_END`). Also partitions of topics that
    /// the group does not subscribe to. An empty list answers an empty assignment.
    fn incremental_assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError>;
    /// Removes partitions.
    fn incremental_unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError>;
    /// Stops fetching these until resumed.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError>;
    /// Fetches these again.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError>;
    /// Continues an assigned partition at another offset; what was prefetched is dropped.
    fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), KafkaError>;

    /// The number that stands for this partition in batches of this consumer, for as long as it lives.
    fn slot(&mut self, partition: &TopicPartition) -> Slot;

    /// The group's committed positions. **Stable**: waits, at most `timeout`, until no pending transaction can change them.
    fn committed(&mut self, partitions: &[TopicPartition], timeout: Duration)
    -> Result<Vec<Option<CommittedOffset>>, KafkaError>;
    /// Commits outside a transaction (at-least-once), and waits for the answer.
    fn commit(&mut self, offsets: &[(TopicPartition, CommittedOffset)], timeout: Duration) -> Result<(), KafkaError>;
    /// This member at its current generation; fetch it right before each use.
    fn group_metadata(&self) -> Result<Box<dyn GroupMetadata>, KafkaError>;

    /// Leaves the group (a static member stays known until its session ends) and closes, within `timeout`.
    fn close(self: Box<Self>, timeout: Duration) -> Result<(), KafkaError>;
}

/// A reader of given partitions, in no group: restores, `tail`, `--until-end`.
pub trait Reader: Send {
    /// Reads exactly these from now on, each from an offset.
    fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError>;
    /// As [`Consumer::poll`]; never reports a rebalance.
    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError>;
    /// The number that stands for this partition in batches of this reader.
    fn slot(&mut self, partition: &TopicPartition) -> Slot;
    /// First offsets still in the log, and the offsets behind the last record. `ReadUncommitted`: the log's end;
    /// `ReadCommitted`: the last stable offset.
    fn watermarks(
        &mut self,
        partition: &TopicPartition,
        isolation: Isolation,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError>;
}

/// A record on its way out. Borrowed: the adapter copies what it keeps.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The topic.
    pub topic: &'a Arc<str>,
    /// The partition; always chosen by the engine.
    pub partition: i32,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The record's time.
    pub timestamp: Timestamp,
    /// Its headers.
    pub headers: &'a Headers,
    /// Whether its acknowledged offset is wanted (changelogs): see [`Producer::acknowledged`].
    pub track: bool,
}

/// A producer, transactional or not.
///
/// Call order of a transaction: `begin`, any `send`, `send_offsets`, `commit` (or `abort`).
pub trait Producer: Send {
    /// Fences older producers of this transactional id, aborts or completes what they left open.
    fn init_transactions(&mut self, timeout: Duration) -> Result<(), KafkaError>;
    /// Opens a transaction.
    fn begin(&mut self) -> Result<(), KafkaError>;
    /// Queues a record. Waits while the queue is full, at most `timeout`.
    fn send(&mut self, record: &Outgoing<'_>, timeout: Duration) -> Result<(), KafkaError>;
    /// Waits until all queued records are acknowledged and reports the first one that failed.
    fn flush(&mut self, timeout: Duration) -> Result<(), KafkaError>;
    /// Adds the group's positions to the transaction.
    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &dyn GroupMetadata,
        timeout: Duration,
    ) -> Result<(), KafkaError>;
    /// Commits. `Ok` means that the client believes so; ask [`Producer::doubtful`] before building on it.
    fn commit(&mut self, timeout: Duration) -> Result<(), KafkaError>;
    /// Aborts.
    fn abort(&mut self, timeout: Duration) -> Result<(), KafkaError>;
    /// Whether a coordinator request of this transaction was sent twice or went unanswered, so that its outcome must be
    /// learnt from the log and this producer replaced. Never a guess: an adapter that cannot know says `true`.
    fn doubtful(&self) -> bool;
    /// The position behind the last acknowledged record that was sent with `track` to this partition, if one was
    /// acknowledged since [`Producer::begin`]. A lower bound.
    fn acknowledged(&self, topic: &Arc<str>, partition: i32) -> Option<i64>;
}

/// An idempotent producer without transactions, shared by threads: what takes records from outside, and may say "I have it" only
/// when all in-sync replicas have.
///
/// One thread calls [`Sender::serve`] again and again; that is where receipts are told.
///
/// ```
/// use std::sync::{Arc, mpsc::channel};
/// use std::time::Duration;
/// use highwater::kafka::memory::{MemoryCluster, MemorySettings};
/// use highwater::kafka::{Kafka, Outgoing, Receipt, SenderSettings};
/// use highwater::time::VirtualClock;
/// use highwater::{Headers, Timestamp};
///
/// let cluster = MemoryCluster::new(Arc::new(VirtualClock::default()), MemorySettings::default());
/// cluster.create_topic("clicks", 1)?;
/// let clicks: Arc<str> = Arc::from("clicks");
/// let sender = cluster.sender(&SenderSettings {
///     client_id: "door".to_owned(),
///     topics: vec![Arc::clone(&clicks)],
///     linger: Duration::from_millis(5),
///     delivery_timeout: Duration::from_secs(8),
///     queue_max_bytes: 1 << 20,
/// })?;
/// let (told, news) = channel();
/// let receipt = Receipt::new(move |outcome| drop(told.send(outcome)));
/// let headers = Headers::new();
/// let (key, value, timestamp) = (Some(b"ada".as_slice()), Some(b"home".as_slice()), Timestamp::from_millis(5));
/// sender.send(&Outgoing { topic: &clicks, partition: 0, key, value, timestamp, headers: &headers, track: false }, &receipt)?;
/// receipt.close();
/// sender.serve(Duration::ZERO);
/// assert_eq!(news.recv().unwrap(), Ok(()));
/// # Ok::<(), highwater::kafka::KafkaError>(())
/// ```
pub trait Sender: fmt::Debug + Send + Sync {
    /// Queues a record, and never waits. If it is taken, the receipt is told once what became of it; if not, never. A queue that is
    /// full is [`KafkaErrorKind::Retriable`]. `track` says nothing here.
    fn send(&self, record: &Outgoing<'_>, receipt: &Arc<Receipt>) -> Result<(), KafkaError>;
    /// Tells receipts; waits at most `wait` for the first news.
    fn serve(&self, wait: Duration);
    /// Sends what is queued without waiting for company, and waits until nothing is under way.
    fn flush(&self, timeout: Duration) -> Result<(), KafkaError>;
    /// Why this sender takes nothing any more and has to be replaced, if so.
    fn failure(&self) -> Option<KafkaError>;
}

/// A topic as a cluster describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: Arc<str>,
    /// Its identity; another one under the same name is another topic.
    pub id: [u8; 16],
    /// How many partitions.
    pub partitions: i32,
    /// Copies of each partition.
    pub replication_factor: i32,
}

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Copies of each partition; -1 is the broker's default.
    pub replication_factor: i32,
    /// Settings beside the broker's defaults, by Kafka's names.
    pub config: BTreeMap<String, String>,
}

/// Which offset to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The log's start.
    Earliest,
    /// Behind the log's last record, as seen by this isolation.
    Latest(Isolation),
    /// Of the first record with this timestamp or a later one; the log's end if there is none.
    At(Timestamp),
}

/// An administrator's client: start-up checks, internal topics, tools.
pub trait Admin: Send {
    /// These topics' descriptions, in order; `None` for one that does not exist.
    fn describe_topics(&mut self, names: &[&str], timeout: Duration) -> Result<Vec<Option<TopicDescription>>, KafkaError>;
    /// The settings of a topic in force (defaults included), by Kafka's names.
    fn topic_config(&mut self, name: &str, timeout: Duration) -> Result<BTreeMap<String, String>, KafkaError>;
    /// Creates topics; one that exists already is no error.
    fn create_topics(&mut self, topics: &[NewTopic], timeout: Duration) -> Result<(), KafkaError>;
    /// Sets (not replaces) settings of a topic.
    fn alter_topic_config(&mut self, name: &str, config: &BTreeMap<String, String>, timeout: Duration) -> Result<(), KafkaError>;
    /// Deletes topics; one that does not exist is no error.
    fn delete_topics(&mut self, names: &[&str], timeout: Duration) -> Result<(), KafkaError>;
    /// Trims partitions: records before the offset go.
    fn delete_records(&mut self, before: &[(TopicPartition, i64)], timeout: Duration) -> Result<(), KafkaError>;
    /// Looks offsets up.
    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        timeout: Duration,
    ) -> Result<Vec<i64>, KafkaError>;
    /// Committed positions of a group as they are now; what pending transactions may still change does not count.
    fn group_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<CommittedOffset>>, KafkaError>;
    /// Sets positions of a group that has no members.
    fn alter_group_offsets(
        &mut self,
        group: &str,
        offsets: &[(TopicPartition, CommittedOffset)],
        timeout: Duration,
    ) -> Result<(), KafkaError>;
    /// How many members a group has, static ones that are away included; 0 if there is no such group.
    fn group_members(&mut self, group: &str, timeout: Duration) -> Result<usize, KafkaError>;
    /// The members of a group and what each has; `None` while the group is empty or not settled.
    fn group_assignment(&mut self, group: &str, timeout: Duration) -> Result<Option<Vec<GroupMember>>, KafkaError>;
    /// How many brokers answer.
    fn brokers(&mut self, timeout: Duration) -> Result<usize, KafkaError>;
}
