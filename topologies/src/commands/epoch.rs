//! The epoch of row versions, kept in the compacted topic `<application_id>-control`: each reset raises it, so that what a replay
//! writes is newer than what was there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use highwater::Headers;
use highwater::kafka::{NewTopic, OffsetSpec, Outgoing, ProducerSettings};
use highwater::time::{Clock as _, SystemClock};

use super::cluster::Cluster;
use super::scan::{Scan, partitions_of};
use crate::config::Config;
use crate::exit::Failure;

const KEY: &[u8] = b"epoch";
const QUEUE_MAX_BYTES: usize = 1 << 20;

/// The epoch in force; 0 before the first reset.
pub(super) fn read(cluster: &mut Cluster, topic: &str) -> Result<i64, Failure> {
    let Some(partitions) = partitions_of(cluster, topic)? else { return Ok(0) };
    let starts = cluster.admin.list_offsets(&partitions, OffsetSpec::Earliest, cluster.timeout)?;
    let starts: Vec<_> = partitions.into_iter().zip(starts).collect();
    let scan = Scan::start(&*cluster.kafka, &starts)?;
    let mut epoch = 0;
    scan.read_to_end(cluster, &starts, |_, record| {
        if record.key() == Some(KEY) {
            epoch = parse(record.value()).ok_or_else(|| {
                Failure::failed(format!("topic `{topic}` holds an epoch that is no number: was it written by something else?"))
            })?;
        }
        Ok(true)
    })?;
    Ok(epoch)
}

fn parse(value: Option<&[u8]>) -> Option<i64> {
    std::str::from_utf8(value?).ok()?.parse().ok().filter(|epoch| *epoch >= 0)
}

/// Writes an epoch, and waits until it is kept; makes the topic if need be.
pub(super) fn write(cluster: &mut Cluster, config: &Config, epoch: i64) -> Result<(), Failure> {
    let topic = config.control_topic();
    let new = NewTopic {
        name: topic.clone(),
        partitions: 1,
        replication_factor: config.replication_factor,
        config: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
    };
    cluster.admin.create_topics(&[new], cluster.timeout)?;
    let mut producer = cluster.kafka.producer(&ProducerSettings {
        transactional_id: None,
        client_id: "shoppulse-reset".to_owned(),
        transaction_timeout: cluster.timeout,
        linger: Duration::ZERO,
        queue_max_bytes: QUEUE_MAX_BYTES,
    })?;
    let value = epoch.to_string();
    let record = Outgoing {
        topic: &Arc::from(topic),
        partition: 0,
        key: Some(KEY),
        value: Some(value.as_bytes()),
        timestamp: SystemClock.now(),
        headers: &Headers::new(),
        track: false,
    };
    producer.send(&record, cluster.timeout)?;
    Ok(producer.flush(cluster.timeout)?)
}
