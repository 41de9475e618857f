//! A producer of the embedded cluster: the client's side of transactions. What the coordinator does is `transaction`.
//!
//! Records reach the log at once, as those of an open transaction; refused ones are reported by the next flush and spoil
//! the transaction. A transaction that wrote nothing is ended without a word to the coordinator, as the C client does it,
//! so nothing fences it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::broker::Broker;
use super::faults::Call;
use super::gate::{Gate, Twist};
use super::group::{Commit, MemberAt};
use super::transaction::{Identity, Outcome};
use crate::kafka::{
    CommittedOffset, GroupMetadata, KafkaError, KafkaErrorKind, Outgoing, Producer, ProducerSettings, StoredRecord,
};
use crate::record::TopicPartition;

#[derive(Debug)]
pub(super) struct MemoryProducer {
    broker: Arc<Broker>,
    gate: Gate,
    settings: ProducerSettings,
    identity: Option<Identity>,
    stage: Stage,
    /// Whether the coordinator knows of the transaction.
    touched: bool,
    /// The first record that was refused since the last flush.
    failed: Option<KafkaError>,
    acknowledged: BTreeMap<Arc<str>, BTreeMap<i32, i64>>,
    doubtful: bool,
}

/// What the client believes.
#[derive(Debug)]
enum Stage {
    Idle,
    Open,
    /// Only an abort is allowed, for this reason.
    Spoilt(KafkaError),
}

impl MemoryProducer {
    pub(super) fn new(broker: Arc<Broker>, settings: &ProducerSettings) -> Self {
        let gate = broker.faults.gate(&settings.client_id, Arc::clone(&broker.clock));
        Self {
            broker,
            gate,
            settings: settings.clone(),
            identity: None,
            stage: Stage::Idle,
            touched: false,
            failed: None,
            acknowledged: BTreeMap::new(),
            doubtful: false,
        }
    }

    /// The writer of the open transaction; `None` without transactions.
    fn writer(&self) -> Result<Option<Identity>, KafkaError> {
        if self.settings.transactional_id.is_none() {
            return Ok(None);
        }
        match &self.stage {
            Stage::Open => Ok(self.identity),
            Stage::Idle => Err(misuse("no transaction is open")),
            Stage::Spoilt(reason) => Err(KafkaError::new(KafkaErrorKind::Abortable, format!("abort first: {reason}"))),
        }
    }

    fn transaction(&self) -> Result<Identity, KafkaError> {
        self.writer()?.ok_or_else(no_transactions)
    }

    /// Runs a request to the coordinator: one whose answer is lost leaves doubt.
    fn coordinate(
        &mut self,
        call: Call,
        act: impl FnOnce(&mut Self, Option<Twist>) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        let twist = self.gate.enter(call).inspect_err(|error| self.doubtful |= error.kind == KafkaErrorKind::Timeout)?;
        let result = act(self, twist);
        self.doubtful |= twist.is_some();
        self.gate.leave(call, twist, result)
    }

    /// Asks the coordinator for an end, as the fault wants it.
    fn request_end(&self, outcome: Outcome, twist: Option<Twist>) -> Result<(), KafkaError> {
        let writer = self.identity.ok_or_else(no_transactions)?;
        self.broker.change(|state, now| match twist {
            Some(Twist::Prepared) => state.prepare_transaction(writer, outcome, now),
            Some(Twist::HalfMarked) => {
                state.prepare_transaction(writer, outcome, now)?;
                state.finish_offsets(writer.producer);
                Ok(())
            }
            Some(Twist::HeldCopy) => {
                state.transactions.hold(writer, outcome);
                state.end_transaction(writer, outcome, now)
            }
            None | Some(Twist::Fail(_) | Twist::Doubtful | Twist::Crash) => state.end_transaction(writer, outcome, now),
        })
    }

    /// What the client believes after an end was answered; a lost answer leaves it where it was.
    fn ended(&mut self, twist: Option<Twist>) {
        if matches!(twist, None | Some(Twist::Doubtful | Twist::HeldCopy)) {
            self.stage = Stage::Idle;
        }
    }

