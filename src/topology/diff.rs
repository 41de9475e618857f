//! What a new version of a topology keeps, adds and loses of the old one: of what has state or a name on the cluster.
//!
//! Nodes without state are left out: putting a filter between two others changes nothing that lasts.

use std::collections::BTreeMap;
use std::fmt;

use super::Topology;
use super::describe::{Description, PartDescription};
use crate::error::Error;

/// One difference between two versions of a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is about.
    pub what: Part,
    /// The author's name for that.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
    /// Why state or records would be lost, or end where nobody looks for them; `None` if none would.
    pub breaks: Option<&'static str>,
}

/// What has a name that outlives a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The topology itself.
    Topology,
    /// A sub-topology.
    SubTopology,
    /// The topic that leads a sub-topology.
    LeadTopic,
    /// A store.
    Store,
    /// A repartition topic.
    Repartition,
}

/// What becomes of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it was.
    Kept,
    /// It is new.
    Added,
    /// It is gone.
    Lost,
    /// It stays, but not as it was.
    Changed {
        /// As it was.
        from: String,
        /// As it is.
        to: String,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topology => "topology",
            Self::SubTopology => "sub-topology",
            Self::LeadTopic => "lead topic of",
            Self::Store => "store",
            Self::Repartition => "repartition topic",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fate {
            Fate::Kept => write!(f, "kept     {} {}", self.what, self.name),
            Fate::Added => write!(f, "added    {} {}", self.what, self.name),
            Fate::Lost => write!(f, "lost     {} {}", self.what, self.name),
            Fate::Changed { from, to } => write!(f, "changed  {} {}: {from} -> {to}", self.what, self.name),
        }?;
        self.breaks.map_or(Ok(()), |why| write!(f, "  BREAKS: {why}"))
    }
}

/// Compares an old version, as [`describe`](Topology::describe) wrote it as JSON, with a new one.
///
/// ```
/// use highwater::StreamsBuilder;
/// use highwater::topology::{Format, diff};
///
/// let version = |store: &str| {
///     let builder = StreamsBuilder::new("words");
///     builder.stream::<String, String>("lines").group_by_key().count(store).to_stream().to("counts");
///     builder.build().unwrap()
/// };
/// let old = version("counts").describe(Format::Json);
/// let breaking: Vec<String> =
///     diff(&old, &version("totals"))?.iter().filter(|one| one.breaks.is_some()).map(ToString::to_string).collect();
/// assert_eq!(breaking, ["lost     store counts  BREAKS: its state stays behind in a changelog that nobody reads"]);
/// # Ok::<(), highwater::Error>(())
/// ```
pub fn diff(old_json: &str, new: &Topology) -> Result<Vec<Difference>, Error> {
    let old: Description = serde_json::from_str(old_json)
        .map_err(|error| Error::config("the old topology is not a description as JSON").caused_by(error))?;
    Ok(compare(&old, &new.description()))
}

/// Compares two descriptions, as [`diff`] does.
pub fn compare(old: &Description, new: &Description) -> Vec<Difference> {
    let mut all = Vec::new();
    if old.topology != new.topology {
        all.push(Difference {
            what: Part::Topology,
            name: new.topology.clone(),
            fate: changed(&old.topology, &new.topology),
            breaks: Some("it is another application: another group, other internal topics, other state"),
        });
    }
    all.extend(parts(old, new));
    all.extend(stores(old, new));
    all.extend(repartitions(old, new));
    all
}

fn changed(from: &str, to: &str) -> Fate {
    Fate::Changed { from: from.to_owned(), to: to.to_owned() }
}

/// Pairs what both have by name.
fn paired<T>(old: BTreeMap<String, T>, mut new: BTreeMap<String, T>) -> Vec<(String, Option<T>, Option<T>)> {
    let mut pairs: Vec<_> = old
        .into_iter()
        .map(|(name, old)| {
            let new = new.remove(&name);
            (name, Some(old), new)
        })
        .collect();
    pairs.extend(new.into_iter().map(|(name, new)| (name, None, Some(new))));
    pairs.sort_by(|one, other| one.0.cmp(&other.0));
    pairs
}

