//! What only the embedded cluster can do: faults on order, time on order, cleaning on order.

mod chaos;
mod cleaning;
mod faults;
mod threads;
mod time;

use std::sync::Arc;

use highwater::Timestamp;
use highwater::kafka::memory::{MemoryCluster, MemorySettings};
use highwater::time::{SystemClock, VirtualClock};

/// A cluster on the machine's clock.
pub(crate) fn cluster() -> MemoryCluster {
    MemoryCluster::new(Arc::new(SystemClock), MemorySettings::default())
}

/// A cluster on a clock that only the test moves, with one topic `t` of two partitions.
fn frozen() -> (MemoryCluster, Arc<VirtualClock>) {
    let clock = Arc::new(VirtualClock::starting_at(Timestamp::from_millis(1_000_000_000_000)));
    let cluster = MemoryCluster::new(Arc::clone(&clock) as Arc<dyn highwater::time::Clock>, MemorySettings::default());
    cluster.create_topic("t", 2).unwrap();
    (cluster, clock)
}

/// Values as text, of what a committed reader sees.
fn committed(cluster: &MemoryCluster, topic: &str) -> Vec<String> {
    cluster.read_committed(topic).iter().map(|record| record.value_text().to_owned()).collect()
}
