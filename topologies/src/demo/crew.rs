//! The topologies of the demo: started, crashed, started again, finished.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use highwater::Topology;
use highwater::kafka::Kafka;
use highwater::kafka::memory::MemoryCluster;
use highwater::runtime::until_end::UntilEnd;
use highwater::runtime::{KafkaStreams, ProcessingGuarantee, RunningStreams, Settings};
use highwater::serde::avro::MemoryRegistry;
use highwater::time::{Clock as _, SystemClock};

use super::{EMIT_EVERY, LOOK_EVERY, PARTITIONS};
use crate::catalogue;
use crate::commands::run::ending::Ending;
use crate::exit::Failure;
use crate::schemas::Schemas;
use crate::topic_names as topics;

/// Commits of a sabotaged run are rare, so that a crash surely falls between an output and its position.
const SABOTAGED_COMMIT_INTERVAL: Duration = Duration::from_secs(3);
/// How long an ordered end may take.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);

/// What the topologies have done so far, crashes included.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Records by topology, outcome and reason.
    pub(super) outcomes: BTreeMap<(String, String, String), u64>,
    pub(super) commits: u64,
    pub(super) crashes: u64,
}

impl Tally {
    /// Records of this outcome, over all topologies.
    pub(super) fn of(&self, outcome: &str) -> u64 {
        self.outcomes.iter().filter(|((_, of, _), _)| of == outcome).map(|(_, count)| count).sum()
    }

    fn add(&mut self, running: &[RunningStreams]) {
        for streams in running {
            let status = streams.status();
            self.commits += status.commits;
            for ((_, outcome, reason), count) in status.outcomes {
                let key = (streams.topology().name().to_owned(), outcome.to_owned(), reason.to_owned());
                *self.outcomes.entry(key).or_default() += count;
            }
        }
    }
}

/// The topologies and what they run with.
pub(super) struct Crew {
    cluster: MemoryCluster,
    schemas: Schemas,
    topologies: Vec<Topology>,
    settings: Settings,
    state_dir: StateDir,
    running: Vec<RunningStreams>,
    before_crash: Tally,
}

/// A directory that goes when the demo ends.
struct StateDir(std::path::PathBuf);

impl StateDir {
    fn make() -> Result<Self, Failure> {
        let name = format!("shoppulse-demo-{}-{}", std::process::id(), SystemClock.now().as_millis());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|error| {
            Failure::config(format!("{} cannot be made: {error}; set TMPDIR to a directory that can be written", path.display()))
        })?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's temporary directory, which is cleared anyway.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes all topics of the outside world.
pub(super) fn create_topics(cluster: &MemoryCluster) -> Result<(), Failure> {
    let names = [
        topics::RAW_EVENTS,
        topics::RAW_PAYMENTS,
        topics::CDC_ORDERS,
        topics::CDC_ORDER_ITEMS,
        topics::CDC_CUSTOMERS,
        topics::CLEAN_EVENTS,
        topics::SESSIONS,
        topics::ORDER_FACTS,
        topics::CUSTOMERS,
        topics::CUSTOMER_HISTORY,
        topics::LATE_EVENTS,
        topics::DEAD_LETTERS,
        topics::QUALITY,
    ];
    names.into_iter().try_for_each(|name| cluster.create_topic(name, PARTITIONS)).map_err(Failure::from)
}

impl Crew {
    pub(super) fn hire(cluster: MemoryCluster, guarantee: ProcessingGuarantee) -> Result<Self, Failure> {
        let schemas = Schemas::new(Arc::new(MemoryRegistry::new()), EMIT_EVERY);
        let topologies = catalogue::ALL.iter().map(|pipeline| (pipeline.build)(&schemas)).collect::<Result<_, _>>()?;
        let state_dir = StateDir::make()?;
        let mut settings = Settings { guarantee, internal_partitions: PARTITIONS, ..Settings::new("demo", state_dir.path()) };
        if guarantee == ProcessingGuarantee::AtLeastOnce {
            settings.commit_interval = SABOTAGED_COMMIT_INTERVAL;
        }
        Ok(Self { cluster, schemas, topologies, settings, state_dir, running: Vec::new(), before_crash: Tally::default() })
    }

    pub(super) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(super) fn start(&mut self) -> Result<(), Failure> {
        debug_assert!(self.state_dir.path().is_dir(), "state has a place");
        for topology in &self.topologies {
            let kafka: Arc<dyn Kafka> = Arc::new(self.cluster.clone());
            self.running.push(KafkaStreams::new(topology.clone(), self.settings.clone(), kafka).start()?);
        }
        Ok(())
    }

    pub(super) fn has_crashed(&self) -> bool {
        self.before_crash.crashes > 0
    }

    /// Whether a crash now would find work that is not committed. A sabotaged run waits for outputs without their position.
    pub(super) fn has_uncommitted_work(&self, sabotaged: bool) -> bool {
        let written: i64 =
            (0..PARTITIONS).filter_map(|partition| self.cluster.end_offset(topics::CLEAN_EVENTS, partition).ok()).sum();
        let read = |partition| self.cluster.committed_offset("demo-clean", topics::RAW_EVENTS, partition).unwrap_or(0);
        let committed: i64 = (0..PARTITIONS).map(read).sum();
        if sabotaged { written > committed } else { written > 0 }
    }

    /// All topologies end at once, as in a power cut, and start from what is committed.
    pub(super) fn crash_and_restart(&mut self) -> Result<(), Failure> {
        let running = std::mem::take(&mut self.running);
        self.before_crash.add(&running);
        self.before_crash.crashes += 1;
        running.into_iter().for_each(RunningStreams::crash);
        self.start()
    }

    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.before_crash.clone();
        tally.add(&self.running);
        tally
    }

    /// Waits until everything that was fed, and all that comes of it, is processed, emitted and committed.
    pub(super) fn finish(&mut self, within: Duration, mut look: impl FnMut(&Tally)) -> Result<(), Failure> {
        let applications: Vec<(&Topology, &Settings)> =
            self.topologies.iter().map(|topology| (topology, &self.settings)).collect();
        let mut ending = Ending::new(UntilEnd::new(&self.cluster, &applications)?);
        let until = SystemClock.now().plus(within);
        while !ending.is_reached(&self.running)? {
            if self.running.iter().any(RunningStreams::is_finished) {
                self.leave()?;
                return Err(Failure::failed("a topology ended before its input did"));
            }
            if SystemClock.now() > until {
                return Err(Failure::failed(format!("the topologies did not finish within {within:?}")));
            }
            look(&self.tally());
            SystemClock.sleep(LOOK_EVERY);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) -> Result<(), Failure> {
        let running = std::mem::take(&mut self.running);
        self.before_crash.add(&running);
        running.into_iter().try_for_each(|streams| streams.shutdown(LEAVE_WITHIN)).map_err(Failure::from)
    }
}
