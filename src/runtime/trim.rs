//! Trims internal topics behind the commit: repartition topics up to the committed positions, dedup changelogs up to the
//! oldest hour that is still remembered. On a thread of its own, since the cluster's answer is not worth waiting for.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use highwater_state::{StoreId, StoreKind};

use crate::error::Error;
use crate::kafka::Kafka;
use crate::record::TopicPartition;
use crate::task::Task;

/// Requests that may wait; one that finds no room is made again at the next turn.
const WAITING_MAX: usize = 4;

type Positions = Vec<(TopicPartition, i64)>;

/// The way to the trimming thread.
#[derive(Debug)]
pub(crate) struct Trimmer(SyncSender<Positions>);

impl Trimmer {
    /// Starts the thread; it ends when the trimmer is dropped.
    pub(crate) fn spawn(kafka: Arc<dyn Kafka>, timeout: Duration) -> Result<Self, Error> {
        let (requests, to_do) = sync_channel::<Positions>(WAITING_MAX);
        let work = move || {
            let Ok(mut admin) = kafka.admin() else { return };
            while let Ok(positions) = to_do.recv() {
                if let Err(error) = admin.delete_records(&positions, timeout) {
                    tracing::debug!(%error, "internal topics were not trimmed; the next turn tries again");
                }
            }
        };
        let thread = std::thread::Builder::new().name("trim".to_owned()).spawn(work);
        thread.map_err(|error| Error::internal("a thread cannot be started").caused_by(error))?;
        Ok(Self(requests))
    }

    /// Asks to trim what these tasks have no more use for.
    pub(crate) fn request<'a>(&self, tasks: impl Iterator<Item = &'a Task>) {
        let positions: Positions = tasks.flat_map(trimmable).collect();
        if !positions.is_empty() {
            let _ = self.0.try_send(positions);
        }
    }
}

fn trimmable(task: &Task) -> Positions {
    let repartitions = task.inputs.iter().filter(|queue| queue.internal && queue.committed_position() > 0);
    let mut positions: Positions = repartitions.map(|queue| (queue.partition.clone(), queue.committed_position())).collect();
    let state = &task.core.state;
    for (index, spec) in state.specs().iter().enumerate() {
        if let StoreKind::Dedup { .. } = spec.kind
            && let Some(from) = state.dedup_live_from(StoreId(index as u16))
            && from > 0
        {
            positions.push((TopicPartition::new(Arc::clone(&task.changelogs()[index]), task.id().partition), from));
        }
    }
    positions
}
