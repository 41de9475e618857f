//! Following the log: its records go to disk directly, in sorted batches with the position that they reach. Indexes, which are
//! not logged, are derived. A record may be applied again at any time; what counts is that the records from the stored position
//! on are applied in order.

use super::TaskState;
use crate::backend::Write;
use crate::error::StateError;
use crate::layout::{self, KeyBuffer, hour_of_ms};
use crate::limits::RESTORE_CHUNK_BYTES;
use crate::metadata::{self, MetaWrite};
use crate::spec::{LogPosition, StoreId, StoreKind};

/// A record of a log: its key, its value (`None` deletes), its position.
pub type LogRecord<'a> = (&'a [u8], Option<&'a [u8]>, i64);

/// What a chunk of records comes to.
#[derive(Debug, Default)]
struct Chunk<'a> {
    data: Vec<(&'a [u8], Option<&'a [u8]>)>,
    index: Vec<KeyBuffer>,
    identities: Vec<([u8; 16], [u8; 4])>,
    metadata: Vec<MetaWrite>,
    bytes: usize,
}

impl TaskState {
    /// Applies records of a store's log and sets its position to `next`, the first position after them (which may lie beyond the
    /// last record, since a log has gaps).
    ///
    /// The clock stamp is set only if there is none: until the restore is complete, the state is as old as it was. Call
    /// [`maintain`](TaskState::maintain) afterwards.
    pub fn restore(
        &mut self,
        store: StoreId,
        records: &mut dyn Iterator<Item = LogRecord<'_>>,
        next: i64,
        log_id: [u8; 16],
        now_ms: i64,
    ) -> Result<(), StateError> {
        assert!(!self.is_dirty(), "a store follows its log only between transactions");
        self.write_back()?;
        self.overlay.forget_clean();
        self.last_read.get_mut().forget();
        self.expiry[usize::from(store.0)].forget();
        let mut chunk = Chunk::default();
        for (key, value, position) in records {
            self.take(store, (key, value, position), &mut chunk)?;
            if chunk.bytes >= RESTORE_CHUNK_BYTES {
                self.write_chunk(store, std::mem::take(&mut chunk), LogPosition { log_id, next: position + 1 }, now_ms)?;
            }
        }
        self.write_chunk(store, chunk, LogPosition { log_id, next }, now_ms)
    }

    /// Checks a record against its store's layout and adds what it means to the chunk.
    fn take<'a>(
        &mut self,
        store: StoreId,
        (key, value, position): LogRecord<'a>,
        chunk: &mut Chunk<'a>,
    ) -> Result<(), StateError> {
        let number = self.number(store);
        match self.specs[usize::from(store.0)].kind {
            StoreKind::KeyValue => chunk.data.push((key, value)),
            StoreKind::Window { .. } => {
                let (record_key, start_ms) =
                    layout::window::decode(key).ok_or_else(|| self.bad_record(store, "its key is not that of a window"))?;
                if value.is_some() {
                    chunk.index.push(layout::expiry::encode(number, hour_of_ms(start_ms), record_key));
                }
                chunk.data.push((key, value));
            }
            StoreKind::Session { .. } => {
                let bad = |_| self.bad_record(store, "its value is not that of sessions");
                let mut sessions = layout::session::sessions(value.unwrap_or_default()).map_err(bad)?;
                while let Some(session) = sessions.next().map_err(bad)? {
                    chunk.index.push(layout::expiry::encode(number, hour_of_ms(session.end_ms), key));
                }
                chunk.data.push((key, value));
            }
            StoreKind::Dedup { .. } => self.take_identities(store, value, position, chunk)?,
        }
        chunk.bytes += key.len() + value.map_or(0, <[u8]>::len);
        Ok(())
    }

    fn take_identities(
        &mut self,
        store: StoreId,
        value: Option<&[u8]>,
        position: i64,
        chunk: &mut Chunk<'_>,
    ) -> Result<(), StateError> {
        let value = value.ok_or_else(|| self.bad_record(store, "it has no value"))?;
        let (hour, ids) = layout::dedup::unpack(value).map_err(|reason| self.bad_record(store, reason))?;
        let number = self.number(store);
        let dedup = self.dedup_mut(store)?;
        let bytes = layout::dedup::encode_hour(hour);
        let first = chunk.identities.len();
        chunk.identities.extend(ids.map(|id| (id.to_be_bytes(), bytes)));
        let ids = chunk.identities[first..].iter().map(|(id, _)| u128::from_be_bytes(*id));
        let bucket = dedup.restore(number, hour, position, ids);
        chunk.metadata.extend(bucket);
        Ok(())
    }

    fn write_chunk(
        &mut self,
        store: StoreId,
        mut chunk: Chunk<'_>,
        position: LogPosition,
        now_ms: i64,
    ) -> Result<(), StateError> {
        chunk.metadata.push(metadata::position(self.number(store), &position));
        if self.stamp_ms.is_none() {
            chunk.metadata.push(metadata::stamp(now_ms));
        }
        let (family, index_family, metadata_family) = (Self::family(store), self.expiry_family(), self.metadata_family());
        let mut writes = Vec::with_capacity(chunk.data.len() + chunk.index.len() + chunk.identities.len() + chunk.metadata.len());
        keep_last(&mut chunk.data, |(key, _)| *key);
        writes.extend(chunk.data.iter().map(|&(key, value)| Write { family, key, value }));
        keep_last(&mut chunk.identities, |(id, _)| *id);
        writes.extend(chunk.identities.iter().map(|(id, hour)| Write { family, key: id, value: Some(hour) }));
        chunk.index.sort_unstable();
        chunk.index.dedup();
        writes.extend(chunk.index.iter().map(|key| Write { family: index_family, key, value: Some(b"") }));
        writes.extend(chunk.metadata.iter().map(|write| Write {
            family: metadata_family,
            key: &write.key,
            value: write.value.as_deref(),
        }));
        self.backend.write(&writes)?;
        self.cadence.unflushed_bytes += chunk.bytes;
        self.stamp_ms = self.stamp_ms.or(Some(now_ms));
        self.positions[usize::from(store.0)] = Some(position);
        if let Some(dedup) = &mut self.dedups[usize::from(store.0)] {
            dedup.trim();
        }
        Ok(())
    }

    fn bad_record(&self, store: StoreId, reason: &str) -> StateError {
        StateError::BadLogRecord { store: self.name_of(store).to_owned(), reason: reason.to_owned() }
    }
}

/// Sorts by key and keeps the last of equal ones.
fn keep_last<T, K: Ord>(entries: &mut Vec<T>, key: impl Fn(&T) -> K) {
    entries.reverse();
    entries.sort_by_key(&key);
    entries.dedup_by(|later, first| key(later) == key(first));
}
