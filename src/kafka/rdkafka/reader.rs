//! A reader of given partitions, in no group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_assign;

use super::admin::offsets::list_offsets;
use super::config::{Settings, TOPIC_SPREAD};
use super::deadline::Deadline;
use super::errors::check;
use super::fetch::Fetcher;
use super::native::{Native, Role};
use super::partitions::PartitionList;
use super::patience::again_while;
use crate::kafka::{Batch, Isolation, KafkaError, KafkaErrorKind, OffsetSpec, Reader, ReaderSettings, Slot};
use crate::record::TopicPartition;

/// The reader's client.
#[derive(Debug)]
pub(super) struct RdReader {
    fetcher: Fetcher,
}

impl RdReader {
    pub(super) fn new(
        bootstrap_servers: &str,
        user: &BTreeMap<String, String>,
        settings: &ReaderSettings,
    ) -> Result<Self, KafkaError> {
        let client = Native::new(Role::Consumer, &Settings::reader(bootstrap_servers, settings), user, &settings.client_id)?;
        Ok(Self { fetcher: Fetcher::new(Arc::new(client), false) })
    }
}

impl RdReader {
    /// Looks an offset up, and again for a while if there seems to be no such topic: as long as for a fetch.
    fn offset(&self, partition: &TopicPartition, spec: OffsetSpec, timeout: Duration) -> Result<i64, KafkaError> {
        let (client, deadline) = (self.fetcher.client(), Deadline::after(TOPIC_SPREAD.min(timeout)));
        again_while(KafkaErrorKind::UnknownTopic, client, &deadline, || {
            Ok(list_offsets(client, std::slice::from_ref(partition), spec, timeout)?[0])
        })
    }
}

impl Reader for RdReader {
    fn assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let list = PartitionList::with_offsets(partitions.iter().map(|(partition, offset)| (partition, *offset)))?;
        // SAFETY: client and list are alive; the list is copied.
        let code = unsafe { rd_kafka_assign(self.fetcher.client().as_ptr(), list.as_ptr()) };
        check(code, "assigning partitions to a reader")?;
        self.fetcher.stopped_all();
        // What was told of the former partitions is of no interest any more.
        self.fetcher.client().context().told_error.lock().expect("no panic while the lock is held").take();
        self.fetcher.started(partitions);
        Ok(())
    }

    fn poll(&mut self, batch: &mut Batch, max_records: usize, wait: Duration) -> Result<(), KafkaError> {
        self.fetcher.poll(batch, max_records, wait)
    }

    fn slot(&mut self, partition: &TopicPartition) -> Slot {
        self.fetcher.slot(partition)
    }

    fn watermarks(
        &mut self,
        partition: &TopicPartition,
        isolation: Isolation,
        timeout: Duration,
    ) -> Result<(i64, i64), KafkaError> {
        let first = self.offset(partition, OffsetSpec::Earliest, timeout)?;
        let end = self.offset(partition, OffsetSpec::Latest(isolation), timeout)?;
        Ok((first, end))
    }
}
