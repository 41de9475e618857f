//! From a body to acknowledged records: each message is queued as a record of `raw.events` or as a dead letter, and the request waits
//! until all in-sync replicas have all of them. What HTTP makes of the outcome is in `routes`.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use highwater::kafka::{KafkaError, KafkaErrorKind, Outgoing, Receipt, Sender, partition_for_key};
use highwater::time::Clock;
use highwater::{Headers, Timestamp};

use super::body::Limits;
use super::budget::Budget;
use super::cors::Origins;
use super::envelope::{Envelope, Form};
use super::keys::KeyFile;
use super::meters::{self, Tally};
use super::record::{Additions, Pseudonyms};
use super::spans::Span;
use crate::config::CollectConfig;
use crate::events::{Given, Message};
use crate::rejection::{Reason, Rejection};

/// How long after the client should have given up a record its request gives up waiting.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// Failures come by the hundred when brokers are away; one line in so many milliseconds says so.
const COMPLAIN_EVERY_MS: i64 = 10_000;

/// Where records go.
#[derive(Clone, Debug)]
pub struct Destinations {
    /// The topic of events, and its number of partitions.
    pub events: (Arc<str>, i32),
    /// The topic of dead letters, and its number of partitions.
    pub dead_letters: (Arc<str>, i32),
}

/// All that requests share.
pub struct Collector {
    pub(super) config: CollectConfig,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Arc<KeyFile>,
    pub(super) budget: Arc<Budget>,
    pub(super) origins: Origins,
    pub(super) limits: Limits,
    sender: Arc<dyn Sender>,
    destinations: Destinations,
    pseudonyms: Pseudonyms,
    stopping: AtomicBool,
    complained_at_ms: AtomicI64,
}

/// One request, after its shop was found.
pub(super) struct Delivery<'a> {
    /// The request's path: where dead letters come from.
    pub(super) path: &'a str,
    pub(super) form: Form,
    pub(super) shop_id: &'a str,
    pub(super) write_key: &'a str,
    pub(super) received_at: Timestamp,
    pub(super) client_ip: Option<IpAddr>,
}

/// Why a request was not taken whole; it may come again.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Our queue is full.
    Full,
    /// Brokers did not acknowledge everything in time.
    Away(KafkaError),
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("destinations", &self.destinations).finish_non_exhaustive()
    }
}

impl Collector {
    /// A collector that sends to these topics; `secret` keys the pseudonyms of users in keys of records.
    pub fn new(
        config: CollectConfig,
        keys: Arc<KeyFile>,
        sender: Arc<dyn Sender>,
        destinations: Destinations,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        meters::write_keys(keys.keys().len());
        Arc::new(Self {
            clock,
            keys,
            budget: Budget::new(config.bodies_max_bytes),
            origins: Origins::parse(&config.cors_origins),
            limits: Limits { max_bytes: config.body_max_bytes, within: config.read_timeout },
            sender,
            destinations,
            pseudonyms: Pseudonyms::new(&config.key_secret),
            stopping: AtomicBool::new(false),
            complained_at_ms: AtomicI64::new(i64::MIN),
            config,
        })
    }

    /// From now on it is not ready for more.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Shows how much is held, and by how many connections.
    pub fn show(&self, connections: usize) {
        meters::held(connections, self.budget.held_bytes());
    }

    /// Reads the keys again if their file has changed.
    pub fn refresh_keys(&self) {
        match self.keys.refresh() {
            Ok(None) => {}
            Ok(Some(count)) => {
                tracing::info!(keys = count, "write keys were read again");
                meters::write_keys(count);
            }
            Err(error) => tracing::error!(%error, "write keys cannot be read again; those that were read before stay in force"),
        }
    }

