//! What is checked before anything is made: that the topics are there and fit the topologies. What the engine checks itself, such as
//! internal topics and equal partition counts, is not repeated here.

use std::collections::BTreeMap;

use highwater::Topology;

use crate::commands::cluster::Cluster;
use crate::exit::Failure;
use crate::topics::check_changes;

/// Partition counts of all external topics that the topologies read or write.
pub(super) fn check(cluster: &mut Cluster, topologies: &[Topology]) -> Result<BTreeMap<String, i32>, Failure> {
    let mut names: Vec<_> =
        topologies.iter().flat_map(|topology| topology.reads().into_iter().chain(topology.writes())).collect();
    names.sort();
    names.dedup();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let described = cluster.admin.describe_topics(&names, cluster.timeout)?;
    let missing: Vec<String> =
        names.iter().zip(&described).filter(|(_, topic)| topic.is_none()).map(|(name, _)| format!("`{name}`")).collect();
    if !missing.is_empty() {
        let topics = if missing.len() == 1 { "topic" } else { "topics" };
        let verb = if missing.len() == 1 { "does" } else { "do" };
        return Err(Failure::config(format!(
            "{topics} {} {verb} not exist: run `shoppulse topics apply --execute`",
            missing.join(", ")
        )));
    }
    for name in names.iter().filter(|name| name.starts_with("cdc.")) {
        let settings = cluster.admin.topic_config(name, cluster.timeout)?;
        check_changes(name, &settings).map_err(Failure::config)?;
    }
    Ok(described.into_iter().flatten().map(|topic| (topic.name.to_string(), topic.partitions)).collect())
}
