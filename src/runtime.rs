//! Runs a topology on a cluster: stream threads, tasks, restores, commits, and who decides what an error means.
//!
//! **Words.** An *application* is one topology deployed: its consumer group, internal topics, state directory and
//! transactional ids are all named `<application_id>-<topology>…`. It runs some *stream threads*; each owns one consumer (a
//! group member), one transactional producer and some *tasks*, and nothing else shares them.
//!
//! **Where to read.** `thread` is the loop, on one page; `commit` is the commit, in the order of its steps; `assignment` says
//! what an assignment means (pure); `restore` brings state up to the changelog, off the processing path; `supervisor` is
//! the one place that decides what an error means; `startup` checks and creates topics; `until_end` finds the end of
//! a bounded run.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::kafka::Kafka;
use crate::metrics::ApplicationMetrics;
use crate::time::{Clock, SystemClock};
use crate::topology::Topology;

mod assignment;
mod commit;
mod control;
pub mod memory;
mod monitor;
mod note;
mod orphans;
mod ownership;
mod restore;
mod settings;
mod startup;
mod status;
mod supervisor;
mod tasks;
mod thread;
mod trim;
pub mod until_end;

pub use settings::{Limits, ProcessingGuarantee, Settings};
pub use startup::{BINDING, InternalTopic, TopicCheck, internal_topics};
pub use status::{ApplicationStatus, TaskPhase, TaskStatus};

use control::Control;
use ownership::Ownership;
use startup::Prepared;
use status::StatusBoard;
use trim::Trimmer;

/// An application, ready to start.
#[derive(Debug)]
pub struct KafkaStreams {
    topology: Topology,
    settings: Settings,
    kafka: Arc<dyn Kafka>,
    clock: Arc<dyn Clock>,
    resources: Option<highwater_state::SharedResources>,
}

/// What the threads of one application share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) topology: Topology,
    pub(crate) settings: Settings,
    pub(crate) kafka: Arc<dyn Kafka>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) prepared: Prepared,
    pub(crate) ownership: Ownership,
    pub(crate) control: Control,
    pub(crate) status: StatusBoard,
    pub(crate) resources: highwater_state::SharedResources,
    pub(crate) trimmer: Trimmer,
    pub(crate) metrics: ApplicationMetrics,
}

impl KafkaStreams {
    /// An application of this topology, on this cluster.
    pub fn new(topology: Topology, settings: Settings, kafka: Arc<dyn Kafka>) -> Self {
        Self { topology, settings, kafka, clock: Arc::new(SystemClock), resources: None }
    }

    /// Lives by this clock instead of the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Shares block cache, memtables and background threads with other applications of the process.
    #[must_use]
    pub fn with_resources(mut self, resources: highwater_state::SharedResources) -> Self {
        self.resources = Some(resources);
        self
    }

    /// Checks and creates topics, then starts the threads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a missing topic, unequal partition counts, an internal topic with
    /// wrong settings, or memory that does not suffice; [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if no
    /// broker answers.
    pub fn start(self) -> Result<RunningStreams, Error> {
        let shared = self.prepare()?;
        monitor::spawn(&shared)?;
        let threads = (0..shared.settings.threads).map(|index| supervisor::spawn(&shared, index)).collect::<Result<_, _>>()?;
        Ok(RunningStreams { shared, threads })
    }

    /// What the threads share, once topics are checked and created.
    pub(crate) fn prepare(self) -> Result<Arc<Shared>, Error> {
        let Self { topology, settings, kafka, clock, resources } = self;
        let prepared = startup::prepare(&topology, &settings, &*kafka, &*clock)?;
        let resources = resources.unwrap_or_else(|| settings.limits.state_resources());
        let trimmer = Trimmer::spawn(Arc::clone(&kafka), settings.request_timeout)?;
        let metrics = ApplicationMetrics::new(&prepared.application);
        Ok(Arc::new(Shared {
            status: StatusBoard::new(&settings.application(&topology), settings.threads),
            topology,
            settings,
            kafka,
            clock,
            prepared,
            ownership: Ownership::default(),
            control: Control::default(),
            trimmer,
            metrics,
            resources,
        }))
    }
}

impl Shared {
    /// What a thread's clients call themselves, as its group sees it; also its instance id and its transactional id.
    pub(crate) fn client_id(&self, thread: usize) -> String {
        format!("{}-{}-{thread}", self.prepared.application, self.settings.instance_id)
    }
}

/// An application that runs.
#[derive(Debug)]
pub struct RunningStreams {
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<Result<(), Error>>>,
}

impl RunningStreams {
    /// What its threads and tasks are doing.
    pub fn status(&self) -> ApplicationStatus {
        self.shared.status.read()
    }

    /// Its topology.
    pub fn topology(&self) -> &Topology {
        &self.shared.topology
    }

    /// Whether a thread has ended, with an error or because all were asked to.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().any(std::thread::JoinHandle::is_finished)
    }

    /// Asks all tasks to emit what they hold back: the input has ended.
    pub fn drain(&self) {
        self.shared.control.drain();
    }

    /// Whether every thread has emitted and committed what it held back since [`drain`](Self::drain).
    pub fn is_drained(&self) -> bool {
        self.shared.control.is_drained(self.shared.settings.threads)
    }

    /// Asks all threads to finish: commit, close, leave.
    pub fn stop(&self) {
        self.shared.control.stop();
    }

    /// Ends at once, without a commit and without closing, as a crash would. For tests and demonstrations.
    pub fn crash(self) {
        self.shared.control.crash();
        drop(self.join());
    }

    /// Waits until all threads have ended, and tells the first error.
    pub fn join(self) -> Result<(), Error> {
        let mut first = Ok(());
        for thread in self.threads {
            let ended = thread.join().unwrap_or_else(|_| Err(Error::internal("a stream thread panicked")));
            if first.is_ok() {
                first = ended;
            }
        }
        first
    }

    /// Asks all threads to finish and waits for it, at most `deadline`.
    pub fn shutdown(self, deadline: Duration) -> Result<(), Error> {
        self.stop();
        let until = self.shared.clock.now().plus(deadline);
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if self.shared.clock.now() >= until {
                return Err(Error::internal(format!("stream threads did not finish within {deadline:?}")));
            }
            self.shared.clock.sleep(Duration::from_millis(5));
        }
        self.join()
    }
}
