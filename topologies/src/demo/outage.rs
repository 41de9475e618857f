//! The power cut: made to fall where it hurts most, between what is written and its commit.
//!
//! The cluster lets the next commit of `clean` die before it has any effect; that very moment all other clients die too, wherever
//! they are. Where outputs and positions commit apart, every topology dies between the two.

use std::fmt;
use std::time::Duration;

use highwater::Topology;
use highwater::kafka::memory::{At, Call, Fault, MemoryCluster};
use highwater::runtime::{ProcessingGuarantee, RunningStreams, Settings};
use highwater::time::{Clock as _, SystemClock};

use super::crew::{APPLICATION_ID, BUSIEST};
use super::reading;

/// How long to wait for a commit to die in.
const STRIKE_WITHIN: Duration = Duration::from_secs(5);
/// How often to look whether it came. A thread that has lost its clients makes new ones after 50 ms.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What a power cut left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outage {
    guarantee: ProcessingGuarantee,
    /// Records that lie in open transactions, or behind them.
    hidden: u64,
}

/// Waits for a commit and lets it die. In traffic so thin that none comes, the power just fails.
pub(super) fn strike(cluster: &MemoryCluster, topologies: &[(Topology, Settings)]) {
    let faults = cluster.faults();
    let (mut victims, mut enough) = (0, 0);
    for (topology, settings) in topologies {
        let all_must_die = settings.guarantee == ProcessingGuarantee::AtLeastOnce;
        // One open transaction is enough to show what becomes of it, if it is of a topology that writes for every record that it reads;
        // others hold rows back. Without transactions every topology is to die between its outputs and its positions.
        if !all_must_die && topology.name() != BUSIEST {
            continue;
        }
        for thread in 0..settings.threads {
            let client = format!("{}-{}-{thread}", settings.application(topology), settings.instance_id);
            faults.inject(At::from(deadly_call(settings.guarantee)).client(client), Fault::Crash);
        }
        victims += settings.threads;
        enough += if all_must_die { settings.threads } else { 1 };
    }
    let until = SystemClock.now().plus(STRIKE_WITHIN);
    while victims - faults.pending() < enough && SystemClock.now() < until {
        SystemClock.sleep(LOOK_EVERY);
    }
}

/// The call that makes what is written count.
fn deadly_call(guarantee: ProcessingGuarantee) -> Call {
    match guarantee {
        ProcessingGuarantee::ExactlyOnce => Call::Commit,
        ProcessingGuarantee::AtLeastOnce => Call::CommitOffsets,
    }
}

/// Ends all clients, and the threads that used them, at once.
pub(super) fn end_all(cluster: &MemoryCluster, running: Vec<RunningStreams>) {
    cluster.faults().crash(APPLICATION_ID);
    std::thread::scope(|scope| {
        for streams in running {
            scope.spawn(move || streams.crash());
        }
    });
    cluster.faults().clear();
}

/// What there is to see while all is dark.
pub(super) fn look(cluster: &MemoryCluster, topologies: &[(Topology, Settings)]) -> Outage {
    let guarantee = topologies.first().map_or(ProcessingGuarantee::ExactlyOnce, |(_, settings)| settings.guarantee);
    Outage { guarantee, hidden: reading::hidden_records(cluster) }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                write!(f, "POWER CUT within a commit: {} records lie in open transactions; traffic goes on", self.hidden)
            }
            ProcessingGuarantee::AtLeastOnce => {
                write!(f, "POWER CUT between outputs and their positions: nothing can be taken back; traffic goes on")
            }
        }
    }
}
