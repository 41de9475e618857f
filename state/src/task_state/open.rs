//! Making a task's state from what is on disk, or from nothing: the checks of format, age and catalogue, and what follows from
//! them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::path::Path;

use super::durable::Durable;
use super::{Cadence, TaskState, as_ms, stamp_every_ms};
use crate::backend::{Backend, Family, FamilyRole, FamilySpec, FlushWait, Write};
use crate::dedup::{self, Dedup};
use crate::error::{OpenError, StateError};
use crate::expiry::ExpiryMark;
use crate::limits::{
    DEFAULT_CLEAN_CACHE_BYTES, DEFAULT_DEDUP_FRONT_BYTES, DEFAULT_MAX_AGE, DEFAULT_WRITE_BACK_BYTES, FORMAT_VERSION,
};
use crate::memory::Memory;
use crate::metadata::{self, MetaWrite, Metadata, Plan};
use crate::overlay::Overlay;
use crate::rocks::{DEFAULT_FAMILY, Rocks, SharedResources};
use crate::spec::{StoreKind, StoreSpec, check_specs};

/// How to open a task's state.
///
/// ```
/// use highwater_state::OpenOptions;
/// let options = OpenOptions { clean_cache_bytes: 64 << 20, ..OpenOptions::at(1_700_000_000_000) };
/// assert_eq!(options.max_age_ms, 86_400_000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// The wall clock's time.
    pub now_ms: i64,
    /// State that was last stamped longer ago is stale: no more than the log's retention of tombstones.
    pub max_age_ms: i64,
    /// Memory of each dedup store's front.
    pub dedup_front_bytes: usize,
    /// Memory for recent entries that are already on disk, for all stores of the task together.
    pub clean_cache_bytes: usize,
    /// What committed changes may hold in memory, for all stores together, before they are written in one batch; zero writes
    /// every transaction. A key that changes in many transactions is then written once. A crash loses no more by it: what is
    /// written is not durable before it is flushed either.
    pub write_back_bytes: usize,
}

impl OpenOptions {
    /// The defaults, at this time of the wall clock.
    pub fn at(now_ms: i64) -> Self {
        Self {
            now_ms,
            max_age_ms: as_ms(DEFAULT_MAX_AGE),
            dedup_front_bytes: DEFAULT_DEDUP_FRONT_BYTES,
            clean_cache_bytes: DEFAULT_CLEAN_CACHE_BYTES,
            write_back_bytes: DEFAULT_WRITE_BACK_BYTES,
        }
    }
}

impl TaskState {
    /// Opens the state in `dir`, or makes an empty one.
    ///
    /// Stores are found by name. One that is new starts empty and without a position, so it is restored from its log's start; one
    /// that is gone is dropped with its position.
    pub fn open(dir: &Path, specs: &[StoreSpec], shared: &SharedResources, options: &OpenOptions) -> Result<Self, OpenError> {
        check_specs(specs)?;
        let (mut rocks, strangers) = Rocks::open(dir, families(specs), shared)?;
        let metadata_family = Family(specs.len() as u16 + 1);
        let metadata = Metadata::load(&rocks, metadata_family)?;
        check_format(&metadata)?;
        check_age(&metadata, options)?;
        let plan = metadata.plan(specs)?;
        forget_gone_stores(&mut rocks, specs.len() as u16, &metadata, &plan)?;
        rocks.drop_strangers(&strangers)?;
        enter_new_stores(&mut rocks, specs, &metadata, &plan)?;
        let state = Self::assemble(Box::new(rocks), specs, &metadata, plan.numbers, options)?;
        tracing::debug!(dir = %dir.display(), stores = specs.len(), stamp_ms = ?state.stamp_ms, "opened the state");
        Ok(state)
    }

    /// A state in memory, which behaves as one on disk does but forgets everything when it is dropped.
    pub fn in_memory(specs: &[StoreSpec]) -> Self {
        check_specs(specs).expect("the stores are specified rightly");
        let options = OpenOptions { write_back_bytes: 0, ..OpenOptions::at(0) };
        let backend = Memory::new(specs.len() + 2);
        let numbers = (0..specs.len() as u16).collect();
        Self::assemble(Box::new(backend), specs, &Metadata::default(), numbers, &options)
            .expect("an empty state in memory can't fail")
    }

    fn assemble(
        mut backend: Box<dyn Backend>,
        specs: &[StoreSpec],
        metadata: &Metadata,
        numbers: Vec<u16>,
        options: &OpenOptions,
    ) -> Result<Self, StateError> {
        let mut dedups = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            dedups.push(match spec.kind {
                StoreKind::Dedup { .. } => {
                    Some(open_dedup(backend.as_mut(), index as u16, numbers[index], metadata, options.dedup_front_bytes)?)
                }
                _ => None,
            });
        }
        let positions: Vec<_> = numbers.iter().map(|number| metadata.positions.get(number).cloned()).collect();
        Ok(Self {
            specs: specs.to_vec(),
            overlay: Overlay::new(specs.len() + 2, options.clean_cache_bytes),
            dedups,
            expiry: vec![ExpiryMark::unknown(); specs.len()],
            durable: Durable::found(positions.clone()),
            write_back_bytes: options.write_back_bytes,
            moved: vec![false; specs.len()],
            positions,
            numbers,
            stamp_ms: metadata.stamp_ms,
            is_stamp_moved: false,
            cadence: Cadence {
                unflushed_bytes: 0,
                last_flush_ms: options.now_ms,
                stamp_every_ms: stamp_every_ms(options.max_age_ms),
            },
            last_read: RefCell::default(),
            scratch: Vec::new(),
            backend,
        })
    }
}

