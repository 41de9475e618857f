//! A reader of given partitions, in no group.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{rd_kafka_assign, rd_kafka_incremental_assign, rd_kafka_incremental_unassign};

use super::admin::offsets::list_offsets;
use super::config::{Settings, TOPIC_SPREAD};
use super::deadline::Deadline;
use super::errors::{Flagged, check};
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
    /// Looks offsets up, and again for a while if there seems to be no such topic: as long as for a fetch.
    fn offsets(&self, partitions: &[TopicPartition], spec: OffsetSpec, timeout: Duration) -> Result<Vec<i64>, KafkaError> {
        let (client, deadline) = (self.fetcher.client(), Deadline::after(TOPIC_SPREAD.min(timeout)));
        again_while(KafkaErrorKind::UnknownTopic, client, &deadline, || list_offsets(client, partitions, spec, timeout))
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

    fn incremental_assign(&mut self, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let list = PartitionList::with_offsets(partitions.iter().map(|(partition, offset)| (partition, *offset)))?;
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { Flagged::take(rd_kafka_incremental_assign(self.fetcher.client().as_ptr(), list.as_ptr())) };
        error.map_or(Ok(()), |error| Err(error.plain("adding partitions to a reader")))?;
        self.fetcher.started(partitions);
        Ok(())
    }

    fn incremental_unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        let list = PartitionList::of(partitions)?;
        // SAFETY: client and list are alive; the list is copied.
        let error = unsafe { Flagged::take(rd_kafka_incremental_unassign(self.fetcher.client().as_ptr(), list.as_ptr())) };
        error.map_or(Ok(()), |error| Err(error.plain("removing partitions from a reader")))?;
        self.fetcher.stopped(partitions);
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
        partitions: &[TopicPartition],
        isolation: Isolation,
        timeout: Duration,
    ) -> Result<Vec<(i64, i64)>, KafkaError> {
        let first = self.offsets(partitions, OffsetSpec::Earliest, timeout)?;
        let end = self.offsets(partitions, OffsetSpec::Latest(isolation), timeout)?;
        Ok(first.into_iter().zip(end).collect())
    }
}
