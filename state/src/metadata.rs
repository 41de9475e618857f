//! What a task's state says about itself: the format, the catalogue of stores, the log positions, the clock stamp, and what dedup
//! stores have to remember. Keys and values of the metadata family, and what to do about a catalogue that differs from the wanted
//! stores. No data of stores.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use smallvec::SmallVec;

use crate::backend::{Backend, Family};
use crate::error::{OpenError, StateError};
use crate::layout::{KeyBuffer, from_ordered_i64, ordered_i64, split_array};
use crate::spec::{LogPosition, StoreKind, StoreSpec};

const FORMAT: u8 = b'f';
const STAMP: u8 = b's';
const CATALOGUE: u8 = b'c';
const POSITION: u8 = b'p';
const HORIZON: u8 = b'h';
const BUCKET: u8 = b'b';

/// A change of the metadata that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetaWrite {
    pub(crate) key: KeyBuffer,
    pub(crate) value: Option<SmallVec<[u8; 32]>>,
}

/// What the catalogue knows of a store. The number stands for the store in keys, since its name is long and its index may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CatalogueEntry {
    pub(crate) number: u16,
    pub(crate) kind: StoreKind,
    pub(crate) logged: bool,
}

/// All metadata as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) format: Option<u32>,
    pub(crate) stamp_ms: Option<i64>,
    pub(crate) catalogue: BTreeMap<String, CatalogueEntry>,
    pub(crate) positions: BTreeMap<u16, LogPosition>,
    /// By store number: the hour before which identities are forgotten.
    pub(crate) horizons: BTreeMap<u16, i64>,
    /// By store number and hour: the first log position that may hold an identity of this hour.
    pub(crate) buckets: BTreeMap<u16, BTreeMap<i64, i64>>,
}

/// What opening a state with these stores means for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The number of each wanted store.
    pub(crate) numbers: Vec<u16>,
    /// Wanted stores that are not in the catalogue, by index.
    pub(crate) new: Vec<usize>,
    /// Stores of the catalogue that are not wanted any more.
    pub(crate) gone: Vec<(String, u16)>,
    /// Whether an entry differs in what may differ, such as its retention.
    pub(crate) retouched: bool,
}

impl Metadata {
    /// Reads the metadata family.
    pub(crate) fn load(backend: &dyn Backend, family: Family) -> Result<Self, StateError> {
        let mut metadata = Self::default();
        let mut is_damaged = false;
        backend.scan(family, (Bound::Unbounded, Bound::Unbounded), &mut |key, value| {
            is_damaged |= metadata.take(key, value).is_none();
            ControlFlow::Continue(())
        })?;
        if is_damaged {
            return Err(StateError::Corrupt("the metadata can't be read".to_owned()));
        }
        Ok(metadata)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let (&tag, key) = key.split_first()?;
        match tag {
            FORMAT => self.format = Some(u32::from_be_bytes(value.try_into().ok()?)),
            STAMP => self.stamp_ms = Some(i64::from_be_bytes(value.try_into().ok()?)),
            CATALOGUE => drop(self.catalogue.insert(String::from_utf8(key.to_vec()).ok()?, CatalogueEntry::decode(value)?)),
            POSITION => drop(self.positions.insert(number(key)?, decode_position(value)?)),
            HORIZON => drop(self.horizons.insert(number(key)?, i64::from_be_bytes(value.try_into().ok()?))),
            BUCKET => {
                let (number, hour) = split_array::<2>(key)?;
                let hour = from_ordered_i64(hour.try_into().ok()?);
                self.buckets
                    .entry(u16::from_be_bytes(number))
                    .or_default()
                    .insert(hour, i64::from_be_bytes(value.try_into().ok()?));
            }
            _ => return None,
        }
        Some(())
    }

    /// Compares the catalogue with the wanted stores.
    pub(crate) fn plan(&self, specs: &[StoreSpec]) -> Result<Plan, OpenError> {
        let mut plan = Plan::default();
        let mut next_number = self.catalogue.values().map(|entry| entry.number + 1).max().unwrap_or(0);
        for (index, spec) in specs.iter().enumerate() {
            if let Some(entry) = self.catalogue.get(&spec.name) {
                entry.check(spec)?;
                plan.retouched |= entry.kind != spec.kind;
                plan.numbers.push(entry.number);
            } else {
                plan.new.push(index);
                plan.numbers.push(next_number);
                next_number += 1;
            }
        }
        let is_gone = |name: &&String| specs.iter().all(|spec| spec.name != **name);
        plan.gone = self.catalogue.keys().filter(is_gone).map(|name| (name.clone(), self.catalogue[name].number)).collect();
        Ok(plan)
    }