    /// Queues all messages of a body and waits until they are acknowledged. Tells what became of each.
    pub(super) async fn take(&self, delivery: &Delivery<'_>, envelope: &Envelope<'_>, bytes: usize) -> Result<Tally, Refusal> {
        let additions =
            Additions::new(delivery.shop_id, delivery.write_key, delivery.received_at, envelope.sent_at, delivery.client_ip);
        self.acknowledged(bytes, |receipt, tally| {
            let given = Given {
                kind: if let Form::Message(kind) = delivery.form { Some(kind) } else { None },
                sent_at: envelope.sent_at.is_some(),
            };
            let (mut key, mut value) = (Vec::new(), Vec::new());
            for (index, message) in envelope.messages.iter().enumerate() {
                match self.admit(delivery, message, given, &additions, &mut key, &mut value) {
                    Ok(()) => {
                        self.queue(&self.destinations.events, &key, &value, delivery.received_at, &Headers::new(), receipt)?;
                        tally.accepted += 1;
                    }
                    Err(rejection) => {
                        tally.dead_lettered.push(rejection.reason);
                        self.dead_letter(delivery, message.bytes, index, &rejection, receipt)?;
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// Dead-letters a body that cannot be taken apart.
    pub(super) async fn refuse(&self, delivery: &Delivery<'_>, body: &[u8], rejection: &Rejection) -> Result<Tally, Refusal> {
        self.acknowledged(body.len(), |receipt, tally| {
            tally.dead_lettered.push(rejection.reason);
            self.dead_letter(delivery, body, 0, rejection, receipt)
        })
        .await
    }

    /// Waits for what `queue` has queued, whether or not it could queue all.
    async fn acknowledged(
        &self,
        bytes: usize,
        queue: impl FnOnce(&Arc<Receipt>, &mut Tally) -> Result<(), KafkaError>,
    ) -> Result<Tally, Refusal> {
        let (told, news) = tokio::sync::oneshot::channel();
        let receipt = Receipt::new(move |outcome| drop(told.send(outcome)));
        let mut tally = Tally::default();
        let queued = queue(&receipt, &mut tally);
        receipt.close();
        drop(receipt);
        let outcome = match queued {
            Err(error) if error.kind == KafkaErrorKind::Retriable => Err(Refusal::Full),
            Err(error) => Err(Refusal::Away(error)),
            Ok(()) => match tokio::time::timeout(self.config.acknowledge_timeout + TOLD_WITHIN, news).await {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(error))) => Err(Refusal::Away(error)),
                Ok(Err(_)) | Err(_) => {
                    Err(Refusal::Away(KafkaError::new(KafkaErrorKind::Timeout, "no acknowledgement came in time")))
                }
            },
        };
        meters::queued(&tally, bytes, outcome.is_ok());
        if let Err(Refusal::Away(error)) = &outcome {
            self.complain(error);
        }
        outcome.map(|()| tally)
    }

    /// Makes key and value of a message, or says why none can be made.
    fn admit(
        &self,
        delivery: &Delivery<'_>,
        message: &Span<'_>,
        given: Given,
        additions: &Additions,
        key: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        let max_bytes = self.config.event_max_bytes;
        let too_large =
            |bytes: usize| Rejection::new(Reason::TooLarge, format!("the event has {bytes} bytes, more than {max_bytes}"));
        if message.bytes.len() > max_bytes {
            return Err(too_large(message.bytes.len()));
        }
        if message.levels > self.config.nesting_max_levels {
            let levels = message.levels;
            return Err(Rejection::new(Reason::NotJson, format!("the event nests {levels} levels deep, more than allowed")));
        }
        let read = Message::parse(message.bytes, given)?;
        self.pseudonyms.key(delivery.shop_id, &read, key);
        additions.splice(message.bytes, if read.has_type { None } else { given.kind }, value);
        let bytes = key.len() + value.len();
        if bytes > max_bytes { Err(too_large(bytes)) } else { Ok(()) }
    }

    /// Queues a dead letter: the bytes as sent, and why they are here. Its key is the shop: nothing more is known of it for certain.
    fn dead_letter(
        &self,
        delivery: &Delivery<'_>,
        bytes: &[u8],
        index: usize,
        rejection: &Rejection,
        receipt: &Arc<Receipt>,
    ) -> Result<(), KafkaError> {
        let mut headers = Headers::new();
        headers.push_text("dlq.topic", delivery.path);
        headers.push_text("dlq.partition", -1);
        headers.push_text("dlq.offset", index);
        headers.push_text("dlq.timestamp", delivery.received_at);
        headers.push_text("dlq.reason", rejection.reason);
        headers.push_text("dlq.error", &rejection.error);
        headers.push_text("dlq.topology", "collect");
        headers.push_text("dlq.version", env!("CARGO_PKG_VERSION"));
        let key = delivery.shop_id.as_bytes();
        self.queue(&self.destinations.dead_letters, key, bytes, delivery.received_at, &headers, receipt)
    }

    fn queue(
        &self,
        (topic, partitions): &(Arc<str>, i32),
        key: &[u8],
        value: &[u8],
        timestamp: Timestamp,
        headers: &Headers,
        receipt: &Arc<Receipt>,
    ) -> Result<(), KafkaError> {
        let partition = partition_for_key(key, *partitions);
        let record = Outgoing { topic, partition, key: Some(key), value: Some(value), timestamp, headers, track: false };
        self.sender.send(&record, receipt)
    }

    fn complain(&self, error: &KafkaError) {
        let now = self.clock.now().as_millis();
        let before = self.complained_at_ms.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(before) >= COMPLAIN_EVERY_MS;
        if is_due && self.complained_at_ms.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::warn!(%error, "records were not acknowledged; their requests are answered with 429, and come again");
        }
    }
}
