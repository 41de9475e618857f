//! Publishes metrics of an application, on a thread of its own: what the status says every second, how far the inputs have grown every
//! five, and whether the group has left a partition to nobody. It asks the cluster, so that no stream thread waits for the answer.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::orphans::Orphans;
use super::status::ApplicationStatus;
use crate::error::Error;
use crate::kafka::{Admin, Isolation, OffsetSpec};
use crate::metrics::ProcessMemory;
use crate::record::TopicPartition;

const PUBLISH_EVERY: Duration = Duration::from_secs(1);
const LAGS_EVERY_TURNS: u32 = 5;
const ORPHANS_EVERY_TURNS: u32 = 5;
/// How often a request to stop is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts the thread; it ends when the application is asked to. A clock that does not move by itself has nobody who looks at metrics.
pub(super) fn spawn(shared: &Arc<Shared>) -> Result<(), Error> {
    if !shared.clock.moves_by_itself() {
        return Ok(());
    }
    let shared = Arc::clone(shared);
    let work = std::thread::Builder::new().name("monitor".to_owned()).spawn(move || run(&shared));
    work.map(drop).map_err(|error| Error::internal("a thread cannot be started").caused_by(error))
}

fn run(shared: &Shared) {
    let mut admin: Option<Box<dyn Admin>> = None;
    let mut orphans = Orphans::default();
    let mut turn = 0_u32;
    while !shared.control.is_stopping() {
        let status = shared.status.read();
        publish(shared, &status);
        if turn.is_multiple_of(LAGS_EVERY_TURNS)
            && let Err(error) = lags(shared, &status, &mut admin)
        {
            tracing::debug!(%error, "the inputs' ends are not known; the next turn asks again");
        }
        if turn.is_multiple_of(ORPHANS_EVERY_TURNS)
            && let Err(error) = orphans.look(shared, &mut admin)
        {
            tracing::debug!(%error, "who has which partitions is not known; a later turn asks again");
        }
        turn = turn.wrapping_add(1);
        let until = shared.clock.now().plus(PUBLISH_EVERY);
        while !shared.control.is_stopping() && shared.clock.now() < until {
            shared.clock.sleep(LOOK_EVERY);
        }
    }
    publish(shared, &shared.status.read());
}

fn publish(shared: &Shared, status: &ApplicationStatus) {
    let application = &shared.prepared.application;
    let writes = |part: &str| {
        let part = shared.topology.subtopology(part);
        part.map_or_else(Vec::new, |part| part.writes.iter().map(|topic| topic.on_cluster(application)).collect())
    };
    shared.metrics.publish(status, writes, shared.clock.now());
    ProcessMemory::get().publish(&shared.metrics, &shared.resources);
}

/// The administrator's client, made when it is first needed.
pub(super) fn connected<'a>(shared: &Shared, admin: &'a mut Option<Box<dyn Admin>>) -> Result<&'a mut dyn Admin, Error> {
    if admin.is_none() {
        *admin = Some(shared.kafka.admin()?);
    }
    Ok(&mut **admin.as_mut().expect("it was just made"))
}

/// Compares the positions of the tasks with the ends of their inputs.
fn lags(shared: &Shared, status: &ApplicationStatus, admin: &mut Option<Box<dyn Admin>>) -> Result<(), Error> {
    let mut positions = Vec::new();
    for (id, task) in &status.tasks {
        for (topic, position, _) in &task.inputs {
            positions.push((TopicPartition::new(topic.as_str(), id.partition), *position, task.stream_time));
        }
    }
    let admin = connected(shared, admin)?;
    let partitions: Vec<TopicPartition> = positions.iter().map(|(partition, ..)| partition.clone()).collect();
    let latest = OffsetSpec::Latest(Isolation::ReadUncommitted);
    let timeout = shared.settings.request_timeout;
    let ends = admin.list_offsets(&partitions, latest, timeout)?;
    let starts = admin.list_offsets(&partitions, OffsetSpec::Earliest, timeout)?;
    let lag = |(((partition, position, time), end), start): (((TopicPartition, i64, _), i64), i64)| {
        // A position that is only a place to begin is negative.
        (partition.topic.to_string(), partition.partition, (end - position.max(start)).max(0), time)
    };
    let lags: Vec<_> = positions.into_iter().zip(ends).zip(starts).map(lag).collect();
    shared.metrics.publish_lags(&lags, shared.clock.now());
    Ok(())
}
