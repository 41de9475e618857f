//! What an assignment means: lead partitions stand for tasks, and tasks for all their inputs. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::record::{TaskId, TopicPartition};
use crate::topology::{OffsetReset, Topology};

/// A sub-topology with its topics under their names on the cluster.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedPart {
    pub(crate) name: Arc<str>,
    /// All inputs, the lead among them, in the order of the sources.
    pub(crate) inputs: Vec<(Arc<str>, OffsetReset)>,
    /// Partitions of each input, hence tasks.
    pub(crate) partitions: i32,
    /// Hash over lead, inputs and counts: members with different ones must not share work.
    pub(crate) fingerprint: String,
}

/// The parts of a topology, found by their lead topics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    by_lead: BTreeMap<Arc<str>, ResolvedPart>,
}

impl Parts {
    pub(crate) fn new(topology: &Topology, application: &str, partitions: impl Fn(&str) -> i32) -> Self {
        let resolve = |part: &crate::topology::SubTopology| {
            let lead: Arc<str> = Arc::from(part.lead.on_cluster(application));
            let inputs: Vec<_> =
                part.sources.iter().map(|source| (Arc::from(source.topic.on_cluster(application)), source.reset)).collect();
            let partitions = partitions(&lead);
            let fingerprint = fingerprint(&lead, &inputs, partitions);
            (lead, ResolvedPart { name: Arc::clone(&part.name), inputs, partitions, fingerprint })
        };
        Self { by_lead: topology.0.subtopologies.iter().map(resolve).collect() }
    }

    /// What a member of the group subscribes to.
    pub(crate) fn leads(&self) -> Vec<Arc<str>> {
        self.by_lead.keys().cloned().collect()
    }

    /// The same, each with its number of partitions.
    pub(crate) fn leads_with_counts(&self) -> impl Iterator<Item = (Arc<str>, i32)> {
        self.by_lead.iter().map(|(lead, part)| (Arc::clone(lead), part.partitions))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ResolvedPart> {
        self.by_lead.values()
    }

    /// The part that a task belongs to.
    pub(crate) fn of(&self, task: &TaskId) -> &ResolvedPart {
        self.iter().find(|part| part.name == task.subtopology).expect("a task belongs to a part")
    }

    /// The tasks that these lead partitions stand for. Partitions of other topics stand for none.
    pub(crate) fn tasks(&self, leads: &[TopicPartition]) -> Vec<TaskId> {
        let task = |lead: &TopicPartition| {
            let part = self.by_lead.get(&lead.topic)?;
            (lead.partition < part.partitions).then(|| TaskId { subtopology: Arc::clone(&part.name), partition: lead.partition })
        };
        leads.iter().filter_map(task).collect()
    }

    /// All inputs of a task.
    pub(crate) fn inputs(&self, task: &TaskId) -> Vec<(TopicPartition, OffsetReset)> {
        let part = self.of(task);
        part.inputs.iter().map(|(topic, reset)| (TopicPartition::new(Arc::clone(topic), task.partition), *reset)).collect()
    }
}

fn fingerprint(lead: &str, inputs: &[(Arc<str>, OffsetReset)], partitions: i32) -> String {
    let mut names: Vec<&str> = inputs.iter().map(|(topic, _)| &**topic).collect();
    names.sort_unstable();
    let text = format!("{lead}|{}|{partitions}", names.join(","));
    format!("hw1:{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}
