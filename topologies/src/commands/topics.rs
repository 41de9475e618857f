//! `topics plan` and `topics apply`: compares the cluster's external topics with what they should be, and makes them so.

use std::collections::BTreeMap;

use highwater::kafka::NewTopic;

use super::cluster::Cluster;
use super::output::Output;
use crate::cli::TopicsCommand;
use crate::config::Config;
use crate::exit::Failure;
use crate::topics::{Planned, Step, check_retention, plan, wanted};

/// Plans, and applies if asked to.
pub fn run(config: &Config, command: &TopicsCommand) -> Result<(), Failure> {
    check_retention(&config.retention).map_err(Failure::config)?;
    let mut cluster = Cluster::connect(config)?;
    let planned = look(&mut cluster, config)?;
    let mut output = Output::open();
    for topic in &planned {
        for line in lines(topic) {
            output.line(line)?;
        }
    }
    let open = planned.iter().filter(|topic| topic.step != Step::Fits).count();
    match command {
        TopicsCommand::Apply { execute: true } => apply(&mut cluster, &planned)?,
        TopicsCommand::Apply { execute: false } if open > 0 => output.line("nothing was changed: add --execute")?,
        _ => {}
    }
    output.flush()
}

/// What is to be done about each topic.
pub(super) fn look(cluster: &mut Cluster, config: &Config) -> Result<Vec<Planned>, Failure> {
    let wanted = wanted(config);
    let names: Vec<&str> = wanted.iter().map(|topic| &*topic.name).collect();
    let found = cluster.admin.describe_topics(&names, cluster.timeout)?;
    let mut planned = Vec::new();
    for (wanted, found) in wanted.iter().zip(&found) {
        let settings = if found.is_some() { cluster.admin.topic_config(&wanted.name, cluster.timeout)? } else { BTreeMap::new() };
        planned.push(plan(wanted, found.as_ref(), &settings));
    }
    Ok(planned)
}

fn lines(topic: &Planned) -> Vec<String> {
    let name = &topic.name;
    let mut lines = match &topic.step {
        Step::Create(new) => vec![format!("create   {name}  partitions={}{}", new.partitions, settings(new))],
        Step::Fits if topic.partitions.is_none() => vec![format!("ok       {name}")],
        Step::Fits => Vec::new(),
        Step::Alter(settings) => {
            settings.iter().map(|(key, is, should)| format!("differs  {name}  {key}={is}, should be {should}")).collect()
        }
    };
    if let Some((is, should)) = topic.partitions {
        lines.push(format!(
            "differs  {name}  partitions={is}, should be {should}: stays as it is, since keys would move; set `partitions`, or recreate it"
        ));
    }
    lines
}

fn settings(new: &NewTopic) -> String {
    let copies = (new.replication_factor > 0).then(|| format!(" replication_factor={}", new.replication_factor));
    let settings = new.config.iter().map(|(key, value)| format!(" {key}={value}"));
    copies.into_iter().chain(settings).collect()
}

fn apply(cluster: &mut Cluster, planned: &[Planned]) -> Result<(), Failure> {
    let missing: Vec<NewTopic> = planned
        .iter()
        .filter_map(|topic| match &topic.step {
            Step::Create(new) => Some(new.clone()),
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        cluster.admin.create_topics(&missing, cluster.timeout)?;
    }
    for topic in planned {
        if let Step::Alter(settings) = &topic.step {
            let settings = settings.iter().map(|(key, _, should)| (key.clone(), should.clone())).collect();
            cluster.admin.alter_topic_config(&topic.name, &settings, cluster.timeout)?;
        }
    }
    tracing::info!(created = missing.len(), "topics are as they should be");
    Ok(())
}
