//! `reset`: lets topologies process their input again from an earlier point. Shows a plan; destroys only with `--execute`.
//!
//! The order matters where it may be interrupted: first the epoch is raised, so that whatever is written from then on is newer
//! than what was; then positions of internal topics, the topics, positions of inputs, local state. A reset that was interrupted is
//! mended by another one.

use std::time::Duration;

use highwater::kafka::{CommittedOffset, OffsetSpec};
use highwater::runtime::internal_topics;
use highwater::time::{Clock as _, SystemClock};
use highwater::{Timestamp, TopicPartition, Topology};

use super::cluster::Cluster;
use super::output::Output;
use super::run::lock::StateLock;
use super::scan::partitions_of;
use super::{epoch, state};
use crate::catalogue::select;
use crate::cli::ResetArgs;
use crate::config::Config;
use crate::exit::Failure;
use crate::schemas::Schemas;
use crate::timestamp::parse_micros;

/// What a reset does to one topology.
struct Plan {
    group: String,
    /// Where the group begins to read each input.
    inputs: Vec<(TopicPartition, i64)>,
    /// Internal topics that exist, with their partitions.
    internal: Vec<(String, Vec<TopicPartition>)>,
    /// Directories of state.
    state: Vec<std::path::PathBuf>,
}

/// Plans, and executes if asked to.
pub fn run(config: &Config, args: &ResetArgs) -> Result<(), Failure> {
    let from = target(args)?;
    let pipelines = select(&config.topologies)?;
    let mut cluster = Cluster::connect(config)?;
    let schemas = Schemas::in_memory();
    let mut plans = Vec::new();
    for pipeline in pipelines {
        plans.push(plan(&mut cluster, config, &(pipeline.build)(&schemas)?, from)?);
    }
    let epoch = epoch::read(&mut cluster, &config.control_topic())?;
    let mut output = Output::open();
    print(&mut output, config, &plans, epoch)?;
    for plan in &plans {
        await_no_members(&mut cluster, config, &plan.group, args.execute)?;
    }
    if !args.execute {
        output.line("nothing was changed: add --execute")?;
        return output.flush();
    }
    output.flush()?;
    let _lock = StateLock::take(&config.state_dir)?;
    epoch::write(&mut cluster, config, epoch + 1)?;
    for plan in &plans {
        execute(&mut cluster, plan)?;
    }
    output.line("done")?;
    output.flush()
}

fn target(args: &ResetArgs) -> Result<OffsetSpec, Failure> {
    let Some(text) = &args.to_datetime else { return Ok(OffsetSpec::Earliest) };
    let micros = parse_micros(text).ok_or_else(|| {
        Failure::usage(format!("--to-datetime takes a time with an offset, such as 2026-01-31T06:00:00Z, and got {text:?}"))
    })?;
    Ok(OffsetSpec::At(Timestamp::from_millis(micros.div_euclid(1000))))
}

fn plan(cluster: &mut Cluster, config: &Config, topology: &Topology, from: OffsetSpec) -> Result<Plan, Failure> {
    let mut inputs = Vec::new();
    for topic in topology.reads() {
        let partitions = partitions_of(cluster, &topic)?
            .ok_or_else(|| Failure::config(format!("topic `{topic}` does not exist: run `shoppulse topics apply --execute`")))?;
        let offsets = cluster.admin.list_offsets(&partitions, from, cluster.timeout)?;
        inputs.extend(partitions.into_iter().zip(offsets));
    }
    let count = |topic: &str| {
        let count = inputs.iter().filter(|(partition, _)| &*partition.topic == topic).count();
        i32::try_from(count).ok().filter(|count| *count > 0)
    };
    let settings = config.settings("reset", 0, highwater::runtime::Limits::default());
    let mut internal = Vec::new();
    for topic in internal_topics(topology, &settings, count)? {
        if let Some(partitions) = partitions_of(cluster, &topic.name)? {
            internal.push((topic.name, partitions));
        }
    }
    let group = config.application(topology.name());
    let tasks = state::task_dirs(&config.state_dir)?.into_iter();
    let state = tasks.filter(|task| task.application == group).map(|task| task.path).collect();
    Ok(Plan { group, inputs, internal, state })
}

fn print(output: &mut Output, config: &Config, plans: &[Plan], epoch: i64) -> Result<(), Failure> {
    output.line(format_args!("epoch   raise from {epoch} to {} in {}", epoch + 1, config.control_topic()))?;
    for plan in plans {
        for (topic, _) in &plan.internal {
            output.line(format_args!("delete  topic {topic}"))?;
        }
        for (partition, offset) in &plan.inputs {
            output.line(format_args!("set     group {}  {partition} to {offset}", plan.group))?;
        }
        for path in &plan.state {
            output.line(format_args!("delete  state {}", path.display()))?;
        }
    }
    Ok(())
}

/// Refuses while the group has members. One that has left stays known until its session ends, so that is waited for.
fn await_no_members(cluster: &mut Cluster, config: &Config, group: &str, wait: bool) -> Result<(), Failure> {
    const ASK_EVERY: Duration = Duration::from_millis(500);
    let patience = if wait { config.timeouts.session + Duration::from_secs(5) } else { Duration::ZERO };
    let until = SystemClock.now().plus(patience);
    let mut told = false;
    loop {
        let members = cluster.admin.group_members(group, cluster.timeout)?;
        if members == 0 {
            return Ok(());
        }
        if SystemClock.now() >= until {
            return Err(Failure::failed(format!(
                "group `{group}` has {members} members: stop all processes that run it; one that was stopped is forgotten after {:?}",
                config.timeouts.session
            )));
        }
        if !told {
            told = true;
            tracing::info!(group, members, "waiting for the sessions of stopped members to end");
        }
        SystemClock.sleep(ASK_EVERY);
    }
}

fn execute(cluster: &mut Cluster, plan: &Plan) -> Result<(), Failure> {
    let at = |partition: &TopicPartition, offset| (partition.clone(), CommittedOffset { offset, metadata: String::new() });
    // IMPORTANT: before the topics go. A topic of the same name will be made anew, and a position of the old one must not count there.
    let internal: Vec<_> =
        plan.internal.iter().flat_map(|(_, partitions)| partitions).map(|partition| at(partition, 0)).collect();
    cluster.admin.alter_group_offsets(&plan.group, &internal, cluster.timeout)?;
    let names: Vec<&str> = plan.internal.iter().map(|(name, _)| &**name).collect();
    if !names.is_empty() {
        cluster.admin.delete_topics(&names, cluster.timeout)?;
    }
    let inputs: Vec<_> = plan.inputs.iter().map(|(partition, offset)| at(partition, *offset)).collect();
    cluster.admin.alter_group_offsets(&plan.group, &inputs, cluster.timeout)?;
    for path in &plan.state {
        highwater_state::TaskState::destroy(path)
            .map_err(|error| Failure::failed(format!("state {}: {error}", path.display())))?;
    }
    tracing::info!(group = %plan.group, topics = names.len(), inputs = inputs.len(), states = plan.state.len(), "reset");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_an_offset() {
        let args =
            |to: &str| ResetArgs { to_earliest: false, to_datetime: Some(to.to_owned()), topologies: Vec::new(), execute: false };
        assert_eq!(target(&args("1970-01-01T00:00:01.5Z")).unwrap(), OffsetSpec::At(Timestamp::from_millis(1500)));
        assert_eq!(target(&args("2026-01-31")).unwrap_err().code, crate::exit::Code::Usage);
    }
}
