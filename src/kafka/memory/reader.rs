//! A client of the embedded cluster that reads given partitions, in no group.

use std::sync::Arc;
use std::time::Duration;

use super::broker::Broker;
use super::faults::Call;
use super::fetcher::Fetcher;
use super::gate::Gate;
use crate::kafka::{Batch, Isolation, KafkaError, Reader, ReaderSettings, Slot};
use crate::record::TopicPartition;

#[derive(Debug)]
pub(super) struct MemoryReader {
    broker: Arc<Broker>,
    gate: Gate,
    isolation: Isolation,
    fetcher: Fetcher,
}

impl MemoryReader {
    pub(super) fn new(broker: Arc<Broker>, settings: &ReaderSettings) -> Self {
        let gate = broker.faults.gate(&settings.client_id, Arc::clone(&broker.clock));
        Self { broker, gate, isolation: settings.isolation, fetcher: Fetcher::new(settings.isolation) }
    }
}

impl Reader for MemoryReader {
    fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let Self { broker, gate, fetcher, .. } = self;
        gate.pass(Call::Assign, || {
            fetcher.clear();
            broker.change(|state, _| fetcher.add(state, partitions))
        })
    }

    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        let Self { broker, gate, isolation, fetcher } = self;
        gate.pass(Call::Poll, || {
            let fetched = broker.wait_for(wait, *isolation, |state, _| match fetcher.fetch(state, batch, max_records) {
                Ok(true) => Some(Ok(())),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            });
            fetched.unwrap_or(Ok(()))
        })
    }

    fn slot(&mut self, partition: &TopicPartition) -> Slot {
        self.fetcher.slot(partition)
    }

    fn watermarks(
        &mut self,
        partition: &TopicPartition,
        isolation: Isolation,
        _timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        self.gate.pass(Call::Watermarks, || {
            self.broker.change(|state, _| state.log(partition).map(|log| (log.start(), log.bound(isolation))))
        })
    }
}