    /// The deletes that remove a store from the metadata.
    pub(crate) fn forget_store(&self, name: &str, number: u16) -> Vec<MetaWrite> {
        let hours = self.buckets.get(&number).into_iter().flat_map(BTreeMap::keys);
        let keys = [tagged(CATALOGUE, name.as_bytes()), numbered(POSITION, number), numbered(HORIZON, number)];
        keys.into_iter().chain(hours.map(|&hour| bucket_key(number, hour))).map(|key| MetaWrite { key, value: None }).collect()
    }
}

impl CatalogueEntry {
    fn check(&self, spec: &StoreSpec) -> Result<(), OpenError> {
        if self.kind.name() == spec.kind.name() && self.logged == spec.logged {
            return Ok(());
        }
        let describe =
            |kind: &StoreKind, logged: bool| format!("{} {}", if logged { "a logged" } else { "an unlogged" }, kind.name());
        Err(OpenError::StoresChanged {
            store: spec.name.clone(),
            found: describe(&self.kind, self.logged),
            expected: describe(&spec.kind, spec.logged),
        })
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (number, rest) = split_array::<2>(value)?;
        let ([kind, logged], rest) = split_array::<2>(rest)?;
        let memory = i64::from_be_bytes(rest.try_into().ok()?);
        let kind = match kind {
            1 => StoreKind::KeyValue,
            2 => StoreKind::Window { retention_ms: memory },
            3 => StoreKind::Session { retention_ms: memory },
            4 => StoreKind::Dedup { memory_hours: u32::try_from(memory).ok()? },
            _ => return None,
        };
        Some(Self { number: u16::from_be_bytes(number), kind, logged: logged == 1 })
    }
}

/// The format that this version writes.
pub(crate) fn format(version: u32) -> MetaWrite {
    put(tagged(FORMAT, b""), &version.to_be_bytes())
}

/// The state follows its log as of this time.
pub(crate) fn stamp(now_ms: i64) -> MetaWrite {
    put(tagged(STAMP, b""), &now_ms.to_be_bytes())
}

/// A store's entry in the catalogue.
pub(crate) fn catalogue_entry(spec: &StoreSpec, number: u16) -> MetaWrite {
    let (kind, memory) = match spec.kind {
        StoreKind::KeyValue => (1, 0),
        StoreKind::Window { retention_ms } => (2, retention_ms),
        StoreKind::Session { retention_ms } => (3, retention_ms),
        StoreKind::Dedup { memory_hours } => (4, i64::from(memory_hours)),
    };
    let mut value = SmallVec::from_slice(&number.to_be_bytes());
    value.extend_from_slice(&[kind, u8::from(spec.logged)]);
    value.extend_from_slice(&memory.to_be_bytes());
    MetaWrite { key: tagged(CATALOGUE, spec.name.as_bytes()), value: Some(value) }
}

/// How far a store has followed its log.
pub(crate) fn position(number: u16, position: &LogPosition) -> MetaWrite {
    let mut value = SmallVec::from_slice(&position.log_id);
    value.extend_from_slice(&position.next.to_be_bytes());
    MetaWrite { key: numbered(POSITION, number), value: Some(value) }
}

/// The hour before which a dedup store forgets.
pub(crate) fn horizon(number: u16, hour: i64) -> MetaWrite {
    put(numbered(HORIZON, number), &hour.to_be_bytes())
}

/// The first log position that may hold an identity of an hour; `None` when the hour is forgotten.
pub(crate) fn bucket(number: u16, hour: i64, first: Option<i64>) -> MetaWrite {
    MetaWrite { key: bucket_key(number, hour), value: first.map(|first| SmallVec::from_slice(&first.to_be_bytes())) }
}

fn put(key: KeyBuffer, value: &[u8]) -> MetaWrite {
    MetaWrite { key, value: Some(SmallVec::from_slice(value)) }
}

fn tagged(tag: u8, rest: &[u8]) -> KeyBuffer {
    let mut key = KeyBuffer::new();
    key.push(tag);
    key.extend_from_slice(rest);
    key
}

fn numbered(tag: u8, number: u16) -> KeyBuffer {
    tagged(tag, &number.to_be_bytes())
}

fn bucket_key(number: u16, hour: i64) -> KeyBuffer {
    let mut key = numbered(BUCKET, number);
    key.extend_from_slice(&ordered_i64(hour));
    key
}

fn number(key: &[u8]) -> Option<u16> {
    key.try_into().ok().map(u16::from_be_bytes)
}

fn decode_position(value: &[u8]) -> Option<LogPosition> {
    let (log_id, next) = split_array::<16>(value)?;
    Some(LogPosition { log_id, next: i64::from_be_bytes(next.try_into().ok()?) })
}

#[cfg(test)]
#[path = "metadata/tests.rs"]
mod tests;
