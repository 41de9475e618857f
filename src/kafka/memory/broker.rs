//! The broker's side of the embedded cluster: what all clients share, behind one lock, and the waiting for it to change.
//!
//! Every call of a client takes the lock once. What belongs to one subject is in its own file: `topic`, `log`,
//! `transaction`, `group`, `cleaning`.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::MemorySettings;
use super::faults::Faults;
use super::group::Group;
use super::log::{Log, size_bytes};
use super::topic::Topic;
use super::transaction::{Identity, Transactions};
use crate::kafka::{Isolation, KafkaError, KafkaErrorKind, StoredRecord};
use crate::record::{Timestamp, TopicPartition, millis};
use crate::time::Clock;

/// How long a waiting client sleeps at most before it looks at the clock again: sessions and transactions time out.
const LONGEST_NAP: Duration = Duration::from_millis(50);
/// How long a full cluster lets pass before it cleans again for a record that does not fit.
const FULL_CLEANING_PERIOD: Duration = Duration::from_secs(1);

/// A cluster of one broker.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: MemorySettings,
    pub(super) faults: Faults,
    state: Mutex<State>,
    changed: Condvar,
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct State {
    pub(super) topics: BTreeMap<Arc<str>, Topic>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) transactions: Transactions,
    pub(super) topics_created: u64,
    pub(super) members_joined: u64,
    pub(super) used_bytes: usize,
    pub(super) cleaned_at: Timestamp,
    /// How many clients wait for news.
    waiting: Waiting,
}

/// Waiting clients, by what is news to them: an open transaction's records are to some only.
#[derive(Debug, Default)]
struct Waiting {
    committed: usize,
    uncommitted: usize,
}

impl Broker {
    pub(super) fn new(clock: Arc<dyn Clock>, settings: MemorySettings) -> Self {
        let state = State {
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            transactions: Transactions::default(),
            topics_created: 0,
            members_joined: 0,
            used_bytes: 0,
            cleaned_at: clock.now(),
            waiting: Waiting::default(),
        };
        Self { clock, settings, faults: Faults::default(), state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Does something to the cluster as it is now, and wakes who waits.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.lock();
        state.pass_time(now, &self.settings);
        let done = act(&mut state, now);
        let waiting = state.waiting.committed + state.waiting.uncommitted;
        drop(state);
        if waiting > 0 {
            self.changed.notify_all();
        }
        done
    }

    /// Tries until there is an answer or `timeout` is over. On a clock that does not move by itself it tries once.
    pub(super) fn wait_for<T>(
        &self,
        timeout: Duration,
        isolation: Isolation,
        mut attempt: impl FnMut(&mut State, Timestamp) -> Option<T>,
    ) -> Option<T> {
        let mut now = self.clock.now();
        let deadline = now.plus(timeout);
        let mut state = self.lock();
        loop {
            state.pass_time(now, &self.settings);
            if let Some(answer) = attempt(&mut state, now) {
                return Some(answer);
            }
            if now >= deadline || !self.clock.moves_by_itself() {
                return None;
            }
            let nap = Duration::from_millis(deadline.as_millis().abs_diff(now.as_millis())).min(LONGEST_NAP);
            *state.waiting.of(isolation) += 1;
            state = self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0;
            *state.waiting.of(isolation) -= 1;
            now = self.clock.now();
        }
    }

    /// Appends a record, in the transaction of `writer` if there is one. The path of every record: no clock, no scan.
    pub(super) fn append(
        &self,
        writer: Option<Identity>,
        topic: &Arc<str>,
        partition: i32,
        timestamp: Timestamp,
        record: Arc<StoredRecord>,
    ) -> Result<i64, KafkaError> {
        let size = size_bytes(&record);
        let mut guard = self.lock();
        let state = &mut *guard;
        let producer = match writer {
            None => None,
            Some(identity) => Some(state.transactions.open(identity, || self.clock.now())?),
        };
        if state.used_bytes + size > self.settings.max_bytes {
            state.make_room(size, self.clock.now(), &self.settings)?;
        }
        let log = log_to_append(&mut state.topics, topic, partition, (size, record.key.is_none()))?;
        if let Some(producer) = producer
            && !log.is_open(producer)
        {
            state.transactions.enter(producer, TopicPartition::new(Arc::clone(topic), partition));
        }
        let offset = log.append(producer, timestamp, record);
        state.used_bytes += size;
        let waiting = if producer.is_none() { state.waiting.committed } else { 0 } + state.waiting.uncommitted;
        drop(guard);
        if waiting > 0 {
            self.changed.notify_all();
        }
        Ok(offset)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of one client's thread must not take the cluster away from the others.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn of(&mut self, isolation: Isolation) -> &mut usize {
        match isolation {
            Isolation::ReadCommitted => &mut self.committed,
            Isolation::ReadUncommitted => &mut self.uncommitted,
        }
    }
}

impl State {
    /// Does what is due: sessions end, transactions time out, logs are cleaned.
    pub(super) fn pass_time(&mut self, now: Timestamp, settings: &MemorySettings) {
        self.expire_transactions(now, settings.marker_delay);
        for group in self.groups.values_mut() {
            group.expire_members(now, &self.topics);
        }
        if now >= self.cleaned_at.plus(settings.cleaning_interval) {
            self.clean(now);
        }
    }

