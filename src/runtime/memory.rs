//! Shares a process's memory budget out to everything that holds memory: one formula, with fixed shares. Pure.
//!
//! A share is a part of what is left of the budget after [`BASE_BYTES`]. It is divided by how many things live of it if this
//! process owned every task, as it does when it is the only one left; so what fits at the start fits always.
//!
//! | share | ‰ | divided by |
//! |---|---|---|
//! | block cache | 200 | the process |
//! | memtables | 200 | the process |
//! | filters and indexes, pinned while files are open | 120 | reserved: their size follows the data on disk |
//! | dedup fronts | 80 | dedup stores |
//! | recent entries of stores | 60 | tasks |
//! | overlays: what a transaction gathers | 80 | threads |
//! | record queues | 80 | input partitions |
//! | consumer queues of the C client | 60 | twice the threads: each has a restorer |
//! | producer queues of the C client | 70 | threads |
//! | fetched messages that are pinned until they are processed | 50 | reserved: queues count a record's bytes, its fetch keeps all of the response |

use super::settings::Limits;
use crate::error::Error;
use crate::topology::{TopicName, Topology};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What a process needs before it holds data: code, stacks, clients, the allocator's spare room.
pub const BASE_BYTES: u64 = 96 * MIB;

/// How many things live of the budget, if this process owned all tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Stream threads.
    pub threads: u64,
    /// Tasks.
    pub tasks: u64,
    /// Stores of tasks that remember identities.
    pub dedup_stores: u64,
    /// Input partitions.
    pub inputs: u64,
}

/// A part of the budget.
#[derive(Clone, Copy, Debug)]
struct Share {
    name: &'static str,
    permille: u64,
    /// Less than this for one of those that live of it makes no sense.
    least_bytes: u64,
}

const BLOCK_CACHE: Share = Share { name: "block cache", permille: 200, least_bytes: 8 * MIB };
const MEMTABLES: Share = Share { name: "memtables", permille: 200, least_bytes: 16 * MIB };
const PINNED_TABLES: Share = Share { name: "pinned filters and indexes", permille: 120, least_bytes: 8 * MIB };
const DEDUP_FRONTS: Share = Share { name: "dedup fronts", permille: 80, least_bytes: 256 * KIB };
const RECENT_ENTRIES: Share = Share { name: "recent entries", permille: 60, least_bytes: 128 * KIB };
const OVERLAYS: Share = Share { name: "overlays", permille: 80, least_bytes: MIB };
const RECORD_QUEUES: Share = Share { name: "record queues", permille: 80, least_bytes: 64 * KIB };
const CONSUMER_QUEUES: Share = Share { name: "consumer queues", permille: 60, least_bytes: MIB };
const PRODUCER_QUEUES: Share = Share { name: "producer queues", permille: 70, least_bytes: 4 * MIB };
const PINNED_MESSAGES: Share = Share { name: "pinned messages", permille: 50, least_bytes: 4 * MIB };

const ALL: [Share; 10] = [
    BLOCK_CACHE,
    MEMTABLES,
    PINNED_TABLES,
    DEDUP_FRONTS,
    RECENT_ENTRIES,
    OVERLAYS,
    RECORD_QUEUES,
    CONSUMER_QUEUES,
    PRODUCER_QUEUES,
    PINNED_MESSAGES,
];

impl Demand {
    /// What a topology demands whose external inputs have these partition counts, and internal ones `internal_partitions`.
    pub fn of(topology: &Topology, threads: usize, internal_partitions: i32, partitions: impl Fn(&str) -> Option<i32>) -> Self {
        let count = |topic: &TopicName| {
            let count = match topic {
                TopicName::External(name) => partitions(name),
                TopicName::Repartition(name) => topology.0.repartitions.get(name).copied().flatten(),
            };
            count.unwrap_or(internal_partitions).max(0) as u64
        };
        let mut demand = Self { threads: threads as u64, ..Self::default() };
        for part in &topology.0.subtopologies {
            let tasks = count(&part.lead);
            let is_dedup = |store: &&crate::topology::StoreRef| {
                matches!(topology.0.stores[store.0].kind, highwater_state::StoreKind::Dedup { .. })
            };
            demand.tasks += tasks;
            demand.inputs += tasks * part.sources.len() as u64;
            demand.dedup_stores += tasks * part.stores.iter().filter(is_dedup).count() as u64;
        }
        demand
    }

    /// What two topologies in one process demand.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            threads: self.threads + other.threads,
            tasks: self.tasks + other.tasks,
            dedup_stores: self.dedup_stores + other.dedup_stores,
            inputs: self.inputs + other.inputs,
        }
    }

    /// By how many a share is divided; at least one.
    fn divisor(&self, share: &Share) -> u64 {
        let divisor = match share.name {
            name if name == DEDUP_FRONTS.name => self.dedup_stores,
            name if name == RECENT_ENTRIES.name => self.tasks,
            name if name == RECORD_QUEUES.name => self.inputs,
            name if name == OVERLAYS.name || name == PRODUCER_QUEUES.name => self.threads,
            name if name == CONSUMER_QUEUES.name => 2 * self.threads,
            _ => 1,
        };
        divisor.max(1)
    }

    /// The least budget with which every share suffices.
    pub fn least_budget_bytes(&self) -> u64 {
        let least = ALL.iter().map(|share| (share.least_bytes * self.divisor(share) * 1000).div_ceil(share.permille));
        BASE_BYTES + least.max().unwrap_or_default()
    }
}

