//! Loads a file into `raw.payments`: a chunk of its lines, its dead letters and its position in each transaction.
//!
//! So a load that is killed goes on where it was, and a file that was loaded changes nothing when it comes again. Whenever something is in
//! doubt, nothing is assumed: a new producer of the same transactional id settles what was open, the position is read back from `ops.loads`, and
//! the file is read again from its beginning, which also makes the sums that span it.

use std::io::Read;
use std::time::Duration;

use highwater::kafka::{Kafka, KafkaError, KafkaErrorKind, ProducerSettings, partition_for_key};
use highwater::time::Clock;
use highwater::{Timestamp, TopicPartition};
use sha2::{Digest as _, Sha256};

use super::batches::Mismatch;
use super::ledger;
use super::line::utc;
use super::progress::{self, Progress, Verdict, compare};
use super::reader::{ExportReader, Layout, ReadError};
use super::tally::Tally;
use crate::topic_names as topics;

mod sender;

use sender::Sender;

/// Name in broker logs, and of the loader in dead letters.
pub const CLIENT_ID: &str = "load-payments";
/// Bytes of records in one transaction, beside the number of lines that is set.
const CHUNK_MAX_BYTES: usize = 8 << 20;
const QUEUE_MAX_BYTES: usize = 32 << 20;
const LINGER: Duration = Duration::from_millis(5);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A file that can be opened again and again.
pub trait Export {
    /// Its name, without where it is.
    fn name(&self) -> &str;
    /// Its name and where it is: the same for the same file, whoever asks.
    fn location(&self) -> &str;
    /// Its bytes, unpacked, from the beginning.
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>>;
}

/// What loads have in common.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// First part of transactional ids.
    pub application_id: String,
    /// The shop that the lines are for.
    pub shop_id: String,
    /// How reports are laid out.
    pub layout: Layout,
    /// Lines in one transaction.
    pub chunk_lines: usize,
    /// How long one call may take.
    pub request_timeout: Duration,
    /// How long a broker lets a silent transaction live.
    pub transaction_timeout: Duration,
    /// How long to go on trying while nothing can be committed.
    pub give_up_after: Duration,
    /// Whether to load again what was loaded.
    pub reload: bool,
}

/// How many partitions the topics have that are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions {
    /// Of `raw.payments`.
    pub payments: i32,
    /// Of `dlq.shoppulse`.
    pub dead_letters: i32,
    /// Of `ops.loads`.
    pub loads: i32,
}

/// How a load began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing was known of the file.
    New,
    /// It went on behind what an earlier load had written.
    Continued,
    /// All of it had been loaded.
    Unchanged,
    /// Another file was loaded under its name before.
    Changed,
    /// It was loaded again on purpose.
    Reloaded,
}

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// How it began.
    pub start: Start,
    /// All its lines.
    pub tally: Tally,
    /// Records that this load wrote to `raw.payments` and to the dead-letter topic.
    pub written: u64,
    /// Batches that do not add up.
    pub mismatches: Vec<Mismatch>,
    /// How many batches add up, and how many have no payout.
    pub batches: (usize, usize),
    /// Whether any column can name an order.
    pub names_orders: bool,
}

/// Why a file was not loaded to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is the cause; others may be fine.
    #[error("{0}")]
    File(String),
    /// The cluster is.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        Self::File(error.to_string())
    }
}

/// Reads a file without loading it.
pub fn examine(export: &dyn Export, layout: &Layout) -> Result<Loaded, LoadError> {
    let mut reader = ExportReader::open(open(export)?, layout.clone())?;
    while reader.next()?.is_some() {}
    Ok(loaded(&reader, Start::New, 0))
}

/// Loads files, one after the other.
#[derive(Debug)]
pub struct Loader<'a> {
    kafka: &'a dyn Kafka,
    clock: &'a dyn Clock,
    settings: &'a LoadSettings,
    partitions: Partitions,
}

impl<'a> Loader<'a> {
    /// Loads into this cluster.
    pub fn new(kafka: &'a dyn Kafka, clock: &'a dyn Clock, settings: &'a LoadSettings, partitions: Partitions) -> Self {
        Self { kafka, clock, settings, partitions }
    }

    /// Loads a file to its end, whatever was loaded of it before.
    pub fn load(&self, export: &dyn Export) -> Result<Loaded, LoadError> {
        let began = self.clock.now();
        let mut load = Load {
            loader: self,
            export,
            key: progress::key(&self.settings.shop_id, self.settings.layout.provider, export.location()),
            began_at: utc(began.as_millis().saturating_mul(1_000)),
            first: None,
            moved_at: began,
        };
        loop {
            match load.attempt() {
                Err(LoadError::Kafka(error)) if is_passing(error.kind) => {
                    if self.clock.now() >= load.moved_at.plus(self.settings.give_up_after) {
                        return Err(error.into());
                    }
                    tracing::warn!(file = export.location(), %error, "a chunk may not have been committed; looking where the load is");
                    self.clock.sleep(RETRY_AFTER);
                }
                outcome => return outcome,
            }
        }
    }
}

