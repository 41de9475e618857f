//! `topology`: what the topologies are, without a cluster and without settings.

use std::path::Path;

use highwater::Topology;
use highwater::topology::{Description, Difference, Format as Described, compare};

use super::output::Output;
use crate::catalogue::{ALL, Pipeline, select};
use crate::cli::{Format, TopologyCommand};
use crate::exit::Failure;
use crate::schemas::Schemas;

/// Lists, describes, compares.
pub fn run(command: &TopologyCommand) -> Result<(), Failure> {
    let mut output = Output::open();
    match command {
        TopologyCommand::List => {
            let width = ALL.iter().map(|pipeline| pipeline.name.len()).max().unwrap_or_default();
            for pipeline in ALL {
                output.line(format_args!("{:width$}  {}", pipeline.name, pipeline.about))?;
            }
        }
        TopologyCommand::Describe { name, format } => describe(&mut output, name.as_deref(), *format)?,
        TopologyCommand::Diff { old, new } => return diff(output, old, new),
    }
    output.flush()
}

fn describe(output: &mut Output, name: Option<&str>, format: Format) -> Result<(), Failure> {
    let schemas = Schemas::in_memory();
    let built = |pipeline: &Pipeline| (pipeline.build)(&schemas);
    let topologies: Vec<Topology> = match name {
        None => ALL.iter().map(built).collect::<Result<_, _>>()?,
        Some(name) => {
            let chosen = select(&[name.to_owned()]).map_err(|failure| Failure::usage(failure.message))?;
            chosen.iter().map(built).collect::<Result<_, _>>()?
        }
    };
    match (format, topologies.as_slice()) {
        (Format::Json, [one]) if name.is_some() => output.line(one.describe(Described::Json).trim_end()),
        // All together are a list, so that one file holds a whole version.
        (Format::Json, all) => output.json(&all.iter().map(Topology::description).collect::<Vec<_>>()),
        (Format::Text, all) => all.iter().try_for_each(|topology| output.line(topology.describe(Described::Text).trim_end())),
        (Format::Mermaid, all) => {
            all.iter().try_for_each(|topology| output.line(topology.describe(Described::Mermaid).trim_end()))
        }
    }
}

/// Prints what becomes of each part; a difference that breaks state is a failure.
fn diff(mut output: Output, old: &Path, new: &Path) -> Result<(), Failure> {
    let (old, new) = (read(old)?, read(new)?);
    let mut all: Vec<Difference> = Vec::new();
    for new in &new {
        match old.iter().find(|old| old.topology == new.topology) {
            Some(old) => all.extend(compare(old, new)),
            // One against one is a question about this pair, whatever they are called.
            None if old.len() == 1 && all.is_empty() => all.extend(compare(&old[0], new)),
            None => output.line(format_args!("added    topology {}", new.topology))?,
        }
    }
    let gone: Vec<&Description> = old.iter().filter(|old| old_is_gone(old, &new)).collect();
    for gone in &gone {
        output.line(format_args!(
            "lost     topology {}  BREAKS: its group, internal topics and state stay behind",
            gone.topology
        ))?;
    }
    for difference in &all {
        output.line(difference)?;
    }
    output.flush()?;
    let breaking = gone.len() + all.iter().filter(|difference| difference.breaks.is_some()).count();
    if breaking == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!("{breaking} differences lose state or records: keep the names, or plan a reset")))
}

fn old_is_gone(old: &Description, new: &[Description]) -> bool {
    new.len() > 1 && new.iter().all(|new| new.topology != old.topology)
}

/// One description, or a list of them.
fn read(path: &Path) -> Result<Vec<Description>, Failure> {
    let unusable = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("{} is not what `topology describe --format json` prints: {why}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| unusable(&error))?;
    let many = text.trim_start().starts_with('[');
    let parsed = if many { serde_json::from_str(&text) } else { serde_json::from_str(&text).map(|one| vec![one]) };
    parsed.map_err(|error| unusable(&error))
}
