//! The topics of the outside world: which there are, what they must be like, and how those of a cluster differ. Internal topics
//! are the engine's.

use std::collections::BTreeMap;
use std::time::Duration;

use highwater::kafka::{NewTopic, TopicDescription};

use crate::config::{Config, Retention};
use crate::topic_names as names;

/// Late records and dead letters carry an input of up to 512 KiB and its story.
const FAILED_MAX_BYTES: &str = "2097152";
const DAY: Duration = Duration::from_hours(24);

/// What keeps a topic's records within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cleanup {
    Delete(Duration),
    Compact,
    CompactAndDelete(Duration),
}

/// All topics of the outside world, as the configuration wants them.
pub fn wanted(config: &Config) -> Vec<NewTopic> {
    let Retention { raw, clean, failed, quality } = config.retention;
    let topics = [
        (names::RAW_EVENTS, Cleanup::Delete(raw)),
        (names::RAW_PAYMENTS, Cleanup::Delete(raw)),
        (names::CDC_CUSTOMERS, Cleanup::Delete(raw)),
        (names::CDC_ORDERS, Cleanup::Delete(raw)),
        (names::CDC_ORDER_ITEMS, Cleanup::Delete(raw)),
        (names::CLEAN_EVENTS, Cleanup::Delete(clean)),
        (names::SESSIONS, Cleanup::Compact),
        (names::ORDER_FACTS, Cleanup::Compact),
        (names::CUSTOMERS, Cleanup::Compact),
        (names::CUSTOMER_HISTORY, Cleanup::Compact),
        (names::LATE_EVENTS, Cleanup::Delete(failed)),
        (names::DEAD_LETTERS, Cleanup::Delete(failed)),
        (names::QUALITY, Cleanup::CompactAndDelete(quality)),
        (names::LOADS, Cleanup::Compact),
    ];
    topics.into_iter().map(|(name, cleanup)| topic(config, name, cleanup)).collect()
}

fn topic(config: &Config, name: &str, cleanup: Cleanup) -> NewTopic {
    let (policy, retention) = match cleanup {
        Cleanup::Delete(retention) => ("delete", Some(retention)),
        Cleanup::Compact => ("compact", None),
        Cleanup::CompactAndDelete(retention) => ("compact,delete", Some(retention)),
    };
    let mut settings = BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]);
    if let Some(retention) = retention {
        settings.insert("retention.ms".to_owned(), retention.as_millis().to_string());
    }
    if name.starts_with("late.") || name.starts_with("dlq.") {
        settings.insert("max.message.bytes".to_owned(), FAILED_MAX_BYTES.to_owned());
    }
    NewTopic {
        name: name.to_owned(),
        partitions: config.partitions,
        replication_factor: config.replication_factor,
        config: settings,
    }
}

/// What is to be done about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is missing.
    Create(NewTopic),
    /// It is as it should be.
    Fits,
    /// These settings are others: name, what is, what should be.
    Alter(Vec<(String, String, String)>),
}

/// A topic, and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The topic's name.
    pub name: String,
    /// What is to be done.
    pub step: Step,
    /// What differs and stays as it is, since changing it would move keys to other partitions.
    pub partitions: Option<(i32, i32)>,
}

/// Compares a topic with what it should be. Pure.
pub fn plan(wanted: &NewTopic, found: Option<&TopicDescription>, settings: &BTreeMap<String, String>) -> Planned {
    let name = wanted.name.clone();
    let Some(found) = found else {
        return Planned { name, step: Step::Create(wanted.clone()), partitions: None };
    };
    let differing = wanted.config.iter().filter_map(|(key, value)| {
        let set = settings.get(key).map_or("", String::as_str);
        (!same(set, value)).then(|| (key.clone(), set.to_owned(), value.clone()))
    });
    let differing: Vec<_> = differing.collect();
    let step = if differing.is_empty() { Step::Fits } else { Step::Alter(differing) };
    let partitions = (found.partitions != wanted.partitions).then_some((found.partitions, wanted.partitions));
    Planned { name, step, partitions }
}

/// Policies are sets: their order says nothing.
fn same(a: &str, b: &str) -> bool {
    let parts = |text: &str| text.split(',').map(|part| part.trim().to_owned()).collect::<std::collections::BTreeSet<_>>();
    parts(a) == parts(b)
}

/// What retentions violate, if anything: what is stamped with event time must outlive a replay of what feeds it.
pub fn check_retention(retention: &Retention) -> Result<(), String> {
    let needed = retention.raw + DAY + DAY;
    if retention.clean < needed {
        return Err(format!(
            "clean.events keeps records for {} h, but must outlive a replay of raw.events: {} h + 24 h of lateness + 24 h = {} h; \
             raise `topics.clean_retention_hours` or lower `topics.raw_retention_hours`",
            hours(retention.clean),
            hours(retention.raw),
            hours(needed)
        ));
    }
    if retention.quality < retention.raw {
        return Err(format!(
            "ops.quality keeps counts for {} h, but must keep them as long as raw.* keeps records: {} h; raise `topics.quality_retention_hours`",
            hours(retention.quality),
            hours(retention.raw)
        ));
    }
    Ok(())
}

