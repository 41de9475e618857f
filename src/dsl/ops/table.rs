//! A kept table: one read and one write of its store for a change, and the emission of what has changed by the table's policy.
//!
//! Sources, aggregates, joins and windows are small things around it: they say how a row changes, this says what follows.

use bytes::BufMut;
use highwater_state::StoreId;

use super::pending::{Held, Pending};
use super::placing::Placing;
use super::stored::{Header, Last};
use super::throttle::{Keeps, MOST_AT_ONCE, Throttle, Until};
use crate::dsl::change::Change;
use crate::dsl::emit::Emit;
use crate::dsl::materialized::Materialized;
use crate::processor::ProcessError;
use crate::record::{Record, Timestamp};
use crate::serde::{Data, Serde, SharedSerde};
use crate::task::TaskCore;
use crate::task::edge::Outlet;
use crate::topology::{NodeId, OldValues, StoreRef, TaskBuilder};

/// A table in its store, with the policy of its emission.
pub(crate) struct Table<P: Placing, K: Data, V> {
    pub(crate) store: StoreId,
    pub(crate) placing: P,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    pub(crate) policy: Policy,
    sends_old: bool,
    skips: Skips,
    /// Whether a join looks into it, and so may have seen what was not told: every change is told, whatever it comes to.
    tells_all: bool,
    /// What lay in the store before the change at hand; its capacity is reused.
    before: Vec<u8>,
    outlet: Outlet<P::Key<K>, Change<V>>,
}

/// What is held back, by policy.
#[derive(Debug)]
pub(crate) enum Policy {
    Update,
    Commit(Pending),
    AtMostEvery(Throttle),
    /// The owner emits when a window closes.
    Close,
}

impl Policy {
    /// Whether something may be held back, so that entries that leave the store must be looked at.
    pub(crate) fn holds_back(&self) -> bool {
        match self {
            Self::Update | Self::Close => false,
            Self::Commit(pending) => !pending.is_empty(),
            Self::AtMostEvery(throttle) => !throttle.is_empty(),
        }
    }
}

/// How a table is made.
pub(crate) struct TableSpec<'a, P, K, V> {
    pub(crate) placing: P,
    pub(crate) store: StoreRef,
    pub(crate) options: &'a Materialized<K, V>,
    pub(crate) skips: Skips,
}

/// Which writes are no changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skips {
    Nothing,
    /// Of a row that equals the one before, whatever its time.
    EqualRows,
    /// Of a row that equals the one before, at the same time.
    EqualEntries,
}

/// A row as it is before a change.
pub(crate) struct Current<'a, V> {
    payload: Option<&'a [u8]>,
    serde: &'a dyn Serde<V>,
}

impl<V> Current<'_, V> {
    /// Its value.
    pub(crate) fn value(&self) -> Result<Option<V>, ProcessError> {
        Ok(self.payload.map(|payload| self.serde.decode(payload)).transpose()?)
    }
}

/// An entry as it lay in the store before a change, if there was one.
#[derive(Clone, Copy, Default)]
struct Before<'a> {
    entry: Option<&'a [u8]>,
    parsed: Option<(Header<'a>, &'a [u8])>,
}

impl<'a> Before<'a> {
    fn of(entry: &'a [u8]) -> Result<Self, ProcessError> {
        Ok(Self { entry: Some(entry), parsed: Some(Header::read(entry)?) })
    }

    /// Unless it is a deletion that waits.
    fn live(&self) -> Option<(Header<'a>, &'a [u8])> {
        self.parsed.filter(|(header, _)| !header.deleted)
    }
}

/// Whether a change made something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// The row was not there before.
    Created,
    /// The row was there, or nothing happened.
    Otherwise,
}

impl<P: Placing, K: Data, V: Data> Table<P, K, V> {
    pub(crate) fn new(spec: &TableSpec<'_, P, K, V>, task: &mut TaskBuilder<'_>, node: NodeId) -> Self {
        let sends_old = task.old_values(node) == Some(OldValues::Always);
        Self {
            store: task.store(spec.store),
            placing: spec.placing,
            key: spec.options.key.clone(),
            value: spec.options.value.clone(),
            policy: policy(spec.options.emit, &spec.options.name, keeps(sends_old, spec.skips == Skips::EqualRows), task),
            sends_old,
            skips: spec.skips,
            tells_all: task.is_looked_into(node),
            before: Vec::new(),
            outlet: task.outlet(node),
        }
    }