/// Stores first, so that a store's id is its family; then the expiry index, then the metadata.
fn families(specs: &[StoreSpec]) -> Vec<FamilySpec> {
    let of_store = |spec: &StoreSpec| {
        let role = match spec.kind {
            StoreKind::KeyValue => FamilyRole::KeyValue,
            StoreKind::Window { .. } => FamilyRole::Window,
            StoreKind::Session { .. } => FamilyRole::Session,
            StoreKind::Dedup { memory_hours } => FamilyRole::Dedup { memory_hours },
        };
        FamilySpec { name: family_name(&spec.name), role }
    };
    let internal = [("expiry", FamilyRole::Expiry), (DEFAULT_FAMILY, FamilyRole::Metadata)];
    specs.iter().map(of_store).chain(internal.map(|(name, role)| FamilySpec { name: name.to_owned(), role })).collect()
}

/// A store's family on disk; the prefix keeps stores apart from what is internal.
pub(super) fn family_name(store: &str) -> String {
    format!("store.{store}")
}

/// A state without a format was never flushed, so it is empty.
fn check_format(metadata: &Metadata) -> Result<(), OpenError> {
    match metadata.format {
        None | Some(FORMAT_VERSION) => Ok(()),
        Some(found) => Err(OpenError::Format { found, expected: FORMAT_VERSION }),
    }
}

/// Only state that follows a log can turn stale. A stamp far in the future says that a clock was wrong, so the age is unknown.
fn check_age(metadata: &Metadata, options: &OpenOptions) -> Result<(), OpenError> {
    let (Some(stamp_ms), false) = (metadata.stamp_ms, metadata.positions.is_empty()) else {
        return Ok(());
    };
    let age_ms = options.now_ms.saturating_sub(stamp_ms);
    if age_ms.saturating_abs() > options.max_age_ms { Err(OpenError::Stale { age_ms }) } else { Ok(()) }
}

/// IMPORTANT: the position of a store goes, durably, before its data does. The other way round a crash in between would leave an
/// empty store that claims to have followed its log.
fn forget_gone_stores(backend: &mut dyn Backend, stores: u16, metadata: &Metadata, plan: &Plan) -> Result<(), StateError> {
    if plan.gone.is_empty() {
        return Ok(());
    }
    let mut index_keys = Vec::new();
    for &(_, number) in &plan.gone {
        let (from, to) = (number.to_be_bytes(), (u32::from(number) + 1).to_be_bytes());
        let to = if number == u16::MAX { Bound::Unbounded } else { Bound::Excluded(&to[2..]) };
        backend.scan(Family(stores), (Bound::Included(&from), to), &mut |key, _| {
            index_keys.push(key.to_vec());
            ControlFlow::Continue(())
        })?;
    }
    let writes: Vec<MetaWrite> = plan.gone.iter().flat_map(|(name, number)| metadata.forget_store(name, *number)).collect();
    let of_index = index_keys.iter().map(|key| Write { family: Family(stores), key, value: None });
    let of_metadata =
        writes.iter().map(|write| Write { family: Family(stores + 1), key: &write.key, value: write.value.as_deref() });
    backend.write(&of_index.chain(of_metadata).collect::<Vec<_>>())?;
    backend.flush(FlushWait::UntilDurable)
}

/// A new store is emptied before it enters the catalogue: what a family of its name may still hold is of a store that was
/// dropped.
fn enter_new_stores(backend: &mut dyn Backend, specs: &[StoreSpec], metadata: &Metadata, plan: &Plan) -> Result<(), StateError> {
    if plan.new.is_empty() && !plan.retouched && metadata.format.is_some() {
        return Ok(());
    }
    for &index in &plan.new {
        if !is_empty(backend, Family(index as u16))? {
            backend.clear(Family(index as u16))?;
        }
    }
    let entries = specs.iter().zip(&plan.numbers).map(|(spec, &number)| metadata::catalogue_entry(spec, number));
    let writes: Vec<MetaWrite> = entries.chain([metadata::format(FORMAT_VERSION)]).collect();
    let family = Family(specs.len() as u16 + 1);
    backend.write(
        &writes.iter().map(|write| Write { family, key: &write.key, value: write.value.as_deref() }).collect::<Vec<_>>(),
    )?;
    backend.flush(FlushWait::UntilDurable)
}

fn is_empty(backend: &dyn Backend, family: Family) -> Result<bool, StateError> {
    let mut is_empty = true;
    backend.scan(family, (Bound::Unbounded, Bound::Unbounded), &mut |_, _| {
        is_empty = false;
        ControlFlow::Break(())
    })?;
    Ok(is_empty)
}

fn open_dedup(
    backend: &mut dyn Backend,
    store: u16,
    number: u16,
    metadata: &Metadata,
    front_bytes: usize,
) -> Result<Dedup, StateError> {
    let horizon = metadata.horizons.get(&number).copied();
    let buckets: BTreeMap<i64, i64> = metadata.buckets.get(&number).cloned().unwrap_or_default();
    let mut dedup = Dedup::new(front_bytes, horizon, buckets);
    backend.forget_before(Family(store), dedup.horizon());
    dedup::warm(&mut dedup, backend, crate::spec::StoreId(store))?;
    Ok(dedup)
}
