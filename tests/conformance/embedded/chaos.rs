//! Random histories, and what holds in all of them: one owner of each partition, transactions whole or absent, and the same
//! history gives the same cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use highwater::kafka::memory::MemoryCluster;
use highwater::kafka::{Isolation, Producer};
use highwater::time::VirtualClock;
use proptest::prelude::*;

use super::frozen;
use crate::harness::{CALL, Member, create, send, transactional};

const PARTITIONS: usize = 7;
const ACTORS: usize = 4;

/// Something that happens to one of a few members or producers.
#[derive(Clone, Debug)]
enum Event {
    Start(usize),
    Step(usize),
    Stop(usize),
    Crash(usize),
    Evict(usize),
    Pass(Duration),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let actor = 0..ACTORS;
    let event = prop_oneof![
        2 => actor.clone().prop_map(Event::Start),
        8 => actor.clone().prop_map(Event::Step),
        1 => actor.clone().prop_map(Event::Stop),
        1 => actor.clone().prop_map(Event::Crash),
        1 => actor.prop_map(Event::Evict),
        1 => (1..8_u64).prop_map(|seconds| Event::Pass(Duration::from_secs(seconds))),
    ];
    prop::collection::vec(event, 1..80)
}

/// A group whose members come and go.
struct Crowd {
    cluster: MemoryCluster,
    clock: Arc<VirtualClock>,
    topic: Arc<str>,
    members: [Option<Member>; ACTORS],
    static_members: bool,
}

impl Crowd {
    fn new(static_members: bool) -> Self {
        let (cluster, clock) = frozen();
        let topic = create(&cluster, "input", PARTITIONS as i32, &[]);
        Self { cluster, clock, topic, members: [const { None }; ACTORS], static_members }
    }

    fn play(&mut self, event: &Event) {
        match *event {
            Event::Start(actor) => {
                let name = format!("member-{actor}");
                let instance = self.static_members.then_some(name.as_str());
                self.members[actor] = Some(Member::join(&self.cluster, "g", &name, instance, &[&self.topic]));
            }
            Event::Step(actor) => {
                if let Some(member) = &mut self.members[actor] {
                    member.poll().unwrap();
                }
            }
            Event::Stop(actor) => {
                if let Some(member) = self.members[actor].take() {
                    member.consumer.close(CALL).unwrap();
                }
            }
            Event::Crash(actor) => self.members[actor] = None,
            Event::Evict(actor) => self.cluster.evict("g", &format!("member-{actor}")),
            Event::Pass(time) => self.clock.advance(time),
        }
    }

    /// Partitions of all members that may commit now.
    fn owned(&mut self) -> Vec<i32> {
        let valid = self
            .members
            .iter_mut()
            .flatten()
            .filter_map(|member| member.consumer.commit(&[], CALL).is_ok().then_some(&member.owned));
        valid.flatten().copied().collect()
    }

    /// Lets the sessions of the dead end while the living go on.
    fn settle(&mut self) {
        for _ in 0..30 {
            self.clock.advance(Duration::from_secs(1));
            for member in self.members.iter_mut().flatten() {
                member.poll().unwrap();
            }
        }
    }
}

/// A producer, and what it has in an open transaction.
struct Writer {
    producer: Box<dyn Producer>,
    open: Vec<String>,
}

/// Producers that write to one partition, and what they have committed.
struct Writers {
    cluster: MemoryCluster,
    clock: Arc<VirtualClock>,
    topic: Arc<str>,
    by_actor: [Option<Writer>; ACTORS],
    committed: BTreeSet<String>,
    sent: usize,
}

impl Writers {
    fn new() -> Self {
        let (cluster, clock) = frozen();
        let topic = Arc::from("t");
        Self { cluster, clock, topic, by_actor: [const { None }; ACTORS], committed: BTreeSet::new(), sent: 0 }
    }

