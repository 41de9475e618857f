//! Dead letters and late records: the input's own bytes, with headers that say where it came from and why it is here.

use std::sync::Arc;

use super::core::{Input, TaskCore};
use super::outbox::{Destination, size_bytes};
use super::verdict::Outcome;
use crate::kafka::partition_for_key;
use crate::record::{Headers, Timestamp};

/// The header in which a record carries its origin through a repartition topic.
pub(crate) const ORIGIN_HEADER: &str = "highwater.origin";

/// Where dead letters go, and what they say of the program.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetters {
    pub(crate) topic: Option<Arc<str>>,
    pub(crate) topology: Arc<str>,
    pub(crate) version: Arc<str>,
}

/// The input's headers, less those that are the engine's own.
fn input_headers(input: &Input) -> Headers {
    input.record.headers().iter().filter(|header| &*header.key != ORIGIN_HEADER).cloned().collect()
}

impl TaskCore {
    /// Stages the input record at hand for the dead-letter topic, if there is one.
    pub(crate) fn stage_dead_letter(&mut self, reason: &str, error: &str) {
        let (Some(input), Some(topic)) = (&self.input, &self.dead_letters.topic) else { return };
        let mut headers = input_headers(input);
        headers.push_text("dlq.topic", &input.origin.topic);
        headers.push_text("dlq.partition", input.origin.partition);
        headers.push_text("dlq.offset", input.origin.offset);
        headers.push_text("dlq.timestamp", input.origin.timestamp);
        headers.push_text("dlq.reason", reason);
        headers.push_text("dlq.error", error);
        headers.push_text("dlq.topology", &self.dead_letters.topology);
        headers.push_text("dlq.version", &self.dead_letters.version);
        let topic = Arc::clone(topic);
        self.stage_input(&topic, headers);
    }

    /// Rules that the input record at hand is late, and sends it to the late topic if there is one.
    #[cold]
    pub(crate) fn turn_away(&mut self, topic: Option<&Arc<str>>, late: &Late) {
        if let Some(topic) = topic {
            self.stage_late(topic, late);
        }
        self.ruling.rule(Outcome::Late, late.reason);
    }

    /// Stages the input record at hand for a late topic. `place` names the window or bucket that it came too late for.
    fn stage_late(&mut self, topic: &Arc<str>, late: &Late) {
        let Some(input) = &self.input else { return };
        let mut headers = input_headers(input);
        headers.push_text("reason", late.reason);
        headers.push_text("late_by_ms", late.by_millis);
        headers.push_text("stream_time", late.stream_time);
        headers.push_text(late.place.0, &late.place.1);
        headers.push_text("topology", &self.dead_letters.topology);
        self.stage_input(topic, headers);
    }

    fn stage_input(&mut self, topic: &Arc<str>, mut headers: Headers) {
        let Some(input) = &self.input else { return };
        let partitions = self.topics.partitions(topic).unwrap_or(1);
        let partition = match input.record.key() {
            Some(key) if !key.is_empty() => partition_for_key(key, partitions),
            _ => input.origin.partition.max(0) % partitions,
        };
        let timestamp = Timestamp::from_millis(input.record.timestamp.as_millis().max(0));
        let (key, value) = (input.record.key(), input.record.value());
        let bytes = size_bytes(key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len), &headers);
        // A letter that its topic refuses would stop all that come after it. Where the value lies, the headers say.
        let value = value.filter(|_| self.topics.takes(topic, bytes));
        if value.is_none() && input.record.value().is_some() {
            headers.push_text("value_dropped_bytes", bytes);
        }
        let to = Destination { topic, partition, timestamp, headers, track: false };
        self.outbox.stage_copy(to, key, value);
    }
}

/// How and for what a record is late.
#[derive(Clone, Debug)]
pub(crate) struct Late {
    /// Why: one of a closed set.
    pub(crate) reason: &'static str,
    /// How far behind the last acceptable time it is.
    pub(crate) by_millis: i64,
    /// The operator's stream time.
    pub(crate) stream_time: Timestamp,
    /// `("bucket", hour start)`, `("window", start/end)` or `("oldest", the oldest time that would not have been late)`.
    pub(crate) place: (&'static str, String),
}
