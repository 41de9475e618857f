//! `run`: starts topologies, serves health and metrics, and ends in order: when asked to, at the end of a bounded run, or when a
//! topology gives up.

use std::sync::Arc;
use std::time::Duration;

use highwater::runtime::memory::{Demand, share_out};
use highwater::runtime::until_end::UntilEnd;
use highwater::runtime::{KafkaStreams, Limits, RunningStreams, Settings};
use highwater::time::{Clock as _, SystemClock};
use highwater::{ErrorKind, Timestamp, Topology};

use super::cluster::Cluster;
use super::epoch;
use crate::catalogue::select;
use crate::config::{Config, instance_id};
use crate::exit::Failure;
use crate::http::{Board, Server};
use crate::schemas::{Schemas, open_registry};
use crate::summary::{Summary, memory_bytes};

pub(crate) mod ending;
pub(super) mod lock;
mod preflight;
pub(super) mod signals;

use ending::Ending;
use lock::StateLock;
use signals::Stop;

/// How often signals, threads and the end are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long an ordered end may take; a supervisor kills after some seconds more.
const LEAVE_WITHIN: Duration = Duration::from_secs(9);

/// Runs the configured topologies.
pub fn run(config: &Config, until_end: bool) -> Result<(), Failure> {
    let began = SystemClock.now();
    let pipelines = select(&config.topologies)?;
    let _lock = StateLock::take(&config.state_dir)?;
    let instance = instance_id(config.instance_id.as_deref(), &config.state_dir)?;
    let mut cluster = Cluster::connect(config)?;
    let schemas = Schemas::new(open_registry(config, true)?, config.emit_every);
    let topologies: Vec<Topology> = pipelines.iter().map(|pipeline| (pipeline.build)(&schemas)).collect::<Result<_, _>>()?;
    let limits = limits(&mut cluster, config, &topologies)?;
    let epoch = epoch::read(&mut cluster, &config.control_topic())?;
    let settings = config.settings(&instance, epoch, limits);
    let watch = if until_end { Some(bounded(&cluster, &topologies, &settings)?) } else { None };
    let stop = Stop::default();
    let board = Arc::new(Board::new(&topologies, &settings, began));
    let server = Server::start(&config.http, &board, stop.clone().watch())?;
    tracing::info!(instance, epoch, http = %server.address(), topologies = topologies.len(), threads = config.threads, "starting");
    let running = start(&cluster, &topologies, &settings)?;
    let outcome = watch_over(&running, &board, &stop, watch.map(Ending::new), config);
    let statuses: Vec<_> = running.iter().map(RunningStreams::status).collect();
    let left = leave(running);
    drop(server);
    outcome?;
    left?;
    if until_end {
        Summary::of(&statuses, began, SystemClock.now()).print();
    }
    Ok(())
}

/// What each part of the process may use of memory.
fn limits(cluster: &mut Cluster, config: &Config, topologies: &[Topology]) -> Result<Limits, Failure> {
    let partitions = preflight::check(cluster, topologies)?;
    let demand = topologies
        .iter()
        .map(|topology| Demand::of(topology, config.threads, config.partitions, |name| partitions.get(name).copied()));
    let demand = demand.fold(Demand::default(), Demand::and);
    share_out(config.memory_budget_bytes, &demand).map_err(|error| Failure::from(error).context("setting `memory_budget_bytes`"))
}

fn bounded(cluster: &Cluster, topologies: &[Topology], settings: &Settings) -> Result<UntilEnd, Failure> {
    let applications: Vec<(&Topology, &Settings)> = topologies.iter().map(|topology| (topology, settings)).collect();
    Ok(UntilEnd::new(&*cluster.kafka, &applications)?)
}

/// Starts each topology; if one cannot be started, those that were are ended.
fn start(cluster: &Cluster, topologies: &[Topology], settings: &Settings) -> Result<Vec<RunningStreams>, Failure> {
    let resources = settings.limits.state_resources();
    let mut running = Vec::new();
    for topology in topologies {
        let streams = KafkaStreams::new(topology.clone(), settings.clone(), Arc::clone(&cluster.kafka));
        match streams.with_resources(resources.clone()).start() {
            Ok(started) => running.push(started),
            Err(error) => {
                if let Err(second) = leave(running) {
                    tracing::warn!(error = %second, "ending what had started");
                }
                return Err(Failure::from(error).context(format_args!("topology `{}`", topology.name())));
            }
        }
    }
    Ok(running)
}

/// Looks after everything until there is a reason to end.
fn watch_over(
    running: &[RunningStreams],
    board: &Board,
    stop: &Stop,
    mut ending: Option<Ending>,
    config: &Config,
) -> Result<(), Failure> {
    let mut away_since: Option<Timestamp> = None;
    loop {
        highwater::metrics::report_process(config.memory_budget_bytes, memory_bytes("VmRSS"));
        board.publish(running.iter().map(RunningStreams::status).collect(), SystemClock.now());
        if stop.is_asked() {
            tracing::info!("asked to stop");
            // Whoever waits for the end of a bounded run must not take this for it.
            let early = ending.as_ref().map(|_| Failure::failed("asked to stop before the end of the input: run again to go on"));
            return early.map_or(Ok(()), Err);
        }
        // Why it has ended is told when it is joined.
        if running.iter().any(RunningStreams::is_finished) {
            return Ok(());
        }
        match ending.as_mut().map(|ending| ending.is_reached(running)) {
            None | Some(Ok(false)) => away_since = None,
            Some(Ok(true)) => return Ok(()),
            Some(Err(error)) => {
                let now = SystemClock.now();
                let since = *away_since.get_or_insert(now);
                if *error.kind() != ErrorKind::Unavailable || now > since.plus(config.timeouts.give_up_after) {
                    return Err(error.into());
                }
                tracing::warn!(%error, "the end of the run cannot be looked for; trying again");
            }
        }
        SystemClock.sleep(LOOK_EVERY);
    }
}

/// Ends all topologies in order, all at once, and tells the first error.
fn leave(running: Vec<RunningStreams>) -> Result<(), Failure> {
    running.iter().for_each(RunningStreams::stop);
    let until = SystemClock.now().plus(LEAVE_WITHIN);
    let mut first = Ok(());
    for streams in running {
        let name = streams.topology().name().to_owned();
        let left_ms = until.as_millis().saturating_sub(SystemClock.now().as_millis()).max(0);
        let ended = streams.shutdown(Duration::from_millis(left_ms as u64));
        let ended = ended.map_err(|error| Failure::from(error).context(format_args!("topology `{name}`")));
        match (&first, ended) {
            (Ok(()), ended) => first = ended,
            (Err(_), Ok(())) => {}
            (Err(_), Err(another)) => tracing::error!(error = %another, "another topology failed too"),
        }
    }
    first
}
