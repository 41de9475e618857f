//! Reads a file's last mark from `ops.loads`. Writing it is the load's matter, as it is part of its transactions.

use std::time::Duration;

use highwater::TopicPartition;
use highwater::kafka::{Batch, Isolation, Kafka, KafkaError, KafkaErrorKind, OFFSET_BEGINNING, ReaderSettings};
use highwater::time::Clock;

use super::progress::Progress;

const QUEUE_MAX_BYTES: usize = 4 << 20;
const BATCH_RECORDS: usize = 4_096;
const WAIT: Duration = Duration::from_millis(100);
/// An open transaction of somebody else is settled within its timeout and the broker's look-around of 10 s.
const SETTLE_WITHIN: Duration = Duration::from_mins(1);

/// The last committed mark under this key. Waits until every transaction that began before is settled.
pub(super) fn read(
    kafka: &dyn Kafka,
    clock: &dyn Clock,
    client_id: &str,
    partition: &TopicPartition,
    key: &str,
    timeout: Duration,
) -> Result<Option<Progress>, KafkaError> {
    let settings =
        ReaderSettings { client_id: client_id.to_owned(), queue_max_bytes: QUEUE_MAX_BYTES, isolation: Isolation::ReadCommitted };
    let mut reader = kafka.reader(&settings)?;
    let (start, end) = reader.watermarks(partition, Isolation::ReadUncommitted, timeout)?;
    if start >= end {
        return Ok(None);
    }
    reader.assign(&[(partition.clone(), OFFSET_BEGINNING)])?;
    let (mut batch, mut found) = (Batch::default(), None);
    let mut moved_at = clock.now();
    loop {
        batch.clear();
        reader.poll(&mut batch, BATCH_RECORDS, WAIT)?;
        for record in batch.records.iter().filter(|record| record.key() == Some(key.as_bytes())) {
            found = record.value().map(parse).transpose()?;
        }
        let position = batch.records.iter().map(|record| record.offset + 1).chain(batch.ends.iter().map(|(_, end)| *end)).max();
        if position.is_some_and(|position| position >= end) {
            return Ok(found);
        }
        if !batch.records.is_empty() {
            moved_at = clock.now();
        } else if clock.now() > moved_at.plus(SETTLE_WITHIN) {
            let message =
                format!("nothing came of {partition} for {SETTLE_WITHIN:?}, though there is more: a transaction is open there");
            return Err(KafkaError::new(KafkaErrorKind::Timeout, message));
        } else if !clock.moves_by_itself() {
            clock.sleep(WAIT);
        }
    }
}

fn parse(value: &[u8]) -> Result<Progress, KafkaError> {
    serde_json::from_slice(value).map_err(|error| {
        let message =
            format!("a record of `ops.loads` is none of ours ({error}): delete it by a tombstone, or load with --reload");
        KafkaError::new(KafkaErrorKind::Config, message)
    })
}
