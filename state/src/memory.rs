//! A backend of ordered maps: the model in property tests and the store of tests that need no disk.
//! It forgets everything when it is dropped.

use std::collections::BTreeMap;

use crate::backend::{Backend, Family, FlushWait, KeyRange, Usage, Visit, Write, is_empty_range};
use crate::error::StateError;
use crate::layout::dedup::decode_hour;
use crate::value_ref::ValueRef;

type Entries = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// Families in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    families: Vec<Entries>,
}

impl Memory {
    pub(crate) fn new(families: usize) -> Self {
        Self { families: vec![Entries::new(); families] }
    }

    fn entries(&self, family: Family) -> &Entries {
        &self.families[usize::from(family.0)]
    }
}

impl Backend for Memory {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<ValueRef<'_>>, StateError> {
        Ok(self.entries(family).get(key).map(|value| ValueRef::slice(value)))
    }

    fn scan(&self, family: Family, range: KeyRange<'_>, visit: Visit<'_>) -> Result<(), StateError> {
        if is_empty_range(range) {
            return Ok(());
        }
        for (key, value) in self.entries(family).range::<[u8], _>(range) {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn write(&mut self, writes: &[Write<'_>]) -> Result<(), StateError> {
        for write in writes {
            let entries = &mut self.families[usize::from(write.family.0)];
            match write.value {
                Some(value) => drop(entries.insert(write.key.into(), value.into())),
                None => drop(entries.remove(write.key)),
            }
        }
        Ok(())
    }

    fn forget_before(&mut self, family: Family, hour: i64) {
        self.families[usize::from(family.0)].retain(|_, value| decode_hour(value).is_none_or(|kept| kept >= hour));
    }

    fn clear(&mut self, family: Family) -> Result<(), StateError> {
        self.families[usize::from(family.0)].clear();
        Ok(())
    }

    fn flush(&self, _wait: FlushWait) -> Result<(), StateError> {
        Ok(())
    }

    fn is_flushed(&self) -> bool {
        true
    }

    fn is_volatile(&self) -> bool {
        true
    }

    fn usage(&self) -> Usage {
        let entries = self.families.iter().flatten();
        let memtable_bytes =
            entries.map(|(key, value)| key.len() + value.len() + size_of::<(Box<[u8]>, Box<[u8]>)>()).sum::<usize>() as u64;
        let estimated_keys = self.families.iter().map(BTreeMap::len).sum::<usize>() as u64;
        Usage { memtable_bytes, estimated_keys, ..Usage::default() }
    }

    fn estimated_keys(&self, family: Family) -> u64 {
        self.entries(family).len() as u64
    }

    fn compact(&self) {}

    fn verify(&self) -> Result<(), StateError> {
        Ok(())
    }
}
