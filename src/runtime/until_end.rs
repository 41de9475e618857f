//! The end of a bounded run: everything that lay in the inputs when it began, and all that comes of it.
//!
//! Judged by the groups' committed positions, not by what this process does, so that several processes may share the work and
//! any of them may be restarted. Parts of topologies are judged in the order of their topics: a part that reads what another
//! writes gets its ends when the other is done.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::Error;
use crate::kafka::{Admin, Isolation, Kafka, OffsetSpec};
use crate::record::TopicPartition;
use crate::runtime::Settings;
use crate::runtime::note::Note;
use crate::topology::Topology;

/// Watches a bounded run.
pub struct UntilEnd {
    admin: Box<dyn Admin>,
    timeout: Duration,
    parts: Vec<Part>,
}

impl std::fmt::Debug for UntilEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UntilEnd").field("parts", &self.parts).finish_non_exhaustive()
    }
}

/// A sub-topology and what it still has to process.
#[derive(Debug)]
struct Part {
    group: String,
    inputs: Vec<String>,
    writes: BTreeSet<String>,
    /// Ends of the inputs that nobody here writes: those of the beginning.
    at_start: Vec<(TopicPartition, i64)>,
    /// Ends of all inputs, once they are known.
    targets: Option<Vec<(TopicPartition, i64)>>,
    /// The ends before emissions that were held back came out.
    targets_before: Option<Vec<(TopicPartition, i64)>>,
    done: bool,
}

/// How far a bounded run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many records are known to be left, at least.
    Remaining(i64),
    /// Everything is processed and committed.
    Done,
}

impl UntilEnd {
    /// Notes where the inputs of these applications end now.
    pub fn new(kafka: &dyn Kafka, applications: &[(&Topology, &Settings)]) -> Result<Self, Error> {
        let timeout = applications.first().map_or(Duration::from_secs(30), |(_, settings)| settings.request_timeout);
        let mut admin = kafka.admin()?;
        let mut parts: Vec<Part> = applications.iter().flat_map(|(topology, settings)| parts_of(topology, settings)).collect();
        let written: BTreeSet<String> = parts.iter().flat_map(|part| part.writes.iter().cloned()).collect();
        for part in &mut parts {
            let outer: Vec<&str> = part.inputs.iter().filter(|topic| !written.contains(*topic)).map(|topic| &**topic).collect();
            part.at_start = ends(&mut *admin, &outer, timeout)?;
        }
        Ok(Self { admin, timeout, parts })
    }

    /// Looks how far the run is.
    pub fn poll(&mut self) -> Result<Progress, Error> {
        let mut has_news = false;
        loop {
            let (mut remaining, mut advanced) = (0, false);
            for index in 0..self.parts.len() {
                if self.parts[index].done {
                    continue;
                }
                if !self.is_fed(index) {
                    remaining += 1;
                    continue;
                }
                has_news |= self.find_targets(index)?;
                let left = self.left(index)?;
                self.parts[index].done = left == 0;
                advanced |= left == 0;
                remaining += left;
            }
            match (remaining, has_news) {
                (0, false) => return Ok(Progress::Done),
                (0, true) => return Ok(Progress::Remaining(1)),
                // Parts come in no order: one that is done may feed one that was looked at before.
                _ if advanced => {}
                _ => return Ok(Progress::Remaining(remaining)),
            }
        }
    }

    /// Emissions that were held back have come out: parts that read what others write may have more to do.
    pub fn look_again(&mut self) {
        let written: BTreeSet<String> = self.parts.iter().flat_map(|part| part.writes.iter().cloned()).collect();
        for part in &mut self.parts {
            if part.inputs.iter().any(|input| written.contains(input)) {
                part.done = false;
                part.targets_before = part.targets.take().or_else(|| part.targets_before.take());
            }
        }
    }

