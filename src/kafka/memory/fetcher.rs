//! The positions of a client and how they move: shared by `consumer` and `reader`. Knows nothing of groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::broker::{State, unknown};
use crate::kafka::{Batch, FetchedRecord, Isolation, KafkaError, KafkaErrorKind, OFFSET_BEGINNING, OFFSET_END, Payload, Slot};
use crate::record::TopicPartition;

/// What a client reads, and where it is.
#[derive(Debug)]
pub(super) struct Fetcher {
    isolation: Isolation,
    slots: BTreeMap<TopicPartition, Slot>,
    assigned: Vec<Assigned>,
    /// Who comes first in the next fetch, so that a full partition does not starve the others.
    first: usize,
}

#[derive(Debug)]
struct Assigned {
    partition: TopicPartition,
    slot: Slot,
    topic_id: [u8; 16],
    position: i64,
    paused: bool,
    /// Stopped by an error that was told, until the next seek.
    halted: bool,
    told_end: Option<i64>,
}

impl Fetcher {
    pub(super) fn new(isolation: Isolation) -> Self {
        Self { isolation, slots: BTreeMap::new(), assigned: Vec::new(), first: 0 }
    }

    /// The number of a partition.
    pub(super) fn slot(&mut self, partition: &TopicPartition) -> Slot {
        if let Some(&slot) = self.slots.get(partition) {
            return slot;
        }
        let slot = Slot(self.slots.len() as u32);
        self.slots.insert(partition.clone(), slot);
        slot
    }

    /// Adds partitions: all, or none if one does not exist or is there already.
    pub(super) fn add(&mut self, state: &State, partitions: &[(TopicPartition, i64)]) -> Result<(), KafkaError> {
        let mut added = Vec::with_capacity(partitions.len());
        for (partition, offset) in partitions {
            if self.assigned.iter().chain(&added).any(|assigned| assigned.partition == *partition) {
                return Err(wrong(format!("{partition} is assigned already")));
            }
            added.push(Assigned {
                partition: partition.clone(),
                slot: self.slot(partition),
                topic_id: state.topic(&partition.topic)?.description.id,
                position: self.resolve(state, partition, *offset)?,
                paused: false,
                halted: false,
                told_end: None,
            });
        }
        self.assigned.append(&mut added);
        Ok(())
    }

    /// Forgets partitions.
    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        if let Some(stranger) = partitions.iter().find(|partition| !self.is_assigned(partition)) {
            return Err(wrong(format!("{stranger} is not assigned")));
        }
        self.assigned.retain(|assigned| !partitions.contains(&assigned.partition));
        Ok(())
    }

    /// Forgets all partitions.
    pub(super) fn clear(&mut self) {
        self.assigned.clear();
    }

    /// Stops or continues fetching. Partitions that are not assigned are passed over, as the C client does.
    pub(super) fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) {
        for assigned in self.assigned.iter_mut().filter(|assigned| partitions.contains(&assigned.partition)) {
            assigned.paused = paused;
        }
    }

    /// Moves a position.
    pub(super) fn seek(&mut self, state: &State, partition: &TopicPartition, offset: i64) -> Result<(), KafkaError> {
        let position = self.resolve(state, partition, offset)?;
        let topic_id = state.topic(&partition.topic)?.description.id;
        let found = self.assigned.iter_mut().find(|assigned| assigned.partition == *partition);
        let assigned = found.ok_or_else(|| wrong(format!("{partition} is not assigned")))?;
        (assigned.topic_id, assigned.position) = (topic_id, position);
        (assigned.halted, assigned.told_end) = (false, None);
        Ok(())
    }

    /// Takes what there is, at most `max_records` records. Returns whether there was anything.
    ///
    /// An error of one partition is told alone, in a fetch that brings nothing, and stops that partition.
    pub(super) fn fetch(&mut self, state: &State, batch: &mut Batch, max_records: usize) -> Result<bool, KafkaError> {
        let mut room = max_records;
        let mut anything = false;
        let partitions = self.assigned.len();
        self.first = (self.first + 1) % partitions.max(1);
        for turn in 0..partitions {
            let assigned = &mut self.assigned[(self.first + turn) % partitions];
            if assigned.paused || assigned.halted {
                continue;
            }
            match assigned.fetch(state, self.isolation, batch, room) {
                Ok((0, false)) => {}
                Ok((records, _)) => {
                    anything = true;
                    room -= records;
                }
                Err(_) if anything => {}
                Err(error) => {
                    assigned.halted = true;
                    return Err(error);
                }
            }
        }
        Ok(anything)
    }

    fn is_assigned(&self, partition: &TopicPartition) -> bool {
        self.assigned.iter().any(|assigned| assigned.partition == *partition)
    }

    fn resolve(&self, state: &State, partition: &TopicPartition, offset: i64) -> Result<i64, KafkaError> {
        let log = state.log(partition)?;
        match offset {
            OFFSET_BEGINNING => Ok(log.start()),
            OFFSET_END => Ok(log.bound(self.isolation)),
            0.. => Ok(offset),
            _ => Err(wrong(format!("{offset} is no offset of {partition}"))),
        }
    }
}

impl Assigned {
    /// How many records came, and whether the end was reached anew.
    fn fetch(
        &mut self,
        state: &State,
        isolation: Isolation,
        batch: &mut Batch,
        room: usize,
    ) -> Result<(usize, bool), KafkaError> {
        if state.topic(&self.partition.topic)?.description.id != self.topic_id {
            return Err(unknown(format_args!("{}: the topic was made anew", self.partition)));
        }
        let log = state.log(&self.partition)?;
        if !(log.start()..=log.end()).contains(&self.position) {
            let message = format!("offset {} of {} is not in {}..={}", self.position, self.partition, log.start(), log.end());
            return Err(KafkaError::new(KafkaErrorKind::OffsetOutOfRange, message));
        }
        let before = batch.records.len();
        let slot = self.slot;
        self.position = log.read(self.position, isolation, room, |offset, timestamp, record| {
            batch.records.push(FetchedRecord::new(slot, offset, timestamp, Payload::Shared(Arc::clone(record))));
        });
        let reached = self.position == log.bound(isolation) && self.told_end != Some(self.position);
        if reached {
            self.told_end = Some(self.position);
            batch.ends.push((slot, self.position));
        }
        Ok((batch.records.len() - before, reached))
    }
}

fn wrong(message: String) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Config, message)
}