fn hours(duration: Duration) -> u64 {
    duration.as_secs() / 3600
}

/// Why this topic cannot be a source of changes, if so.
pub fn check_changes(topic: &str, settings: &BTreeMap<String, String>) -> Result<(), String> {
    let policy = settings.get("cleanup.policy").map_or("", String::as_str);
    if topic.starts_with("cdc.") && policy.contains("compact") {
        return Err(format!(
            "topic `{topic}` has cleanup.policy={policy}, and must have `delete`: in a compacted topic a tombstone that stands alone \
             can't be told from one that is replayed; `shoppulse topics apply --execute` changes it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn config() -> Config {
        Config::load(&Sources::default()).unwrap()
    }

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn topics_are_what_the_contracts_say() {
        // covers: R8, R20
        let wanted: BTreeMap<String, BTreeMap<String, String>> =
            wanted(&config()).into_iter().map(|topic| (topic.name, topic.config)).collect();
        let cases = [
            ("raw.events", "cleanup.policy", "delete"),
            ("raw.events", "retention.ms", "259200000"),
            ("clean.events", "retention.ms", "432000000"),
            ("cdc.shop.public.orders", "cleanup.policy", "delete"),
            ("curated.sessions", "cleanup.policy", "compact"),
            ("late.events", "max.message.bytes", "2097152"),
            ("dlq.shoppulse", "max.message.bytes", "2097152"),
            ("dlq.shoppulse", "retention.ms", "2592000000"),
            ("ops.quality", "cleanup.policy", "compact,delete"),
        ];
        for (topic, key, value) in cases {
            assert_eq!(wanted[topic][key], value, "{topic} {key}");
        }
    }

    #[test]
    fn every_topic_of_a_pipeline_is_planned() {
        let planned: Vec<String> = wanted(&config()).into_iter().map(|topic| topic.name).collect();
        let schemas = crate::schemas::Schemas::in_memory();
        for pipeline in crate::catalogue::ALL {
            let topology = (pipeline.build)(&schemas).unwrap();
            for topic in topology.reads().into_iter().chain(topology.writes()) {
                assert!(planned.iter().any(|planned| **planned == *topic), "{topic} of {}", pipeline.name);
            }
        }
    }

    #[test]
    fn a_plan_creates_alters_or_leaves_alone() {
        let wanted = wanted(&config()).into_iter().find(|topic| topic.name == "ops.quality").unwrap();
        let found = |partitions| TopicDescription { name: "ops.quality".into(), id: [0; 16], partitions, replication_factor: 1 };
        assert!(matches!(plan(&wanted, None, &BTreeMap::new()).step, Step::Create(_)));
        let fitting = settings(&[("cleanup.policy", "delete,compact"), ("retention.ms", "2592000000")]);
        assert_eq!(
            plan(&wanted, Some(&found(6)), &fitting),
            Planned { name: "ops.quality".into(), step: Step::Fits, partitions: None }
        );
        let differing = settings(&[("cleanup.policy", "delete,compact"), ("retention.ms", "1")]);
        let planned = plan(&wanted, Some(&found(3)), &differing);
        assert_eq!(planned.step, Step::Alter(vec![("retention.ms".into(), "1".into(), "2592000000".into())]));
        assert_eq!(planned.partitions, Some((3, 6)));
    }

    #[test]
    fn clean_events_outlive_a_replay_of_raw_ones() {
        // covers: R8
        let retention = |raw: u64, clean: u64, quality: u64| Retention {
            raw: Duration::from_secs(raw * 3600),
            clean: Duration::from_secs(clean * 3600),
            failed: DAY,
            quality: Duration::from_secs(quality * 3600),
        };
        for (raw, clean, quality, ok) in
            [(72, 120, 720, true), (72, 119, 720, false), (96, 120, 720, false), (72, 120, 71, false)]
        {
            assert_eq!(check_retention(&retention(raw, clean, quality)).is_ok(), ok, "{raw} {clean} {quality}");
        }
    }

    #[test]
    fn compacted_changes_are_refused() {
        // covers: R8
        for (topic, policy, ok) in [
            ("cdc.shop.public.orders", "delete", true),
            ("cdc.shop.public.orders", "compact", false),
            ("cdc.shop.public.orders", "compact,delete", false),
            ("curated.sessions", "compact", true),
        ] {
            assert_eq!(check_changes(topic, &settings(&[("cleanup.policy", policy)])).is_ok(), ok, "{topic} {policy}");
        }
    }
}
