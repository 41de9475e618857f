//! The start: topics of the outside world are checked, internal topics created or checked, all before a thread runs.
//!
//! What is wrong here stops the start with a message that names the topic and the mend.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use highwater_state::StoreKind;

use super::assignment::Parts;
use super::settings::Settings;
use crate::error::{Error, ErrorKind};
use crate::kafka::{Admin, Kafka, KafkaErrorKind, NewTopic, TopicDescription};
use crate::task::TopicTable;
use crate::time::{Clock as _, SystemClock};
use crate::topology::{SubTopology, TopicName, Topology, store_specs};

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
    /// Settings that correctness rests on, by Kafka's names.
    pub config: BTreeMap<String, String>,
}

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
    let differing = wanted.config.iter().find(|(key, value)| settings.get(*key).is_some_and(|set| set != *value));
    differing.map_or(TopicCheck::Fits, |(key, value)| {
        TopicCheck::Differs(format!(
            "internal topic `{name}` has {key}={found} and needs {value}: `kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {key}={value}`",
            name = wanted.name,
            found = settings[key],
        ))
    })
}

/// Checks what exists, creates what is the application's own.
pub(crate) fn prepare(topology: &Topology, settings: &Settings, kafka: &dyn Kafka) -> Result<Prepared, Error> {
    let application = settings.application(topology);
    let mut admin = kafka.admin()?;
    let mut counts = external_topics(topology, settings, &mut *admin)?;
    check_equal_partitions(topology, &counts)?;
    let internal = internal_topics(topology, settings, |name| counts.get(name).copied())?;
    let log_ids = ensure(&internal, settings, &mut *admin)?;
    counts.extend(internal.iter().map(|topic| (topic.name.clone(), topic.partitions)));
    let parts = Parts::new(topology, &application, |topic| counts[topic]);
    let limits = record_limits(&counts, settings, &mut *admin)?;
    let topics = TopicTable::new(counts.into_iter().map(|(name, count)| (Arc::from(name), count)));
    let topics = topics.with_record_max_bytes(limits);
    Ok(Prepared { application, parts, topics: Arc::new(topics), log_ids })
}

/// The largest record that each topic takes from this client.
fn record_limits(
    counts: &BTreeMap<String, i32>,
    settings: &Settings,
    admin: &mut dyn Admin,
) -> Result<Vec<(Arc<str>, usize)>, Error> {
    let mut limits = Vec::new();
    for name in counts.keys() {
        let config = config_of(name, settings, admin)?;
        let of_topic = config.get("max.message.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(usize::MAX);
        limits.push((Arc::from(&**name), of_topic.min(settings.limits.record_bytes)));
    }
    Ok(limits)
}

/// Partition counts of the topics of the outside world, all of which must exist.
fn external_topics(topology: &Topology, settings: &Settings, admin: &mut dyn Admin) -> Result<BTreeMap<String, i32>, Error> {
    let mut names = topology.reads();
    names.extend(topology.writes());
    names.sort();
    names.dedup();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let found = admin.describe_topics(&names, settings.request_timeout).map_err(|error| cluster_error(error, settings))?;
    let missing: Vec<String> =
        names.iter().zip(&found).filter(|(_, topic)| topic.is_none()).map(|(name, _)| format!("`{name}`")).collect();
    if !missing.is_empty() {
        return Err(Error::config(format!("topics {} do not exist: {}", missing.join(", "), settings.create_topics_hint)));
    }
    Ok(found.into_iter().flatten().map(|topic| (topic.name.to_string(), topic.partitions)).collect())
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

fn cluster_error(error: crate::kafka::KafkaError, settings: &Settings) -> Error {
    let error = Error::from(error);
    if *error.kind() == ErrorKind::Unavailable {
        return error.context(format_args!(
            "no broker answered within {:?}; check the bootstrap servers and that they are up",
            settings.request_timeout
        ));
    }
    error
}

/// Creates what is missing, refuses what differs, and returns the topics' identities.
fn ensure(wanted: &[InternalTopic], settings: &Settings, admin: &mut dyn Admin) -> Result<BTreeMap<String, [u8; 16]>, Error> {
    let names: Vec<&str> = wanted.iter().map(|topic| &*topic.name).collect();
    let found = admin.describe_topics(&names, settings.request_timeout)?;
    let mut missing = Vec::new();
    for (topic, found) in wanted.iter().zip(&found) {
        let config = if found.is_some() { config_of(&topic.name, settings, admin)? } else { BTreeMap::new() };
        match check(topic, found.as_ref(), &config) {
            TopicCheck::Fits => {}
            TopicCheck::Missing => missing.push(NewTopic {
                name: topic.name.clone(),
                partitions: topic.partitions,
                replication_factor: settings.replication_factor,
                config: topic.config.clone(),
            }),
            TopicCheck::Differs(sentence) => return Err(Error::config(sentence)),
        }
    }
    if missing.is_empty() {
        return Ok(ids(found));
    }
    admin.create_topics(&missing, settings.request_timeout)?;
    await_topics(&names, settings, admin)
}

/// The settings of a topic that exists. One that this process or another has just made is not known to every broker at once.
fn config_of(name: &str, settings: &Settings, admin: &mut dyn Admin) -> Result<BTreeMap<String, String>, Error> {
    const ATTEMPTS: usize = 250;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..ATTEMPTS {
        match admin.topic_config(name, settings.request_timeout) {
            Err(error) if error.kind == KafkaErrorKind::UnknownTopic => SystemClock.sleep(PAUSE),
            answer => return Ok(answer?),
        }
    }
    Ok(admin.topic_config(name, settings.request_timeout)?)
}

/// Waits until every broker that may be asked knows the topics.
fn await_topics(names: &[&str], settings: &Settings, admin: &mut dyn Admin) -> Result<BTreeMap<String, [u8; 16]>, Error> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let found = admin.describe_topics(names, settings.request_timeout)?;
        if found.iter().all(Option::is_some) {
            return Ok(ids(found));
        }
    }
    Err(Error::new(ErrorKind::Unavailable, "internal topics were created, but brokers still do not know them"))
}

fn ids(found: Vec<Option<TopicDescription>>) -> BTreeMap<String, [u8; 16]> {
    found.into_iter().flatten().map(|topic| (topic.name.to_string(), topic.id)).collect()
}