    /// Whether a key is written as null, so that no partition and no row is its own.
    pub(crate) fn is_null_key(&self, key: &K) -> bool {
        self.key.is_null(key)
    }

    /// Changes a row: `how` makes the new one (`None` deletes it), `time` its time out of the old one's.
    pub(crate) fn change(
        &mut self,
        key: &K,
        place: P::Place,
        core: &mut TaskCore,
        time: impl FnOnce(Option<Timestamp>) -> Timestamp,
        how: impl FnOnce(&Current<'_, V>) -> Result<Option<V>, ProcessError>,
    ) -> Result<Changed, ProcessError> {
        core.scratch.key.clear();
        self.key.encode(key, &mut core.scratch.key)?;
        let mut entry = std::mem::take(&mut self.before);
        entry.clear();
        let existed = match P::get(&core.state, self.store, &core.scratch.key, place)? {
            Some(found) => {
                entry.extend_from_slice(&found);
                true
            }
            None => false,
        };
        let before = if existed { Before::of(&entry)? } else { Before::default() };
        let live = before.live();
        let timestamp = time(live.map(|(header, _)| header.timestamp));
        let current = Current { payload: live.map(|(_, payload)| payload), serde: &*self.value };
        let new = how(&current)?.filter(|new| !self.value.is_null(new));
        if let Some(header) = self.write(place, &before, timestamp, new.as_ref(), core)? {
            self.announce((key, place), &before, &header, new, core)?;
        }
        let changed = if live.is_some() { Changed::Otherwise } else { Changed::Created };
        self.before = entry;
        Ok(changed)
    }

    /// Writes the row under the key in the scratch buffer; gives the header of what was written, or nothing if nothing changes.
    fn write<'a>(
        &self,
        place: P::Place,
        before: &Before<'a>,
        timestamp: Timestamp,
        new: Option<&V>,
        core: &mut TaskCore,
    ) -> Result<Option<Header<'a>>, ProcessError> {
        let TaskCore { state, scratch, times, ruling, now, .. } = core;
        let live = before.live().map(|(_, payload)| payload);
        if new.is_none() && live.is_none() {
            return Ok(None);
        }
        let mut header = match &self.policy {
            Policy::AtMostEvery(throttle) => throttle.mark(before.parsed, timestamp, times, *now),
            _ => Header::at(timestamp),
        };
        // A deletion that waits its turn keeps the last row with it.
        header.deleted = new.is_none();
        scratch.value.clear();
        header.write(&mut scratch.value);
        match new {
            Some(new) => {
                let payload_at = scratch.value.len();
                self.value.encode(new, &mut scratch.value)?;
                let is_equal = live == Some(&scratch.value[payload_at..]);
                let is_same_time = before.live().is_some_and(|(header, _)| header.timestamp == timestamp);
                if is_equal && (self.skips == Skips::EqualRows || self.skips == Skips::EqualEntries && is_same_time) {
                    return Ok(None);
                }
                P::put(state, self.store, &scratch.key, place, &scratch.value)?;
            }
            None if header.due.is_some() && (header.emitted || self.tells_all) => {
                scratch.value.put_slice(live.unwrap_or_default());
                P::put(state, self.store, &scratch.key, place, &scratch.value)?;
            }
            None => P::delete(state, self.store, &scratch.key, place)?,
        }
        ruling.take_effect();
        Ok(Some(header))
    }

    /// Emits what was written, or notes that it is held back.
    fn announce(
        &mut self,
        (key, place): (&K, P::Place),
        before: &Before<'_>,
        header: &Header<'_>,
        new: Option<V>,
        core: &mut TaskCore,
    ) -> Result<(), ProcessError> {
        let scratch = &core.scratch;
        match &mut self.policy {
            Policy::Update => {
                let old = before.live().filter(|_| self.sends_old || new.is_none());
                let old = old.map(|(_, payload)| self.value.decode(payload)).transpose()?;
                let record = Record::new(self.placing.key(key.clone(), place), Change::new(old, new), header.timestamp);
                self.outlet.forward(record, core)?;
            }
            Policy::Commit(pending) => {
                let deleted_at = header.deleted.then_some(header.timestamp);
                let entry = before.entry.map(|entry| [entry, b""]);
                pending.touch([&scratch.key, P::tail(place).as_ref()], entry, deleted_at);
            }
            Policy::AtMostEvery(throttle) => {
                let waits_already = before.parsed.is_some_and(|(before, _)| before.due == header.due);
                let is_in_store = !header.deleted || header.emitted || self.tells_all;
                if let Some(due) = header.due.filter(|_| is_in_store && !waits_already) {
                    throttle.enqueue(due, [&scratch.key, P::tail(place).as_ref()]);
                }
            }
            Policy::Close => {}
        }
        Ok(())
    }

    /// Finds what waits, after the state was opened.
    pub(crate) fn opened(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Policy::AtMostEvery(throttle) = &mut self.policy else { return Ok(()) };
        let mut outcome = Ok(());
        P::each(&core.state, self.store, &mut |key, place, entry| match Header::read(entry) {
            Ok((header, _)) if throttle.is_waiting(&header, &core.times) => {
                throttle.enqueue(header.due.unwrap_or_default(), [key, P::tail(place).as_ref()]);
            }
            Ok(_) => {}
            Err(error) => outcome = Err(error),
        })?;
        Ok(outcome?)
    }

    /// Emits what a commit is for.
    pub(crate) fn before_commit(&mut self, core: &mut TaskCore) -> Result<(), ProcessError> {
        let Policy::Commit(pending) = &self.policy else { return Ok(()) };
        if pending.is_empty() {
            return Ok(());
        }
        pending.each(|bytes, before, deleted_at| {
            let (key, place) = P::split(bytes);
            self.before.clear();
            if let Some(entry) = P::get(&core.state, self.store, key, place)? {
                self.before.extend_from_slice(&entry);
            }
            let now = (!self.before.is_empty()).then_some(&*self.before);
            let told = difference(before, now, &*self.value, self.sends_old, self.skips == Skips::EqualRows)?;
            let told = match told {
                None if self.tells_all => Some(unchanged(now, &*self.value, self.sends_old)?),
                told => told,
            };
            let Some((change, timestamp)) = told else { return Ok(()) };
            let key = self.placing.key(self.key.decode(key)?, place);
            let timestamp = deleted_at.filter(|_| change.new.is_none()).unwrap_or(timestamp);
            self.outlet.forward(Record::new(key, change, timestamp), core)
        })?;
        if let Policy::Commit(pending) = &mut self.policy {
            pending.clear();
        }
        Ok(())
    }

    /// Emits what is due.
    pub(crate) fn emit_due(&mut self, until: Until, core: &mut TaskCore) -> Result<(), ProcessError> {
        let mut emitted = 0;
        while let Policy::AtMostEvery(throttle) = &mut self.policy
            && (emitted < MOST_AT_ONCE || until == Until::TheEnd)
            && let Some((due, places)) = throttle.pop(until, core.now)
        {
            emitted += places.len();
            for bytes in &places {
                self.emit_waiting(bytes, due, core)?;
            }
            if let Policy::AtMostEvery(throttle) = &self.policy {
                throttle.emitted(due, core);
            }
        }
        Ok(())
    }

    /// Emits the entry of a place, if it still waits for this due time.
    fn emit_waiting(&mut self, bytes: &[u8], due: Timestamp, core: &mut TaskCore) -> Result<(), ProcessError> {
        let (key, place) = P::split(bytes);
        self.before.clear();
        match P::get(&core.state, self.store, key, place)? {
            Some(entry) => self.before.extend_from_slice(&entry),
            None => return Ok(()),
        }
        let (header, payload) = Header::read(&self.before)?;
        if header.due != Some(due) {
            return Ok(());
        }
        if header.deleted {
            P::delete(&mut core.state, self.store, key, place)?;
        }
        self.emit_entry(key, place, header, payload, core)
    }

    fn emit_entry(
        &self,
        key: &[u8],
        place: P::Place,
        header: Header<'_>,
        payload: &[u8],
        core: &mut TaskCore,
    ) -> Result<(), ProcessError> {
        if !header.deleted && self.skips == Skips::EqualRows && header.last.is(payload) {
            return Ok(());
        }
        // What was told last is what a change takes back; a row that is deleted may have changed unseen since.
        let last = if let Last::Value(last) = header.last { Some(last).filter(|_| self.sends_old) } else { None };
        let old = last.or(if header.deleted && header.emitted { Some(payload) } else { None });
        let old = old.map(|old| self.value.decode(old)).transpose()?;
        let new = if header.deleted { None } else { Some(self.value.decode(payload)?) };
        let change = if header.deleted && !header.emitted { Change::void() } else { Change::new(old, new) };
        let key = self.placing.key(self.key.decode(key)?, place);
        self.outlet.forward(Record::new(key, change, header.timestamp), core)
    }

    /// An entry has left the store because its time is over: what it held back is emitted now.
    pub(crate) fn emit_leaving(
        &mut self,
        key: &[u8],
        place: P::Place,
        entry: &[u8],
        core: &mut TaskCore,
    ) -> Result<(), ProcessError> {
        let (header, payload) = Header::read(entry)?;
        match &mut self.policy {
            Policy::Commit(pending) => {
                let Some(Held(before)) = pending.take([key, P::tail(place).as_ref()]) else { return Ok(()) };
                let change = difference(before, Some(entry), &*self.value, self.sends_old, self.skips == Skips::EqualRows)?;
                let Some((change, timestamp)) = change else { return Ok(()) };
                let key = self.placing.key(self.key.decode(key)?, place);
                self.outlet.forward(Record::new(key, change, timestamp), core)
            }
            Policy::AtMostEvery(throttle) if throttle.is_waiting(&header, &core.times) => {
                self.emit_entry(key, place, header, payload, core)
            }
            Policy::AtMostEvery(_) | Policy::Update | Policy::Close => Ok(()),
        }
    }

    /// Emits an entry as it is and forgets it: its window has closed.
    pub(crate) fn close(&mut self, key: &[u8], place: P::Place, core: &mut TaskCore) -> Result<(), ProcessError> {
        self.before.clear();
        match P::get(&core.state, self.store, key, place)? {
            Some(entry) => self.before.extend_from_slice(&entry),
            None => return Ok(()),
        }
        P::delete(&mut core.state, self.store, key, place)?;
        let (header, payload) = Header::read(&self.before)?;
        self.emit_entry(key, place, header, payload, core)
    }
}