/// Whether the same may go well with a new producer.
fn is_passing(kind: KafkaErrorKind) -> bool {
    use KafkaErrorKind as Kind;
    matches!(kind, Kind::Retriable | Kind::Timeout | Kind::Abortable | Kind::Fatal | Kind::OffsetOutOfRange)
}

/// One file's load, over all its attempts.
struct Load<'a> {
    loader: &'a Loader<'a>,
    export: &'a dyn Export,
    /// Of the file's marks.
    key: String,
    began_at: String,
    /// How the first attempt began, and how many lines had been loaded by then.
    first: Option<(Start, u64)>,
    moved_at: Timestamp,
}

type Reader<'a> = ExportReader<Box<dyn Read + 'a>>;

impl<'a> Load<'a> {
    fn attempt(&mut self) -> Result<Loaded, LoadError> {
        let settings = self.loader.settings;
        let mut producer = self.loader.kafka.producer(&self.producer_settings())?;
        // IMPORTANT: this comes before the mark is read, as it ends what another load of the file has open and lets it write no more.
        producer.init_transactions(settings.request_timeout)?;
        let mut known = self.known()?;
        let (mut reader, start) = self.begin(known.as_ref())?;
        if start != Start::Continued {
            known = None;
        }
        let (start, before) = *self.first.get_or_insert_with(|| (start, reader.tally().total()));
        loop {
            let mark = Sender::new(self).chunk(&mut *producer, &mut reader, known.as_ref())?;
            self.moved_at = self.loader.clock.now();
            if mark.is_complete {
                break;
            }
            known = Some(mark);
        }
        let written = reader.tally().total() - before;
        let start = if start == Start::Continued && written == 0 { Start::Unchanged } else { start };
        Ok(loaded(&reader, start, written))
    }

    /// The mark of an earlier load, or of this one's earlier attempt.
    fn known(&self) -> Result<Option<Progress>, LoadError> {
        let Loader { kafka, clock, settings, partitions } = self.loader;
        let partition = TopicPartition::new(topics::LOADS, partition_for_key(self.key.as_bytes(), partitions.loads));
        let known = ledger::read(*kafka, *clock, CLIENT_ID, &partition, &self.key, settings.request_timeout)?;
        Ok(known.filter(|known| !settings.reload || known.began_at == self.began_at))
    }

    /// Opens the file, and reads as far as it was loaded.
    fn begin(&self, known: Option<&Progress>) -> Result<(Reader<'a>, Start), LoadError> {
        let fresh = if self.loader.settings.reload { Start::Reloaded } else { Start::New };
        let mut reader = self.open()?;
        let Some(known) = known else { return Ok((reader, fresh)) };
        while reader.position() < known.position && reader.next()?.is_some() {}
        match compare(known, reader.position(), &reader.fingerprint()) {
            Verdict::Continue => Ok((reader, Start::Continued)),
            Verdict::Changed => {
                tracing::warn!(
                    file = self.export.location(),
                    "it is not the file that was loaded under this name; loading all of it"
                );
                Ok((self.open()?, Start::Changed))
            }
            Verdict::Truncated => Err(LoadError::File(format!(
                "it ends after {} bytes, but {} of it were loaded at {}: it is truncated, or another export under the same name; \
                 get it whole, or load what is there with --reload",
                reader.position(),
                known.position,
                known.loaded_at
            ))),
        }
    }

    fn open(&self) -> Result<Reader<'a>, LoadError> {
        Ok(ExportReader::open(open(self.export)?, self.loader.settings.layout.clone())?)
    }

    /// The id is the file's own, so that of two loads of one file the later fences the earlier.
    fn producer_settings(&self) -> ProducerSettings {
        let settings = self.loader.settings;
        let digest = Sha256::digest(self.key.as_bytes());
        let id = digest
            .iter()
            .take(16)
            .fold(format!("{}-{CLIENT_ID}-", settings.application_id), |id, byte| format!("{id}{byte:02x}"));
        ProducerSettings {
            transactional_id: Some(id),
            client_id: CLIENT_ID.to_owned(),
            transaction_timeout: settings.transaction_timeout,
            linger: LINGER,
            queue_max_bytes: QUEUE_MAX_BYTES,
        }
    }
}

fn open<'e>(export: &'e dyn Export) -> Result<Box<dyn Read + 'e>, LoadError> {
    export.open().map_err(|error| LoadError::File(format!("it cannot be opened: {error}")))
}

fn loaded<R: Read>(reader: &ExportReader<R>, start: Start, written: u64) -> Loaded {
    Loaded {
        start,
        tally: reader.tally().clone(),
        written,
        mismatches: reader.mismatches(),
        batches: reader.batches(),
        names_orders: reader.names_orders(),
    }
}

#[cfg(test)]
mod tests;
