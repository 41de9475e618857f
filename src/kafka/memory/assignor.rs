//! Who gets which partition: balanced, sticky, always the same for the same question. Pure; the protocol around it is `group`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::record::TopicPartition;

/// What the assignor knows of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    /// Topics that it wants partitions of.
    pub(super) topics: BTreeSet<Arc<str>>,
    /// Partitions that it has.
    pub(super) owned: BTreeSet<TopicPartition>,
}

/// Gives each partition to one member that wants its topic. No two members that could trade differ by more than one
/// partition, and what can stay with its owner stays.
pub(super) fn assign<M: Ord + Clone>(
    claims: &BTreeMap<M, Claim>,
    partitions: &BTreeSet<TopicPartition>,
) -> BTreeMap<M, BTreeSet<TopicPartition>> {
    let mut shares: BTreeMap<M, BTreeSet<TopicPartition>> =
        claims.keys().map(|member| (member.clone(), BTreeSet::new())).collect();
    let mut free = partitions.clone();
    for (member, claim) in claims {
        let share = shares.get_mut(member).expect("every member has a share");
        for partition in claim.owned.iter().filter(|partition| claim.topics.contains(&partition.topic)) {
            if free.remove(partition) {
                share.insert(partition.clone());
            }
        }
    }
    for partition in free {
        if let Some(member) = least_loaded(claims, &shares, &partition) {
            shares.get_mut(&member).expect("every member has a share").insert(partition);
        }
    }
    while let Some((from, to, partition)) = trade(claims, &shares) {
        shares.get_mut(&from).expect("every member has a share").remove(&partition);
        shares.get_mut(&to).expect("every member has a share").insert(partition);
    }
    shares
}

fn least_loaded<M: Ord + Clone>(
    claims: &BTreeMap<M, Claim>,
    shares: &BTreeMap<M, BTreeSet<TopicPartition>>,
    partition: &TopicPartition,
) -> Option<M> {
    let wanting = claims.iter().filter(|(_, claim)| claim.topics.contains(&partition.topic));
    wanting.map(|(member, _)| member).min_by_key(|member| shares[*member].len()).cloned()
}

/// The move that helps most: from the fullest member to the emptiest that takes one of its partitions.
fn trade<M: Ord + Clone>(
    claims: &BTreeMap<M, Claim>,
    shares: &BTreeMap<M, BTreeSet<TopicPartition>>,
) -> Option<(M, M, TopicPartition)> {
    let mut by_load: Vec<(&M, &BTreeSet<TopicPartition>)> = shares.iter().collect();
    by_load.sort_by_key(|(_, share)| std::cmp::Reverse(share.len()));
    for (from, share) in by_load {
        let moves = share.iter().rev().filter_map(|partition| {
            let to = least_loaded(claims, shares, partition)?;
            (shares[&to].len() + 1 < share.len()).then_some((to, partition))
        });
        if let Some((to, partition)) = moves.min_by_key(|(to, _)| shares[to].len()) {
            return Some((from.clone(), to, partition.clone()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn topics(names: &[&str]) -> BTreeSet<Arc<str>> {
        names.iter().map(|&name| Arc::from(name)).collect()
    }

    fn partitions(counts: &[(&str, i32)]) -> BTreeSet<TopicPartition> {
        let all =
            counts.iter().flat_map(|&(topic, count)| (0..count).map(move |partition| TopicPartition::new(topic, partition)));
        all.collect()
    }

    #[test]
    fn a_newcomer_takes_only_what_balance_needs() {
        let all = partitions(&[("a", 4), ("b", 2)]);
        let mut claims = BTreeMap::from([(1, Claim { topics: topics(&["a", "b"]), owned: BTreeSet::new() })]);
        let alone = assign(&claims, &all);
        assert_eq!(alone[&1], all);
        claims.get_mut(&1).unwrap().owned = all.clone();
        claims.insert(2, Claim { topics: topics(&["a", "b"]), owned: BTreeSet::new() });
        let both = assign(&claims, &all);
        assert_eq!((both[&1].len(), both[&2].len()), (3, 3));
        assert!(both[&1].is_subset(&all));
    }

    #[test]
    fn a_topic_goes_only_to_who_wants_it() {
        let all = partitions(&[("a", 2), ("b", 2), ("c", 1)]);
        let claims = BTreeMap::from([
            (1, Claim { topics: topics(&["a"]), owned: BTreeSet::new() }),
            (2, Claim { topics: topics(&["a", "b"]), owned: partitions(&[("a", 2)]) }),
        ]);
        let shares = assign(&claims, &all);
        assert_eq!(shares[&1], partitions(&[("a", 2)]));
        assert_eq!(shares[&2], partitions(&[("b", 2)]));
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_loads_differ_by_one_and_nothing_moves_twice(
            count in 0..24_i32,
            members in prop::collection::vec(prop::collection::vec(0..24_i32, 0..8), 1..6),
        ) {
            let all = partitions(&[("t", count)]);
            let claims: BTreeMap<usize, Claim> = members
                .iter()
                .map(|owned| owned.iter().map(|&partition| TopicPartition::new("t", partition)).collect())
                .map(|owned| Claim { topics: topics(&["t"]), owned })
                .enumerate()
                .collect();
            let shares = assign(&claims, &all);
            let given: Vec<_> = shares.values().flatten().cloned().collect();
            prop_assert_eq!(given.len(), all.len());
            prop_assert_eq!(&given.into_iter().collect::<BTreeSet<_>>(), &all);
            let loads = || shares.values().map(BTreeSet::len);
            prop_assert!(loads().max().unwrap_or(0) - loads().min().unwrap_or(0) <= 1);
            let settled = shares.iter().map(|(&member, owned)| (member, Claim { topics: topics(&["t"]), owned: owned.clone() }));
            prop_assert_eq!(assign(&settled.collect(), &all), shares);
        }
    }
}
