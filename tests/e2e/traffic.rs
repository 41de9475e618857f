//! Generated traffic into Kafka, each record where the oracle says it lies. Not the traffic itself, which the oracle makes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use highwater::kafka::{Kafka, Outgoing, ProducerSettings};
use highwater::{Headers, Timestamp};
use shoppulse_oracle::InputRecord;

use crate::REQUEST;

/// Writes them in order and without a transaction, so that offsets have no gaps: the oracle counts them.
pub(crate) fn produce(kafka: &dyn Kafka, records: &[InputRecord]) {
    let settings = ProducerSettings {
        transactional_id: None,
        client_id: "traffic".to_owned(),
        transaction_timeout: REQUEST,
        linger: Duration::from_millis(5),
        queue_max_bytes: 1 << 26,
    };
    let mut producer = kafka.producer(&settings).expect("a producer");
    let mut topics: BTreeMap<&str, Arc<str>> = BTreeMap::new();
    for record in records {
        let mut headers = Headers::new();
        for (name, value) in &record.headers {
            headers.push(name.as_str(), value.clone().map(Bytes::from));
        }
        let outgoing = Outgoing {
            topic: topics.entry(&record.topic).or_insert_with(|| Arc::from(record.topic.as_str())),
            partition: record.partition,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            timestamp: Timestamp::from_millis(record.timestamp_ms),
            headers: &headers,
            track: false,
        };
        producer.send(&outgoing, REQUEST).expect("the record is accepted");
    }
    producer.flush(REQUEST).expect("the records are acknowledged");
}
