//! Feeds generated records into the embedded cluster at a given rate.

use bytes::Bytes;
use highwater::Timestamp;
use highwater::kafka::StoredRecord;
use highwater::kafka::memory::MemoryCluster;
use shoppulse_oracle::InputRecord;

use crate::exit::Failure;

/// A feed of records, each due at its time.
pub(super) struct Feed<'a> {
    cluster: &'a MemoryCluster,
    records: &'a [InputRecord],
    per_second: u32,
    began: Timestamp,
    sent: usize,
}

impl<'a> Feed<'a> {
    pub(super) fn new(cluster: &'a MemoryCluster, records: &'a [InputRecord], per_second: u32, began: Timestamp) -> Self {
        Self { cluster, records, per_second, began, sent: 0 }
    }

    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    pub(super) fn is_done(&self) -> bool {
        self.sent == self.records.len()
    }

    /// Sends what is due by now, but no more than `at_most` in all.
    pub(super) fn send_due(&mut self, now: Timestamp, at_most: usize) -> Result<(), Failure> {
        let elapsed_ms = (now.as_millis() - self.began.as_millis()).max(0) as u64;
        let due = (elapsed_ms * u64::from(self.per_second) / 1_000) as usize;
        let until = due.min(at_most).min(self.records.len());
        for record in &self.records[self.sent.min(until)..until] {
            send(self.cluster, record)?;
        }
        self.sent = self.sent.max(until);
        Ok(())
    }
}

fn send(cluster: &MemoryCluster, record: &InputRecord) -> Result<(), Failure> {
    let headers = record
        .headers
        .iter()
        .map(|(key, value)| highwater::Header { key: key.as_str().into(), value: value.clone().map(Bytes::from) });
    let stored = StoredRecord {
        key: record.key.clone().map(Bytes::from),
        value: record.value.clone().map(Bytes::from),
        headers: headers.collect(),
    };
    let time = Timestamp::from_millis(record.timestamp_ms);
    cluster.append_record(&record.topic, record.partition, time, stored).map(drop).map_err(Failure::from)
}
