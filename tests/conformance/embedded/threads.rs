//! Many threads on one cluster: nothing is lost, nothing deadlocks, waiting members wake.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use highwater::kafka::{Isolation, Kafka};

use super::cluster;
use crate::harness::{Member, Reading, commit_values, create, eventually, transactional};

const TRANSACTIONS: usize = 200;

#[test]
fn two_threads_exchange_records_through_waiting_polls() {
    let cluster = cluster();
    let topic = create(&cluster, "t", 1, &[]);
    let writer = {
        let (cluster, topic) = (cluster.clone(), Arc::clone(&topic));
        thread::spawn(move || {
            let mut producer = transactional(&cluster, "id");
            for number in 0..TRANSACTIONS {
                commit_values(&mut *producer, &topic, &[&number.to_string(), "x"]);
            }
        })
    };
    let mut member = Member::join(&cluster, "g", "member", None, &[&topic]);
    eventually("all records", || {
        member.poll().unwrap();
        (member.records.len() == 2 * TRANSACTIONS).then_some(())
    });
    writer.join().unwrap();
    let numbers: Vec<usize> = member.records.iter().step_by(2).map(|seen| seen.text().parse().unwrap()).collect();
    assert_eq!(numbers, (0..TRANSACTIONS).collect::<Vec<_>>());
    let kafka: &dyn Kafka = &cluster;
    Reading::of(kafka, &topic, Isolation::ReadCommitted).up_to(3 * TRANSACTIONS as i64);
}

#[test]
fn members_on_threads_of_their_own_settle() {
    let cluster = cluster();
    let topic = create(&cluster, "t", 6, &[]);
    let settled = Arc::new(AtomicUsize::new(0));
    let members: Vec<_> = (0..3)
        .map(|number| {
            let (cluster, topic, settled) = (cluster.clone(), Arc::clone(&topic), Arc::clone(&settled));
            thread::spawn(move || {
                let mut member = Member::join(&cluster, "g", &format!("member-{number}"), None, &[&topic]);
                let mut counted = false;
                eventually("two partitions each", || {
                    member.poll().unwrap();
                    if member.owned.len() == 2 && !std::mem::replace(&mut counted, true) {
                        settled.fetch_add(1, Ordering::SeqCst);
                    }
                    // Nobody may stop polling before all are done.
                    (settled.load(Ordering::SeqCst) == 3).then_some(())
                });
                member.owned
            })
        })
        .collect();
    let owned: Vec<_> = members.into_iter().flat_map(|member| member.join().unwrap()).collect();
    assert_eq!(owned.iter().collect::<BTreeSet<_>>().len(), 6, "{owned:?}");
}