/// What a policy keeps of the value that was emitted last.
pub(crate) fn keeps(sends_old: bool, skips_equal: bool) -> Keeps {
    match (sends_old, skips_equal) {
        (true, _) => Keeps::Value,
        (false, true) => Keeps::Hash,
        (false, false) => Keeps::Nothing,
    }
}

/// The policy of the operator of this name.
pub(crate) fn policy(emit: Emit, name: &str, keeps: Keeps, task: &mut TaskBuilder<'_>) -> Policy {
    match emit {
        Emit::Update => Policy::Update,
        Emit::Commit => Policy::Commit(Pending::default()),
        Emit::AtMostEvery(period) => Policy::AtMostEvery(Throttle::new(period, task.mark(name, "emitted"), keeps)),
        Emit::Close => Policy::Close,
    }
}

/// What to tell of an entry that was `before` when the transaction began and is `now`; nothing if it is the same.
pub(crate) fn difference<V>(
    before: Option<&[u8]>,
    now: Option<&[u8]>,
    serde: &dyn Serde<V>,
    sends_old: bool,
    skips_equal: bool,
) -> Result<Option<(Change<V>, Timestamp)>, ProcessError> {
    if before == now {
        return Ok(None);
    }
    let before = before.map(Header::read).transpose()?;
    let now = now.map(Header::read).transpose()?;
    if skips_equal && before.map(|(_, payload)| payload) == now.map(|(_, payload)| payload) {
        return Ok(None);
    }
    let decode = |(_, payload): (Header<'_>, &[u8])| serde.decode(payload);
    let timestamp = now.or(before).map_or(Timestamp::MIN, |(header, _)| header.timestamp);
    let old = before.filter(|_| sends_old || now.is_none()).map(decode).transpose()?;
    Ok(Some((Change::new(old, now.map(decode).transpose()?), timestamp)))
}

/// An entry that is what it was, for those who may have seen it otherwise in between.
fn unchanged<V>(now: Option<&[u8]>, serde: &dyn Serde<V>, sends_old: bool) -> Result<(Change<V>, Timestamp), ProcessError> {
    let Some((header, payload)) = now.map(Header::read).transpose()? else {
        return Ok((Change::void(), Timestamp::MIN));
    };
    let old = if sends_old { Some(serde.decode(payload)?) } else { None };
    Ok((Change::new(old, Some(serde.decode(payload)?)), header.timestamp))
}
