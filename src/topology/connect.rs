//! Finds the sub-topologies of a graph: nodes that share an edge or a store belong together.
//!
//! Pure: a list of nodes in, a list of parts or one clear refusal out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Graph, NodeId, Role, SourceSpec, StoreRef, SubTopology, TopicName};
use crate::error::Error;

/// Fills in `graph.subtopologies`.
pub(crate) fn connect(graph: &mut Graph) -> Result<(), Error> {
    let mut parts: BTreeMap<usize, Vec<NodeId>> = BTreeMap::new();
    let roots = roots(graph);
    for index in 0..graph.nodes.len() {
        parts.entry(root(&roots, index)).or_default().push(NodeId(index));
    }
    let mut found: Vec<SubTopology> = parts.into_values().map(|nodes| part(graph, nodes)).collect::<Result<_, _>>()?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = found.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::topology(format!(
            "two sub-topologies are named `{}`: name one of them by its lead source, `Consumed::topic(..).subtopology(\"..\")`",
            pair[0].name
        )));
    }
    graph.subtopologies = found;
    Ok(())
}

/// Union-find over nodes: each points towards the root of its part.
fn roots(graph: &Graph) -> Vec<usize> {
    let mut roots: Vec<usize> = (0..graph.nodes.len()).collect();
    let mut first_user: BTreeMap<StoreRef, usize> = BTreeMap::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        for parent in &node.parents {
            join(&mut roots, index, parent.0);
        }
        for store in &node.stores {
            let first = *first_user.entry(*store).or_insert(index);
            join(&mut roots, index, first);
        }
    }
    roots
}

fn root(roots: &[usize], mut index: usize) -> usize {
    while roots[index] != index {
        index = roots[index];
    }
    index
}

fn join(roots: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(roots, a), root(roots, b));
    roots[a.max(b)] = a.min(b);
}

fn part(graph: &Graph, nodes: Vec<NodeId>) -> Result<SubTopology, Error> {
    let roles = || nodes.iter().map(|id| &graph.nodes[id.0].role);
    let sources: Vec<SourceSpec> =
        roles().filter_map(|role| if let Role::Source(spec) = role { Some(spec.clone()) } else { None }).collect();
    let writes: BTreeSet<TopicName> =
        roles().filter_map(|role| if let Role::Sink(topic) = role { Some(topic.clone()) } else { None }).collect();
    let stores: BTreeSet<StoreRef> = nodes.iter().flat_map(|id| graph.nodes[id.0].stores.iter().copied()).collect();
    if sources.is_empty() {
        let name = &graph.nodes[nodes[0].0].name;
        return Err(Error::topology(format!("`{name}` is connected to no source")));
    }
    for topic in sources.iter().map(|source| &source.topic) {
        if sources.iter().filter(|source| source.topic == *topic).count() > 1 {
            return Err(Error::topology(format!(
                "topic `{topic}` has two sources in one sub-topology: read it once and use the stream twice"
            )));
        }
    }
    let lead = lead(&sources)?;
    let part_name = lead.subtopology.clone().unwrap_or_else(|| match &lead.topic {
        TopicName::External(name) | TopicName::Repartition(name) => Arc::clone(name),
    });
    Ok(SubTopology {
        name: Arc::from(format!("{}.{part_name}", graph.name)),
        lead: lead.topic.clone(),
        sources,
        nodes,
        stores: stores.into_iter().collect(),
        writes: writes.into_iter().collect(),
    })
}

/// The source whose partitions stand for the tasks: the only one, or the one that the author named.
fn lead(sources: &[SourceSpec]) -> Result<&SourceSpec, Error> {
    let named: Vec<&SourceSpec> = sources.iter().filter(|source| source.lead).collect();
    match (named.as_slice(), sources) {
        ([lead], _) => Ok(lead),
        ([], [only]) => Ok(only),
        ([], many) => Err(Error::topology(format!(
            "topics {} meet in one sub-topology: name the one that leads, `Consumed::topic(..).lead()`",
            many.iter().map(|source| format!("`{}`", source.topic)).collect::<Vec<_>>().join(", ")
        ))),
        (many, _) => Err(Error::topology(format!(
            "topics {} both lead one sub-topology: name one",
            many.iter().map(|source| format!("`{}`", source.topic)).collect::<Vec<_>>().join(", ")
        ))),
    }
}
