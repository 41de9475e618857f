//! The start: topics of the outside world are checked, internal topics created or checked, all before a thread runs.
//!
//! What is wrong here stops the start with a message that names the topic and the mend.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater_state::StoreKind;

use super::assignment::Parts;
use super::settings::Settings;
use crate::error::Error;
use crate::kafka::{Kafka, TopicDescription};
use crate::task::TopicTable;
use crate::time::Clock;
use crate::topology::{SubTopology, TopicName, Topology, store_specs};

mod cluster;

use cluster::Cluster;

/// What the start found out.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// `<application_id>-<topology>`.
    pub(crate) application: Arc<str>,
    pub(crate) parts: Parts,
    pub(crate) topics: Arc<TopicTable>,
    /// Identities of the changelog topics.
    pub(crate) log_ids: BTreeMap<String, [u8; 16]>,
}

/// A topic that the application makes for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopic {
    /// Its name on the cluster.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Settings to create it with, by Kafka's names. Those of [`BINDING`] may not be changed, others may.
    pub config: BTreeMap<String, String>,
}

/// Settings of internal topics that results rest on: with others, state could not be rebuilt from them.
pub const BINDING: [&str; 2] = ["cleanup.policy", "retention.ms"];

/// What a topic lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicCheck {
    /// It is as it should be.
    Fits,
    /// It does not exist.
    Missing,
    /// It differs; the sentence says how and what mends it.
    Differs(String),
}

/// The internal topics of a topology, whose inputs have these partition counts.
pub fn internal_topics(
    topology: &Topology,
    settings: &Settings,
    partitions: impl Fn(&str) -> Option<i32>,
) -> Result<Vec<InternalTopic>, Error> {
    let application = settings.application(topology);
    let mut topics: Vec<InternalTopic> = Vec::new();
    for (name, count) in &topology.0.repartitions {
        topics.push(InternalTopic {
            name: TopicName::Repartition(Arc::clone(name)).on_cluster(&application),
            partitions: count.unwrap_or(settings.internal_partitions),
            config: config(&[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("segment.bytes", "52428800")]),
        });
    }
    let repartition = |name: &str| topics.iter().find(|topic| topic.name == name).map(|topic| topic.partitions);
    let mut changelogs = Vec::new();
    for part in &topology.0.subtopologies {
        let count_of = |name: &str| repartition(name).or_else(|| partitions(name));
        let tasks = co_partitions(part, &application, count_of)?;
        for spec in store_specs(&topology.0, part).iter().filter(|spec| spec.logged) {
            let name = format!("{application}-{}-changelog", spec.name);
            changelogs.push(InternalTopic { name, partitions: tasks, config: changelog_config(&spec.kind) });
        }
    }
    topics.extend(changelogs);
    Ok(topics)
}

fn changelog_config(kind: &StoreKind) -> BTreeMap<String, String> {
    match kind {
        StoreKind::Dedup { .. } => config(&[("cleanup.policy", "delete"), ("retention.ms", "-1"), ("segment.bytes", "52428800")]),
        StoreKind::KeyValue | StoreKind::Window { .. } | StoreKind::Session { .. } => config(&[("cleanup.policy", "compact")]),
    }
}

fn config(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// How many partitions all inputs of a part have; they must agree, since partition *n* of each meets in task *n*.
fn co_partitions(part: &SubTopology, application: &str, count: impl Fn(&str) -> Option<i32>) -> Result<i32, Error> {
    let lead = part.lead.on_cluster(application);
    let missing = |name: &str| Error::config(format!("topic `{name}` does not exist"));
    let expected = count(&lead).ok_or_else(|| missing(&lead))?;
    for source in &part.sources {
        let name = source.topic.on_cluster(application);
        let found = count(&name).ok_or_else(|| missing(&name))?;
        if found != expected {
            return Err(Error::config(format!(
                "topics `{lead}` and `{name}` meet in `{}`, so they need equally many partitions, but have {expected} and {found}: \
                 recreate one of them, or put a repartition in front",
                part.name
            )));
        }
    }
    Ok(expected)
}

/// Compares a topic with what it should be.
pub(crate) fn check(wanted: &InternalTopic, found: Option<&TopicDescription>, settings: &BTreeMap<String, String>) -> TopicCheck {
    let Some(found) = found else { return TopicCheck::Missing };
    if found.partitions != wanted.partitions {
        return TopicCheck::Differs(format!(
            "internal topic `{}` has {} partitions and needs {}: its tasks have changed, so reset the application, which deletes it",
            wanted.name, found.partitions, wanted.partitions
        ));
    }
    let mut binding = wanted.config.iter().filter(|(key, _)| BINDING.contains(&&***key));
    let differing = binding.find(|(key, value)| settings.get(*key).is_some_and(|set| set != *value));
    differing.map_or(TopicCheck::Fits, |(key, value)| {
        TopicCheck::Differs(format!(
            "internal topic `{name}` has {key}={found} and needs {value}: `kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {key}={value}`",
            name = wanted.name,
            found = settings[key],
        ))
    })
}

/// Checks what exists, creates what is the application's own.
pub(crate) fn prepare(topology: &Topology, settings: &Settings, kafka: &dyn Kafka, clock: &dyn Clock) -> Result<Prepared, Error> {
    let application = settings.application(topology);
    let mut cluster = Cluster::connect(kafka, settings, clock)?;
    let mut counts = cluster.external_topics(topology)?;
    check_equal_partitions(topology, &counts)?;
    let internal = internal_topics(topology, settings, |name| counts.get(name).copied())?;
    let log_ids = cluster.ensure(&internal)?;
    counts.extend(internal.iter().map(|topic| (topic.name.clone(), topic.partitions)));
    let parts = Parts::new(topology, &application, |topic| counts[topic]);
    let limits = cluster.record_limits(&counts)?;
    let topics = TopicTable::new(counts.into_iter().map(|(name, count)| (Arc::from(name), count)));
    let topics = topics.with_record_max_bytes(limits);
    Ok(Prepared { application, parts, topics: Arc::new(topics), log_ids })
}

/// Topics whose records stay in their partitions need equally many.
fn check_equal_partitions(topology: &Topology, counts: &BTreeMap<String, i32>) -> Result<(), Error> {
    for (one, other) in &topology.0.equal_partitions {
        let (has, needs) = (counts.get(&**other), counts.get(&**one));
        if has != needs {
            return Err(Error::config(format!(
                "topics `{one}` and `{other}` need equally many partitions, but have {} and {}: recreate one of them",
                needs.copied().unwrap_or_default(),
                has.copied().unwrap_or_default()
            )));
        }
    }
    Ok(())
}
