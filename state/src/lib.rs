//! Stub.
#![allow(missing_docs, clippy::all, missing_debug_implementations)]
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    KeyValue,
    Window { retention_ms: i64 },
    Session { retention_ms: i64 },
    Dedup { memory_hours: u32 },
}
#[derive(Clone, Debug)]
pub struct StoreSpec {
    pub name: String,
    pub kind: StoreKind,
    pub logged: bool,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(pub u16);
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPosition {
    pub log_id: [u8; 16],
    pub next: i64,
}
#[derive(Debug)]
pub struct StateError;
impl std::fmt::Display for StateError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
impl std::error::Error for StateError {}
#[derive(Debug)]
pub struct TaskState {
    specs: Vec<StoreSpec>,
    data: BTreeMap<(u16, Vec<u8>), Vec<u8>>,
    saved: BTreeMap<(u16, Vec<u8>), Vec<u8>>,
    committed: BTreeMap<(u16, Vec<u8>), Vec<u8>>,
}
impl TaskState {
    pub fn in_memory(specs: &[StoreSpec]) -> Self {
        Self { specs: specs.to_vec(), data: BTreeMap::new(), saved: BTreeMap::new(), committed: BTreeMap::new() }
    }
    pub fn store(&self, name: &str) -> Option<StoreId> {
        self.specs.iter().position(|s| s.name == name).map(|i| StoreId(i as u16))
    }
    pub fn get(&self, s: StoreId, k: &[u8]) -> Result<Option<&[u8]>, StateError> {
        Ok(self.data.get(&(s.0, k.to_vec())).map(|v| &v[..]))
    }
    pub fn put(&mut self, s: StoreId, k: &[u8], v: &[u8]) -> Result<(), StateError> {
        self.data.insert((s.0, k.to_vec()), v.to_vec());
        Ok(())
    }
    pub fn delete(&mut self, s: StoreId, k: &[u8]) -> Result<(), StateError> {
        self.data.remove(&(s.0, k.to_vec()));
        Ok(())
    }
    pub fn scan(
        &self,
        s: StoreId,
        r: (Bound<&[u8]>, Bound<&[u8]>),
        f: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StateError> {
        for ((i, k), v) in &self.data {
            if *i == s.0 && std::ops::RangeBounds::<[u8]>::contains(&r, &k[..]) && f(k, v).is_break() {
                break;
            }
        }
        Ok(())
    }
    pub fn begin_record(&mut self) {
        self.saved = self.data.clone();
    }
    pub fn accept_record(&mut self) {}
    pub fn rollback_record(&mut self) {
        self.data = self.saved.clone();
    }
    pub fn is_dirty(&self) -> bool {
        self.data != self.committed
    }
    pub fn discard(&mut self) {
        self.data = self.committed.clone();
    }
    pub fn overlay_bytes(&self) -> usize {
        0
    }
    pub fn log_changes(&self, _f: &mut dyn FnMut(StoreId, &[u8], Option<&[u8]>)) {}
    pub fn apply(&mut self, _p: &[(StoreId, LogPosition)], _now: i64) -> Result<(), StateError> {
        self.committed = self.data.clone();
        Ok(())
    }
}
