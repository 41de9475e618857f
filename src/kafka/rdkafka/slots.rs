//! Numbers for the partitions of one client, so that the record path needs no names.

use foldhash::fast::FixedState;
use hashbrown::{Equivalent, HashMap};

use crate::kafka::Slot;
use crate::record::TopicPartition;

/// Which slot a partition has. Slots are never taken back.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_partition: HashMap<TopicPartition, Slot, FixedState>,
    partitions: Vec<TopicPartition>,
}

/// Hashes as a [`TopicPartition`] does.
#[derive(Hash)]
struct Named<'a> {
    topic: &'a str,
    partition: i32,
}

impl Equivalent<TopicPartition> for Named<'_> {
    fn equivalent(&self, key: &TopicPartition) -> bool {
        self.partition == key.partition && *self.topic == *key.topic
    }
}

impl Slots {
    pub(super) fn of(&mut self, partition: &TopicPartition) -> Slot {
        self.of_named(&partition.topic, partition.partition)
    }

    pub(super) fn of_named(&mut self, topic: &str, partition: i32) -> Slot {
        if let Some(slot) = self.by_partition.get(&Named { topic, partition }) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.partitions.len()).expect("fewer partitions than 2^32"));
        let partition = TopicPartition::new(topic, partition);
        self.partitions.push(partition.clone());
        self.by_partition.insert(partition, slot);
        slot
    }

    pub(super) fn partition(&self, slot: Slot) -> &TopicPartition {
        &self.partitions[slot.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;
    use crate::kafka::Slot;
    use crate::record::TopicPartition;

    #[test]
    fn a_partition_keeps_its_slot() {
        let mut slots = Slots::default();
        let table = [("a", 0, 0), ("a", 1, 1), ("b", 0, 2), ("a", 0, 0), ("b", 0, 2), ("c", 0, 3)];
        for (topic, partition, slot) in table {
            assert_eq!(slots.of(&TopicPartition::new(topic, partition)), Slot(slot));
            assert_eq!(slots.of_named(topic, partition), Slot(slot));
            assert_eq!(slots.partition(Slot(slot)), &TopicPartition::new(topic, partition));
        }
    }
}