    /// `Stop` commits, `Crash` aborts, `Evict` fences; a producer that fails is replaced.
    fn play(&mut self, event: &Event) {
        match *event {
            Event::Start(actor) => {
                self.by_actor[actor] =
                    Some(Writer { producer: transactional(&self.cluster, &format!("id-{actor}")), open: Vec::new() });
            }
            Event::Step(actor) => {
                if let Some(Writer { producer, open }) = &mut self.by_actor[actor] {
                    let value = format!("{:04}", self.sent);
                    self.sent += 1;
                    let begun = if open.is_empty() { producer.begin() } else { Ok(()) };
                    match begun.and_then(|()| send(&mut **producer, &self.topic, 0, &value)) {
                        Ok(()) => open.push(value),
                        Err(_) => self.by_actor[actor] = None,
                    }
                }
            }
            Event::Stop(actor) => self.end(actor, true),
            Event::Crash(actor) => self.end(actor, false),
            Event::Evict(actor) => self.cluster.fence(&format!("id-{actor}")),
            Event::Pass(time) => self.clock.advance(time * 5),
        }
    }

    fn end(&mut self, actor: usize, commits: bool) {
        let Some(Writer { producer, open }) = self.by_actor[actor].as_mut().filter(|writer| !writer.open.is_empty()) else {
            return;
        };
        let values = std::mem::take(open);
        match if commits { producer.commit(CALL) } else { producer.abort(CALL) } {
            Ok(()) if commits => self.committed.extend(values),
            Ok(()) => {}
            Err(_) => self.by_actor[actor] = None,
        }
    }

    fn visible(&self) -> Vec<String> {
        super::committed(&self.cluster, "t")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_partition_never_has_two_owners_and_in_the_end_has_one(history in events(), static_members in any::<bool>()) {
        let mut crowd = Crowd::new(static_members);
        for event in &history {
            crowd.play(event);
            let owned = crowd.owned();
            prop_assert_eq!(owned.iter().collect::<BTreeSet<_>>().len(), owned.len(), "after {:?}", event);
        }
        crowd.settle();
        let living: Vec<usize> = crowd.members.iter().flatten().map(|member| member.owned.len()).collect();
        if let (Some(most), Some(least)) = (living.iter().max(), living.iter().min()) {
            prop_assert_eq!(living.iter().sum::<usize>(), PARTITIONS);
            prop_assert!(most - least <= 1, "{:?}", living);
        }
    }

    #[test]
    fn readers_see_whole_committed_transactions_and_nothing_else(history in events()) {
        let mut writers = Writers::new();
        for event in &history {
            writers.play(event);
            prop_assert!(writers.visible().iter().all(|value| writers.committed.contains(value)));
        }
        for actor in 0..ACTORS {
            writers.play(&Event::Start(actor));
        }
        prop_assert_eq!(writers.visible(), writers.committed.iter().cloned().collect::<Vec<_>>(), "in the order of sending");
    }

    #[test]
    fn the_same_history_gives_the_same_cluster(history in events()) {
        let run = || {
            let (mut crowd, mut writers) = (Crowd::new(false), Writers::new());
            for event in &history {
                crowd.play(event);
                writers.play(event);
            }
            let rebalances: Vec<_> = crowd.members.iter().flatten().map(|member| member.rebalances.clone()).collect();
            let log = writers.cluster.read("t", Isolation::ReadUncommitted).into_iter();
            (rebalances, log.map(|each| (each.offset, each.record)).collect::<Vec<_>>(), writers.cluster.end_offset("t", 0))
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_round_does_not_wait_for_a_member_that_was_evicted_in_it() {
    let mut crowd = Crowd::new(false);
    for event in [Event::Start(0), Event::Step(0), Event::Start(1), Event::Start(2), Event::Step(2), Event::Evict(1)] {
        crowd.play(&event);
    }
    for _ in 0..4 {
        crowd.play(&Event::Step(0));
        crowd.play(&Event::Step(2));
    }
    let mut owned = crowd.owned();
    owned.sort_unstable();
    assert_eq!(owned, (0..PARTITIONS as i32).collect::<Vec<_>>());
}
