//! The topologies: what flows where. What a record means is in the modules of its subject (`events`, `cdc`, `orders`, …).
//!
//! Each file here is one topology, and one application once deployed. Adding one is a file here and a line in
//! [`catalogue`](crate::catalogue).

use std::sync::Arc;

use bytes::Bytes;
use highwater::dsl::Row;
use highwater::processor::{Context, ProcessError};
use highwater::serde::{BytesSerde, Data, NullableSerde, SharedSerde};
use highwater::{Consumed, Error, Produced, StreamsBuilder, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shoppulse_avro::{QualityKey, QualityRow, TopicKey, TopicRow};

use crate::rejection::Rejection;
use crate::schemas::Schemas;
use crate::topic_names;
use crate::verdict::Verdict;

pub mod clean;
pub mod customers;
pub mod orders;
pub mod sessions;

/// A builder whose dead letters and books go where those of all topologies go.
fn builder(name: &str, schemas: &Schemas) -> Result<StreamsBuilder, Error> {
    let builder = StreamsBuilder::new(name);
    builder.version(env!("CARGO_PKG_VERSION"));
    builder.dead_letters(topic_names::DEAD_LETTERS);
    let (key, value) = (schemas.shared::<QualityKey>()?, schemas.shared::<QualityRow>()?);
    builder.books_with(topic_names::QUALITY, key, value, |entry| {
        let key = QualityKey {
            minute: micros(entry.minute),
            topology: entry.topology.to_owned(),
            topic: entry.topic.to_owned(),
            partition: entry.partition,
            outcome: entry.outcome.to_owned(),
            reason: entry.reason.to_owned(),
        };
        let place = key.partition_text();
        let row = QualityRow {
            minute: key.minute,
            topology: key.topology.clone(),
            topic: key.topic.clone(),
            partition: key.partition,
            outcome: key.outcome.clone(),
            reason: key.reason.clone(),
            count: entry.count,
            row_version: entry.row_version,
            is_deleted: false,
            updated_at: key.minute,
            processed_at: micros(entry.processed_at),
        };
        (key, row, place)
    });
    Ok(builder)
}

/// A topic as bytes, nulls included: what they mean is the topology's own business, and so is what is wrong with them.
fn raw(topic: &str) -> Consumed<Option<Bytes>, Option<Bytes>> {
    let bytes = || -> SharedSerde<Option<Bytes>> { Arc::new(NullableSerde(Arc::new(BytesSerde))) };
    Consumed::with(topic, bytes(), bytes()).timestamp(|_, _, kafka| kafka.max(Timestamp::from_millis(0)))
}

/// A curated topic: rows placed by the text of their key's columns.
fn curated<R>(schemas: &Schemas, topic: &str) -> Result<Produced<<R as Row>::Key, Option<R>>, Error>
where
    R: Row<Key = <R as TopicRow>::Key> + TopicRow + Serialize + DeserializeOwned,
    <R as TopicRow>::Key: TopicKey + Data + Serialize + DeserializeOwned,
{
    let value: SharedSerde<Option<R>> = Arc::new(NullableSerde(schemas.shared::<R>()?));
    let key = schemas.shared::<<R as TopicRow>::Key>()?;
    Ok(Produced::with(topic, key, value).partitioned_by(TopicKey::partition_text))
}

/// Enters a verdict in the books, or rejects the record.
fn enter<K: Data, V: Data>(verdict: Verdict, cx: &mut Context<'_, K, V>) -> Result<(), ProcessError> {
    use highwater::task::Outcome;
    match verdict {
        Verdict::Processed => Ok(()),
        Verdict::Corrected => {
            cx.rule(Outcome::Processed, "corrected");
            Ok(())
        }
        Verdict::Duplicate(reason) => {
            cx.rule(Outcome::Duplicate, reason);
            Ok(())
        }
        Verdict::Filtered(reason) => {
            cx.rule(Outcome::Filtered, reason);
            Ok(())
        }
        Verdict::Rejected(rejection) => Err(rejection.into()),
    }
}

impl From<Rejection> for ProcessError {
    fn from(rejection: Rejection) -> Self {
        Self::rejected(rejection.reason.as_str(), rejection.error)
    }
}

/// Microseconds since the epoch.
fn micros(time: Timestamp) -> i64 {
    time.as_millis().saturating_mul(1_000)
}

/// A Kafka timestamp for a time in microseconds: whole milliseconds, not before the epoch.
fn kafka_time(micros: i64) -> Timestamp {
    Timestamp::from_millis(micros.div_euclid(1_000).max(0))
}