    fn deliver(&mut self, writer: Option<Identity>, outgoing: &Outgoing<'_>) -> Result<(), KafkaError> {
        let record = StoredRecord {
            key: outgoing.key.map(Bytes::copy_from_slice),
            value: outgoing.value.map(Bytes::copy_from_slice),
            headers: outgoing.headers.clone(),
        };
        let (topic, partition) = (outgoing.topic, outgoing.partition);
        self.touched |= writer.is_some();
        match self.broker.append(writer, topic, partition, outgoing.timestamp, Arc::new(record)) {
            Ok(offset) if outgoing.track => self.acknowledge(topic, partition, offset + 1),
            Ok(_) => {}
            // A broker refuses a record after it was sent: the answer comes with the flush.
            Err(refused) if matches!(refused.kind, KafkaErrorKind::RecordRefused | KafkaErrorKind::UnknownTopic) => {
                if writer.is_some() {
                    self.stage = Stage::Spoilt(refused.clone());
                }
                self.failed.get_or_insert(refused);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn acknowledge(&mut self, topic: &Arc<str>, partition: i32, position: i64) {
        match self.acknowledged.get_mut(topic) {
            Some(partitions) => _ = partitions.insert(partition, position),
            None => _ = self.acknowledged.insert(Arc::clone(topic), BTreeMap::from([(partition, position)])),
        }
    }
}

impl Producer for MemoryProducer {
    fn init_transactions(&mut self, _timeout: Duration) -> Result<(), KafkaError> {
        self.coordinate(Call::Init, |this, _| {
            let id = this.settings.transactional_id.as_deref().ok_or_else(no_transactions)?;
            let timeout = this.settings.transaction_timeout;
            this.identity = Some(this.broker.change(|state, now| state.init_producer(id, timeout, now)));
            this.stage = Stage::Idle;
            this.doubtful = false;
            Ok(())
        })
    }

    fn begin(&mut self) -> Result<(), KafkaError> {
        let twist = self.gate.enter(Call::Begin)?;
        if self.identity.is_none() {
            return Err(misuse("begin before init_transactions"));
        }
        if !matches!(self.stage, Stage::Idle) {
            return Err(misuse("a transaction is open already"));
        }
        self.stage = Stage::Open;
        self.touched = false;
        self.failed = None;
        self.acknowledged.clear();
        self.doubtful = twist.is_some();
        self.gate.leave(Call::Begin, twist, Ok(()))
    }

    fn send(&mut self, record: &Outgoing<'_>, _timeout: Duration) -> Result<(), KafkaError> {
        let twist = self.gate.enter(Call::Send)?;
        let writer = self.writer()?;
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let max = self.broker.settings.client_max_record_bytes;
        if size > max {
            let message = format!("a record of {size} bytes for {} is over the client's {max}", record.topic);
            return Err(KafkaError::new(KafkaErrorKind::RecordRefused, message));
        }
        let sent = self.deliver(writer, record);
        self.doubtful |= twist == Some(Twist::Doubtful);
        self.gate.leave(Call::Send, twist, sent)
    }

    fn flush(&mut self, _timeout: Duration) -> Result<(), KafkaError> {
        let Self { gate, failed, .. } = self;
        gate.pass(Call::Flush, || failed.take().map_or(Ok(()), Err))
    }

    fn send_offsets(
        &mut self,
        offsets: &[(TopicPartition, CommittedOffset)],
        group: &dyn GroupMetadata,
        _timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.coordinate(Call::SendOffsets, |this, _| {
            let writer = this.transaction()?;
            let sender = group.as_any().downcast_ref::<MemberAt>();
            let sender = sender.ok_or_else(|| misuse("group metadata of another cluster"))?;
            if offsets.is_empty() {
                return Ok(());
            }
            this.touched = true;
            let sent = this.broker.change(|state, now| {
                state.transactions.open(writer, || now)?;
                state.groups.entry(sender.group.clone()).or_default().check(sender, Commit::InTransaction)?;
                state.transactions.add_offsets(writer, &sender.group, offsets, now)
            });
            sent.inspect_err(|error| this.stage = Stage::Spoilt(error.clone()))
        })
    }

    fn commit(&mut self, _timeout: Duration) -> Result<(), KafkaError> {
        self.coordinate(Call::Commit, |this, twist| {
            this.transaction()?;
            if this.touched {
                this.request_end(Outcome::Commit, twist)?;
            }
            this.ended(twist);
            Ok(())
        })
    }

    fn abort(&mut self, _timeout: Duration) -> Result<(), KafkaError> {
        self.coordinate(Call::Abort, |this, twist| {
            if matches!(this.stage, Stage::Idle) {
                return Err(misuse("no transaction is open"));
            }
            this.failed = None;
            if this.touched {
                this.request_end(Outcome::Abort, twist)?;
            }
            this.ended(twist);
            Ok(())
        })
    }

    fn doubtful(&self) -> bool {
        self.doubtful
    }

    fn acknowledged(&self, topic: &Arc<str>, partition: i32) -> Option<i64> {
        self.acknowledged.get(topic)?.get(&partition).copied()
    }
}

fn misuse(message: &str) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Fatal, message)
}

fn no_transactions() -> KafkaError {
    KafkaError::new(KafkaErrorKind::Config, "this producer has no transactional id")
}
