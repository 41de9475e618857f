//! A topic: its identity, its settings with the broker's defaults, its logs. Which settings act is `cleaning`'s and `producer`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::Log;
use crate::kafka::{KafkaError, KafkaErrorKind, NewTopic, TopicDescription};

/// Longest name that Kafka takes.
const MAX_NAME_BYTES: usize = 249;

/// Topic settings that the embedded broker knows, with their defaults, as a real one reports them.
const DEFAULTS: [(&str, &str); 21] = [
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("delete.retention.ms", "86400000"),
    ("file.delete.delay.ms", "60000"),
    ("flush.messages", "9223372036854775807"),
    ("flush.ms", "9223372036854775807"),
    ("index.interval.bytes", "4096"),
    ("max.compaction.lag.ms", "9223372036854775807"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.after.max.ms", "3600000"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("min.cleanable.dirty.ratio", "0.5"),
    ("min.compaction.lag.ms", "0"),
    ("min.insync.replicas", "1"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
    ("segment.bytes", "1073741824"),
    ("segment.jitter.ms", "0"),
    ("segment.ms", "604800000"),
    ("unclean.leader.election.enable", "false"),
];

/// A topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) description: TopicDescription,
    /// All settings in force.
    pub(super) config: BTreeMap<String, String>,
    pub(super) partitions: Vec<Log>,
    /// `max.message.bytes`, read for every record.
    pub(super) max_record_bytes: usize,
    /// Whether records are compacted by their keys, so that each must have one.
    pub(super) needs_keys: bool,
}

impl Topic {
    /// An empty topic with this identity.
    pub(super) fn new(new: &NewTopic, id: u64, brokers: usize) -> Result<Self, KafkaError> {
        check_name(&new.name)?;
        if new.partitions < 1 {
            return Err(wrong(format!("topic {} needs a partition, not {}", new.name, new.partitions)));
        }
        let replication_factor = if new.replication_factor == -1 { 1 } else { new.replication_factor };
        if !(1..=brokers as i32).contains(&replication_factor) {
            return Err(wrong(format!("{replication_factor} copies of topic {} on {brokers} brokers", new.name)));
        }
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&id.to_be_bytes());
        let mut topic = Self {
            description: TopicDescription {
                name: Arc::from(new.name.as_str()),
                id: bytes,
                partitions: new.partitions,
                replication_factor,
            },
            config: DEFAULTS.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            partitions: (0..new.partitions).map(|_| Log::default()).collect(),
            max_record_bytes: 0,
            needs_keys: false,
        };
        topic.alter(&new.config)?;
        Ok(topic)
    }

    /// Sets settings: all, or none if one is unknown or wrong.
    pub(super) fn alter(&mut self, config: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        for (name, value) in config {
            let Some((_, default)) = DEFAULTS.iter().find(|(known, _)| known == name) else {
                return Err(wrong(format!("unknown topic setting {name}")));
            };
            let wants_a_number = default.parse::<i64>().is_ok();
            if wants_a_number && value.parse::<i64>().is_err() || name == "cleanup.policy" && !is_policy(value) {
                return Err(wrong(format!("topic setting {name} cannot be {value:?}")));
            }
        }
        self.config.extend(config.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.max_record_bytes = usize::try_from(self.number("max.message.bytes")).unwrap_or(0);
        self.needs_keys = self.has_policy("compact");
        Ok(())
    }

    /// A numeric setting.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.config.get(name).and_then(|value| value.parse().ok()).expect("numeric settings are checked when they are set")
    }

    /// Whether `cleanup.policy` names this one.
    pub(super) fn has_policy(&self, policy: &str) -> bool {
        self.config.get("cleanup.policy").is_some_and(|policies| policies.split(',').any(|each| each.trim() == policy))
    }

    /// The log of a partition.
    pub(super) fn log(&self, partition: i32) -> Option<&Log> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The log of a partition, to write.
    pub(super) fn log_mut(&mut self, partition: i32) -> Option<&mut Log> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }
}

fn is_policy(value: &str) -> bool {
    value.split(',').all(|policy| matches!(policy.trim(), "delete" | "compact"))
}

fn check_name(name: &str) -> Result<(), KafkaError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME_BYTES || matches!(name, "." | "..") || !name.bytes().all(legal) {
        return Err(wrong(format!("{name:?} is no name for a topic")));
    }
    Ok(())
}

fn wrong(message: String) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_topic(name: &str, partitions: i32, copies: i32, config: &[(&str, &str)]) -> NewTopic {
        let config = config.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        NewTopic { name: name.into(), partitions, replication_factor: copies, config }
    }

    #[test]
    fn refuses_what_a_broker_refuses() {
        let cases = [
            (new_topic("t", 1, -1, &[]), true),
            (new_topic("t.a_b-C9", 1, 1, &[("cleanup.policy", "compact,delete")]), true),
            (new_topic("", 1, 1, &[]), false),
            (new_topic("..", 1, 1, &[]), false),
            (new_topic("a b", 1, 1, &[]), false),
            (new_topic("t", 0, 1, &[]), false),
            (new_topic("t", 1, 2, &[]), false),
            (new_topic("t", 1, 1, &[("retention", "1")]), false),
            (new_topic("t", 1, 1, &[("retention.ms", "a day")]), false),
            (new_topic("t", 1, 1, &[("cleanup.policy", "keep")]), false),
        ];
        for (new, accepted) in cases {
            let made = Topic::new(&new, 1, 1);
            assert_eq!(made.is_ok(), accepted, "{new:?}");
            if let Err(error) = made {
                assert_eq!(error.kind, KafkaErrorKind::Config);
            }
        }
    }
}
