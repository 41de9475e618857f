//! The topologies of the demo: started, cut off, started again, finished.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use highwater::Topology;
use highwater::kafka::Kafka;
use highwater::kafka::memory::MemoryCluster;
use highwater::runtime::until_end::UntilEnd;
use highwater::runtime::{KafkaStreams, Limits, ProcessingGuarantee, RunningStreams, Settings};
use highwater::serde::avro::MemoryRegistry;
use highwater::time::{Clock as _, SystemClock};

use super::outage::{self, Outage};
use super::tally::Tally;
use super::{EMIT_EVERY, LOOK_EVERY, PARTITIONS};
use crate::catalogue;
use crate::commands::run::ending::Ending;
use crate::exit::Failure;
use crate::schemas::Schemas;

/// The first part of all names of the demo's groups, clients and internal topics.
pub(super) const APPLICATION_ID: &str = "demo";
/// The topology that has the most to do, and two threads for it.
pub(super) const BUSIEST: &str = "clean";
/// Without exactly-once, commits are rarer, so that the records between two of them are enough to be seen twice.
const SABOTAGED_COMMIT_INTERVAL: Duration = Duration::from_secs(1);
/// How long an ordered end may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// The topologies and what they run with.
pub(super) struct Crew {
    cluster: MemoryCluster,
    schemas: Schemas,
    topologies: Vec<(Topology, Settings)>,
    resources: highwater_state::SharedResources,
    running: Vec<RunningStreams>,
    before: Tally,
}

impl Crew {
    pub(super) fn hire(cluster: MemoryCluster, guarantee: ProcessingGuarantee, state_dir: &Path) -> Result<Self, Failure> {
        let schemas = Schemas::new(Arc::new(MemoryRegistry::new()), EMIT_EVERY);
        let limits = limits();
        let mut topologies = Vec::new();
        for pipeline in catalogue::ALL {
            let threads = if pipeline.name == BUSIEST { 2 } else { 1 };
            let settings = Settings { threads, limits: limits.clone(), ..settings(guarantee, state_dir) };
            topologies.push(((pipeline.build)(&schemas)?, settings));
        }
        let resources = limits.state_resources();
        Ok(Self { cluster, schemas, topologies, resources, running: Vec::new(), before: Tally::default() })
    }

    pub(super) fn cluster(&self) -> &MemoryCluster {
        &self.cluster
    }

    pub(super) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(super) fn start(&mut self) -> Result<(), Failure> {
        for (topology, settings) in &self.topologies {
            let kafka: Arc<dyn Kafka> = Arc::new(self.cluster.clone());
            let streams = KafkaStreams::new(topology.clone(), settings.clone(), kafka);
            self.running.push(streams.with_resources(self.resources.clone()).start()?);
        }
        Ok(())
    }

    /// Ends all topologies at once, in the middle of a commit: nothing of it is committed, nothing is closed.
    pub(super) fn cut_power(&mut self) -> Outage {
        outage::strike(&self.cluster, &self.topologies);
        let running = std::mem::take(&mut self.running);
        self.before.add(&running);
        self.before.crashes += 1;
        outage::end_all(&self.cluster, running);
        outage::look(&self.cluster, &self.topologies)
    }

    /// What all have done so far.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.before.clone();
        tally.add(&self.running);
        tally
    }

    /// Tells why a topology has ended, if one has.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        if self.running.iter().any(RunningStreams::is_finished) {
            self.leave()?;
            return Err(Failure::failed("a topology ended before its input did"));
        }
        Ok(())
    }

    /// Waits until everything that was fed, and all that comes of it, is processed, emitted and committed.
    pub(super) fn finish(
        &mut self,
        within: Duration,
        mut look: impl FnMut(&Tally) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let applications: Vec<(&Topology, &Settings)> =
            self.topologies.iter().map(|(topology, settings)| (topology, settings)).collect();
        let mut ending = Ending::new(UntilEnd::new(&self.cluster, &applications)?);
        let until = SystemClock.now().plus(within);
        while !ending.is_reached(&self.running)? {
            self.check()?;
            if SystemClock.now() > until {
                return Err(Failure::failed(format!("the topologies did not finish within {within:?}")));
            }
            look(&self.tally())?;
            SystemClock.sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Ends all in order.
    pub(super) fn leave(&mut self) -> Result<(), Failure> {
        self.running.iter().for_each(RunningStreams::stop);
        let running = std::mem::take(&mut self.running);
        self.before.add(&running);
        running.into_iter().try_for_each(|streams| streams.shutdown(LEAVE_WITHIN)).map_err(Failure::from)
    }
}

fn settings(guarantee: ProcessingGuarantee, state_dir: &Path) -> Settings {
    let settings = Settings { guarantee, internal_partitions: PARTITIONS, ..Settings::new(APPLICATION_ID, state_dir) };
    match guarantee {
        ProcessingGuarantee::ExactlyOnce => settings,
        ProcessingGuarantee::AtLeastOnce => Settings { commit_interval: SABOTAGED_COMMIT_INTERVAL, ..settings },
    }
}

/// A demo's state is small, and so is the machine that may show it.
fn limits() -> Limits {
    const MIB: usize = 1 << 20;
    Limits {
        block_cache_bytes: 64 * MIB,
        memtable_bytes: 64 * MIB,
        dedup_front_bytes: 4 * MIB,
        clean_cache_bytes: 4 * MIB,
        ..Limits::default()
    }
}
