//! A stream thread driven turn by turn: what its state holds when a commit has failed.

use std::sync::Arc;
use std::time::Duration;

use super::StreamThread;
use crate::kafka::KafkaErrorKind::{Abortable, Timeout};
use crate::kafka::memory::{Call, Fault, MemoryCluster, MemorySettings};
use crate::processor::{Context, KvHandle, KvStore, ProcessError, Processor, ProcessorSupplier, StoreRef, TaskContext};
use crate::runtime::{KafkaStreams, Settings, Shared};
use crate::time::VirtualClock;
use crate::{Record, StreamsBuilder, Timestamp, Topology};

/// Keeps every record under its key and passes it on.
struct Keeping(KvHandle<String, String>);
struct Keeper(KvStore<String, String>);

impl ProcessorSupplier<String, String> for Keeping {
    type Processor = Keeper;

    fn stores(&self) -> Vec<StoreRef> {
        vec![self.0.store()]
    }

    fn create(&self, task: &mut TaskContext<'_>) -> Keeper {
        Keeper(task.open(&self.0))
    }
}

impl Processor<String, String> for Keeper {
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut Context<'_, String, String>) -> Result<(), ProcessError> {
        self.0.put(cx, &record.key, &record.value)?;
        cx.forward(record)
    }
}

fn topology() -> Topology {
    let builder = StreamsBuilder::new("keeping");
    let kept = builder.key_value_store::<String, String>("kept");
    builder.stream::<String, String>("in").process("keep", Keeping(kept)).to("out");
    builder.build().unwrap()
}

struct Driven {
    cluster: MemoryCluster,
    clock: Arc<VirtualClock>,
    thread: StreamThread,
    _state: tempfile::TempDir,
}

impl Driven {
    fn new() -> Self {
        let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_millis(1_000_000)));
        let cluster = MemoryCluster::new(Arc::clone(&clock) as _, MemorySettings::default());
        for topic in ["in", "out"] {
            cluster.create_topic(topic, 1).unwrap();
        }
        let state = tempfile::tempdir().unwrap();
        let settings = Settings { session_timeout: Duration::from_hours(1), ..Settings::new("app", state.path()) };
        let streams = KafkaStreams::new(topology(), settings, Arc::new(cluster.clone())).with_clock(Arc::clone(&clock) as _);
        let shared: Arc<Shared> = streams.prepare().unwrap();
        let thread = StreamThread::join(&shared, 0).unwrap();
        let mut driven = Self { cluster, clock, thread, _state: state };
        while driven.thread.tasks.running.is_empty() {
            driven.thread.run_once().unwrap();
        }
        driven
    }

    fn send(&self, key: &str) {
        self.cluster.append("in", 0, Some(key.as_bytes()), Some(b"v"), Timestamp::from_millis(1)).unwrap();
    }

    /// Turns until the commit interval is over, so that what was sent is committed, or an error says that it is not.
    fn commit(&mut self) -> Result<(), crate::Error> {
        self.thread.run_once()?;
        self.clock.advance(Duration::from_millis(300));
        self.thread.run_once()
    }

    /// Whether the state would hold a key if the thread ended now.
    fn keeps(&mut self, key: &str) -> bool {
        let running = self.thread.tasks.running.values_mut().next().unwrap();
        let state = &mut running.task.core.state;
        state.discard();
        let store = state.store("kept").unwrap();
        state.get(store, key.as_bytes()).unwrap().is_some()
    }

    fn position(&self) -> Option<i64> {
        let state = &self.thread.tasks.running.values().next().unwrap().task.core.state;
        state.position(state.store("kept").unwrap()).map(|position| position.next)
    }
}

// covers: I2
#[test]
fn state_takes_a_transaction_only_when_the_cluster_has_acknowledged_it() {
    let faults = [
        Fault::Fail(Timeout),
        Fault::Fail(Abortable),
        Fault::FailAfterEffect(Timeout),
        Fault::Doubtful,
        Fault::Prepared,
        Fault::HalfMarked,
        Fault::Crash,
        Fault::CrashAfterEffect,
    ];
    for call in [Call::Send, Call::Flush, Call::GroupMetadata, Call::SendOffsets, Call::Commit] {
        for fault in faults.into_iter().filter(|fault| call == Call::Commit || matches!(fault, Fault::Fail(_) | Fault::Crash)) {
            let mut driven = Driven::new();
            driven.send("before");
            driven.commit().unwrap();
            assert!(driven.keeps("before"), "{call:?} {fault:?}");
            let position = driven.position();
            driven.cluster.faults().inject(call, fault);
            driven.send("after");
            driven.commit().expect_err("the commit fails");
            assert!(!driven.keeps("after"), "{call:?} {fault:?}: what may not be committed does not reach the state");
            assert_eq!(driven.position(), position, "{call:?} {fault:?}");
        }
    }
}

// covers: I1
#[test]
fn nothing_is_committed_while_no_position_is_known() {
    let mut driven = Driven::new();
    for running in driven.thread.tasks.running.values_mut() {
        running.task.inputs.iter_mut().for_each(|queue| queue.start_at(crate::kafka::OFFSET_BEGINNING));
        running.task.core.commit_requested = true;
    }
    assert!(!driven.thread.knows_a_position());
    assert_eq!(driven.thread.commit_plan(), super::Plan::NotDue);
}