/// Shares `budget_bytes` out.
///
/// ```
/// use highwater::runtime::memory::{Demand, share_out};
///
/// let demand = Demand { threads: 4, tasks: 24, dedup_stores: 6, inputs: 30 };
/// let limits = share_out(1 << 30, &demand)?;
/// assert!(limits.block_cache_bytes > 128 << 20);
/// assert!(share_out(64 << 20, &demand).is_err());
/// # Ok::<(), highwater::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config) with the numbers, if a share does not suffice.
pub fn share_out(budget_bytes: u64, demand: &Demand) -> Result<Limits, Error> {
    let shared = budget_bytes.saturating_sub(BASE_BYTES);
    for share in &ALL {
        let each = each_bytes(shared, share, demand);
        if each < share.least_bytes {
            return Err(does_not_fit(budget_bytes, demand, share, each));
        }
    }
    let each = |share: &Share| usize::try_from(each_bytes(shared, share, demand)).unwrap_or(usize::MAX);
    Ok(Limits {
        block_cache_bytes: each(&BLOCK_CACHE),
        memtable_bytes: each(&MEMTABLES),
        dedup_front_bytes: each(&DEDUP_FRONTS),
        clean_cache_bytes: each(&RECENT_ENTRIES),
        transaction_bytes: each(&OVERLAYS),
        queue_bytes: each(&RECORD_QUEUES),
        consumer_queue_bytes: each(&CONSUMER_QUEUES),
        producer_queue_bytes: each(&PRODUCER_QUEUES),
        ..Limits::default()
    })
}

fn each_bytes(shared: u64, share: &Share, demand: &Demand) -> u64 {
    let whole = u128::from(shared) * u128::from(share.permille) / 1000;
    u64::try_from(whole).unwrap_or(u64::MAX) / demand.divisor(share)
}

fn does_not_fit(budget_bytes: u64, demand: &Demand, share: &Share, each_bytes: u64) -> Error {
    Error::config(format!(
        "a memory budget of {budget_bytes} bytes does not suffice for {} tasks with {} input partitions on {} threads: {} would get {each_bytes} bytes each and need {}; \
         raise the budget to {} bytes, or run fewer topologies, threads or partitions in this process",
        demand.tasks,
        demand.inputs,
        demand.threads,
        share.name,
        share.least_bytes,
        demand.least_budget_bytes()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StreamsBuilder;

    const DEMAND: Demand = Demand { threads: 4, tasks: 42, dedup_stores: 6, inputs: 60 };

    #[test]
    fn the_shares_are_the_whole() {
        assert_eq!(ALL.iter().map(|share| share.permille).sum::<u64>(), 1000);
    }

    #[test]
    fn what_is_shared_out_is_never_more_than_the_budget() {
        // covers: I9
        let demands = [DEMAND, Demand::default(), Demand { threads: 1, tasks: 1, dedup_stores: 0, inputs: 1 }];
        for demand in demands {
            for budget in [demand.least_budget_bytes(), 1 << 30, 3 << 30, (1 << 40) + 7] {
                let limits = share_out(budget, &demand).unwrap();
                let bounded = limits.block_cache_bytes as u64
                    + limits.memtable_bytes as u64
                    + limits.dedup_front_bytes as u64 * demand.dedup_stores
                    + limits.clean_cache_bytes as u64 * demand.tasks
                    + limits.transaction_bytes as u64 * demand.threads
                    + limits.queue_bytes as u64 * demand.inputs
                    + limits.consumer_queue_bytes as u64 * 2 * demand.threads
                    + limits.producer_queue_bytes as u64 * demand.threads;
                assert!(bounded + BASE_BYTES <= budget, "{bounded} of {budget} for {demand:?}");
            }
        }
    }

    #[test]
    fn the_least_budget_is_the_least() {
        for demand in [DEMAND, Demand::default(), Demand { threads: 64, tasks: 4096, dedup_stores: 512, inputs: 9000 }] {
            let least = demand.least_budget_bytes();
            share_out(least, &demand).unwrap();
            let error = share_out(least - 1, &demand).unwrap_err();
            assert_eq!(*error.kind(), crate::ErrorKind::Config);
            assert!(error.to_string().contains(&format!("raise the budget to {least} bytes")), "{error}");
        }
    }

    #[test]
    fn a_topologys_demand_is_that_of_all_its_tasks() {
        let builder = StreamsBuilder::new("t");
        builder.stream::<String, String>("in").repartition("by_word").to("out");
        let topology = builder.build().unwrap();
        let demand = Demand::of(&topology, 2, 5, |topic| (topic == "in").then_some(3));
        assert_eq!(demand, Demand { threads: 2, tasks: 3 + 5, dedup_stores: 0, inputs: 3 + 5 });
        assert_eq!(demand.and(demand).tasks, 16);
    }
}
