//! A sender of the embedded cluster: records are in the log, and their receipts settled, when `send` returns.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::broker::Broker;
use super::producer::MemoryProducer;
use crate::kafka::{KafkaError, Outgoing, Producer, ProducerSettings, Receipt, Sender, SenderSettings};

#[derive(Debug)]
pub(super) struct MemorySender(Mutex<MemoryProducer>);

impl MemorySender {
    pub(super) fn new(broker: Arc<Broker>, settings: &SenderSettings) -> Self {
        let settings = ProducerSettings {
            transactional_id: None,
            client_id: settings.client_id.clone(),
            transaction_timeout: settings.delivery_timeout,
            linger: settings.linger,
            queue_max_bytes: settings.queue_max_bytes,
        };
        Self(Mutex::new(MemoryProducer::new(broker, &settings)))
    }
}

impl Sender for MemorySender {
    fn send(&self, record: &Outgoing<'_>, receipt: &Arc<Receipt>) -> Result<(), KafkaError> {
        let mut producer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        producer.send(record, Duration::ZERO)?;
        receipt.expect_one();
        receipt.settle(producer.flush(Duration::ZERO));
        Ok(())
    }

    fn serve(&self, _wait: Duration) {}

    fn flush(&self, _timeout: Duration) -> Result<(), KafkaError> {
        Ok(())
    }

    fn failure(&self) -> Option<KafkaError> {
        None
    }
}