    /// The topic of that name.
    pub(super) fn topic(&self, name: &str) -> Result<&Topic, KafkaError> {
        self.topics.get(name).ok_or_else(|| unknown(name))
    }

    /// The log of a partition.
    pub(super) fn log(&self, partition: &TopicPartition) -> Result<&Log, KafkaError> {
        self.topic(&partition.topic)?.log(partition.partition).ok_or_else(|| unknown(partition))
    }

    /// The log of a partition, to write.
    pub(super) fn log_mut(&mut self, partition: &TopicPartition) -> Result<&mut Log, KafkaError> {
        let topic = self.topics.get_mut(&partition.topic).ok_or_else(|| unknown(partition))?;
        topic.log_mut(partition.partition).ok_or_else(|| unknown(partition))
    }

    fn make_room(&mut self, size: usize, now: Timestamp, settings: &MemorySettings) -> Result<(), KafkaError> {
        if now.as_millis() - self.cleaned_at.as_millis() >= millis(FULL_CLEANING_PERIOD) {
            self.clean(now);
        }
        if self.used_bytes + size <= settings.max_bytes {
            return Ok(());
        }
        let (used, max) = (self.used_bytes, settings.max_bytes);
        let message = format!("the embedded cluster is full: {used} of max_bytes={max} are used and {size} more are wanted");
        Err(KafkaError::new(KafkaErrorKind::Retriable, message))
    }
}

fn log_to_append<'a>(
    topics: &'a mut BTreeMap<Arc<str>, Topic>,
    name: &Arc<str>,
    partition: i32,
    (size, keyless): (usize, bool),
) -> Result<&'a mut Log, KafkaError> {
    let topic = topics.get_mut(name).ok_or_else(|| unknown(name))?;
    if keyless && topic.needs_keys {
        return Err(KafkaError::new(KafkaErrorKind::RecordRefused, format!("a record without a key for compacted {name}")));
    }
    if size > topic.max_record_bytes {
        let message = format!("a record of {size} bytes is over max.message.bytes={} of {name}", topic.max_record_bytes);
        return Err(KafkaError::new(KafkaErrorKind::RecordRefused, message));
    }
    topic.log_mut(partition).ok_or_else(|| unknown(format_args!("{name}-{partition}")))
}

pub(super) fn unknown(what: impl std::fmt::Display) -> KafkaError {
    KafkaError::new(KafkaErrorKind::UnknownTopic, format!("unknown topic or partition {what}"))
}