/// What becomes of something that is only there or not there.
fn presence<T>(old: Option<&T>, new: Option<&T>) -> Fate {
    match (old, new) {
        (Some(_), Some(_)) => Fate::Kept,
        (Some(_), None) => Fate::Lost,
        (None, _) => Fate::Added,
    }
}

fn parts(old: &Description, new: &Description) -> Vec<Difference> {
    let by_name = |all: &Description| -> BTreeMap<String, PartDescription> {
        all.subtopologies.iter().map(|part| (part.name.clone(), part.clone())).collect()
    };
    let mut differences = Vec::new();
    for (name, old, new) in paired(by_name(old), by_name(new)) {
        let fate = presence(old.as_ref(), new.as_ref());
        let breaks = (fate == Fate::Lost).then_some("its tasks and what they know of themselves stay behind");
        differences.push(Difference { what: Part::SubTopology, name: name.clone(), fate, breaks });
        if let (Some(old), Some(new)) = (old, new)
            && old.lead != new.lead
        {
            let breaks = Some("its partitions stand for the tasks, so tasks would be assigned by another topic");
            differences.push(Difference { what: Part::LeadTopic, name, fate: changed(&old.lead, &new.lead), breaks });
        }
    }
    differences
}

/// A store's kind, how long it keeps, and the part that it is in.
type Placed = (String, Option<i64>, String);

fn stores(old: &Description, new: &Description) -> Vec<Difference> {
    let by_name = |all: &Description| -> BTreeMap<String, Placed> {
        let of = |part: &PartDescription| {
            let name = part.name.clone();
            let placed =
                part.stores.iter().map(move |store| (store.name.clone(), (store.kind.clone(), store.retention_ms, name.clone())));
            placed.collect::<Vec<_>>()
        };
        all.subtopologies.iter().flat_map(of).collect()
    };
    let pairs = paired(by_name(old), by_name(new));
    pairs.into_iter().map(|(name, old, new)| store(name, old.as_ref(), new.as_ref())).collect()
}

fn store(name: String, old: Option<&Placed>, new: Option<&Placed>) -> Difference {
    let (fate, breaks) = match (old, new) {
        (Some((old, ..)), Some((new, ..))) if old != new => {
            (changed(old, new), Some("what lies in it cannot be read as the other kind"))
        }
        (Some((.., old)), Some((.., new))) if old != new => {
            (changed(old, new), Some("the tasks of another sub-topology would look for its state under their own names"))
        }
        (Some((_, old, _)), Some((_, new, _))) if old != new => {
            let text = |keeps: &Option<i64>| keeps.map_or_else(|| "for ever".to_owned(), |millis| format!("for {millis} ms"));
            (changed(&text(old), &text(new)), None)
        }
        (old, new) => {
            let fate = presence(old, new);
            let breaks = (fate == Fate::Lost).then_some("its state stays behind in a changelog that nobody reads");
            (fate, breaks)
        }
    };
    Difference { what: Part::Store, name, fate, breaks }
}

fn repartitions(old: &Description, new: &Description) -> Vec<Difference> {
    let by_name = |all: &Description| -> BTreeMap<String, Option<i32>> {
        all.repartitions.iter().map(|topic| (topic.name.clone(), topic.partitions)).collect()
    };
    let text = |partitions: Option<i32>| partitions.map_or_else(|| "as set".to_owned(), |count| format!("{count} partitions"));
    let pairs = paired(by_name(old), by_name(new)).into_iter();
    pairs
        .map(|(name, old, new)| {
            let (fate, breaks) = match (old, new) {
                (Some(old), Some(new)) if old != new => {
                    (changed(&text(old), &text(new)), Some("keys would move to other partitions than their state"))
                }
                (old, new) => {
                    let fate = presence(old.as_ref(), new.as_ref());
                    let breaks = (fate == Fate::Lost).then_some("records that wait in it are never read");
                    (fate, breaks)
                }
            };
            Difference { what: Part::Repartition, name, fate, breaks }
        })
        .collect()
}