    /// Whether a task still holds back what came of these inputs, whoever has it: one of another member, or of one that is gone and that
    /// the group still counts on. What else the tasks of a member that goes on beside this run hold back is not counted: those that
    /// have gone beyond the ends never stop holding something back.
    ///
    /// To be asked when what this process held back has come out.
    pub fn holds_back(&mut self) -> Result<bool, Error> {
        for part in &self.parts {
            let targets = part.targets.as_deref().unwrap_or_default();
            let partitions: Vec<TopicPartition> = targets.iter().map(|(partition, _)| partition.clone()).collect();
            let committed = self.admin.group_offsets(&part.group, &partitions, self.timeout)?;
            let positions = targets.iter().zip(&committed).filter_map(|(target, committed)| Some((target, committed.as_ref()?)));
            let (mut holding, mut beyond) = (BTreeSet::new(), BTreeSet::new());
            for ((partition, end), committed) in positions {
                if Note::read(&committed.metadata).holds_back {
                    holding.insert(partition.partition);
                }
                if committed.offset > *end {
                    beyond.insert(partition.partition);
                }
            }
            if !holding.is_subset(&beyond) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether all that feeds this part is done.
    fn is_fed(&self, index: usize) -> bool {
        let part = &self.parts[index];
        let feeds = |other: &Part| part.inputs.iter().any(|input| other.writes.contains(input));
        self.parts.iter().enumerate().all(|(other_index, other)| other_index == index || other.done || !feeds(other))
    }

    /// Looks up where a part's inputs end, if that is not known; whether they end elsewhere than when it was done before. Such new
    /// input may be processed already, and yet what came of it be held back: who watches must drain once more.
    fn find_targets(&mut self, index: usize) -> Result<bool, Error> {
        let mut has_more = false;
        if self.parts[index].targets.is_none() {
            let part = &self.parts[index];
            let known: BTreeSet<&str> = part.at_start.iter().map(|(partition, _)| &*partition.topic).collect();
            let inner: Vec<&str> = part.inputs.iter().map(|topic| &**topic).filter(|topic| !known.contains(topic)).collect();
            let mut targets = part.at_start.clone();
            targets.extend(ends(&mut *self.admin, &inner, self.timeout)?);
            has_more = part.targets_before.as_ref().is_some_and(|before| *before != targets);
            self.parts[index].targets = Some(targets);
        }
        Ok(has_more)
    }

    /// Records between the committed positions and the ends.
    fn left(&mut self, index: usize) -> Result<i64, Error> {
        let part = &self.parts[index];
        let targets = part.targets.as_deref().unwrap_or_default();
        let partitions: Vec<TopicPartition> = targets.iter().map(|(partition, _)| partition.clone()).collect();
        let committed = self.admin.group_offsets(&part.group, &partitions, self.timeout)?;
        let starts = self.admin.list_offsets(&partitions, OffsetSpec::Earliest, self.timeout)?;
        let left = targets.iter().zip(committed).zip(starts).map(|(((_, end), committed), start)| {
            (end - committed.map_or(start, |committed| committed.offset).max(start)).max(0)
        });
        Ok(left.sum())
    }
}

fn parts_of(topology: &Topology, settings: &Settings) -> Vec<Part> {
    let application = settings.application(topology);
    let part = |part: &crate::topology::SubTopology| Part {
        group: application.to_string(),
        inputs: part.sources.iter().map(|source| source.topic.on_cluster(&application)).collect(),
        writes: part.writes.iter().map(|topic| topic.on_cluster(&application)).collect(),
        at_start: Vec::new(),
        targets: None,
        targets_before: None,
        done: false,
    };
    topology.0.subtopologies.iter().map(part).collect()
}

/// The log ends of topics, open transactions included.
fn ends(admin: &mut dyn Admin, topics: &[&str], timeout: Duration) -> Result<Vec<(TopicPartition, i64)>, Error> {
    let described = admin.describe_topics(topics, timeout)?;
    let mut partitions = Vec::new();
    for (name, topic) in topics.iter().zip(described) {
        let topic = topic.ok_or_else(|| Error::config(format!("topic `{name}` does not exist")))?;
        partitions.extend((0..topic.partitions).map(|partition| TopicPartition::new(topic.name.clone(), partition)));
    }
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let ends = admin.list_offsets(&partitions, OffsetSpec::Latest(Isolation::ReadUncommitted), timeout)?;
    Ok(partitions.into_iter().zip(ends).collect())
}
