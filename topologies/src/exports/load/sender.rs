//! One transaction of a load: lines, dead letters, and the mark that stands for them. Not what to do when it fails.

use std::io::Read;
use std::sync::Arc;

use highwater::kafka::{KafkaError, KafkaErrorKind, Outgoing, Producer, partition_for_key};
use highwater::{Headers, Timestamp};

use super::{CHUNK_MAX_BYTES, CLIENT_ID, Load, LoadError};
use crate::exports::line::{ExportLine, utc};
use crate::exports::progress::Progress;
use crate::exports::reader::{Entry, ExportReader};
use crate::rejection::Rejection;
use crate::topic_names as topics;

/// What a dead letter says of the program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where records of one transaction go.
pub(super) struct Sender<'s, 'a> {
    load: &'s Load<'a>,
    producer: &'s mut dyn Producer,
    now: Timestamp,
    topics: [Arc<str>; 3],
    is_open: bool,
    lines: usize,
    bytes: usize,
}

impl<'s, 'a> Sender<'s, 'a> {
    pub(super) fn new(load: &'s Load<'a>, producer: &'s mut dyn Producer) -> Self {
        let topics = [topics::RAW_PAYMENTS, topics::DEAD_LETTERS, topics::LOADS].map(Arc::from);
        Self { load, producer, now: load.loader.clock.now(), topics, is_open: false, lines: 0, bytes: 0 }
    }

    /// Writes the next lines and their mark; nothing if `known` says the same already.
    pub(super) fn chunk<R: Read>(
        mut self,
        reader: &mut ExportReader<R>,
        known: Option<&Progress>,
    ) -> Result<Progress, LoadError> {
        let outcome = self.write(reader, known);
        if matches!(outcome, Err(LoadError::File(_))) && self.is_open {
            // Readers of the topics should not have to wait for the timeout. If it fails, they do.
            let _ = self.producer.abort(self.load.loader.settings.request_timeout);
        }
        outcome
    }

    fn write<R: Read>(&mut self, reader: &mut ExportReader<R>, known: Option<&Progress>) -> Result<Progress, LoadError> {
        let settings = self.load.loader.settings;
        let mut is_complete = false;
        while self.lines < settings.chunk_lines && self.bytes < CHUNK_MAX_BYTES {
            match reader.next()? {
                None => {
                    is_complete = true;
                    break;
                }
                Some(Entry::Line { line, number }) => self.line(&line, number)?,
                Some(Entry::Bad { rejection, raw, number }) => self.dead_letter(&rejection, raw, number)?,
            }
            self.lines += 1;
        }
        let mark = self.mark(reader, is_complete);
        if known.is_some_and(|known| (known.position, known.is_complete) == (mark.position, mark.is_complete)) {
            return Ok(mark);
        }
        // IMPORTANT: the mark is in the transaction of the lines that it counts.
        self.write_mark(&mark)?;
        self.producer.commit(settings.request_timeout)?;
        if self.producer.doubtful() {
            let message = "a coordinator request of the commit was sent twice or went unanswered";
            return Err(KafkaError::new(KafkaErrorKind::Timeout, message).into());
        }
        Ok(mark)
    }

    fn line(&mut self, line: &ExportLine, number: u64) -> Result<(), LoadError> {
        let settings = self.load.loader.settings;
        let (shop_id, provider) = (&*settings.shop_id, settings.layout.provider);
        let key = line.record_key(shop_id, provider);
        let value = line.record_value(shop_id, provider, self.load.export.name(), number);
        let partition = partition_for_key(key.as_bytes(), self.load.loader.partitions.payments);
        self.send(0, partition, Some(key.as_bytes()), &value, &Headers::new())
    }

    fn dead_letter(&mut self, rejection: &Rejection, raw: &[u8], number: u64) -> Result<(), LoadError> {
        let export = self.load.export;
        let mut headers = Headers::new();
        headers.push_text("dlq.topic", export.name());
        headers.push_text("dlq.partition", -1);
        headers.push_text("dlq.offset", number);
        headers.push_text("dlq.timestamp", self.now);
        headers.push_text("dlq.reason", rejection.reason);
        headers.push_text("dlq.error", &rejection.error);
        headers.push_text("dlq.topology", CLIENT_ID);
        headers.push_text("dlq.version", VERSION);
        headers.push_text("dlq.location", export.location());
        headers.push_text("dlq.shop_id", &self.load.loader.settings.shop_id);
        let partition = partition_for_key(export.location().as_bytes(), self.load.loader.partitions.dead_letters);
        self.send(1, partition, None, raw, &headers)
    }

    fn mark<R: Read>(&self, reader: &ExportReader<R>, is_complete: bool) -> Progress {
        let Load { loader, export, began_at, .. } = self.load;
        Progress {
            shop_id: loader.settings.shop_id.clone(),
            provider: loader.settings.layout.provider.as_str().to_owned(),
            file: export.location().to_owned(),
            fingerprint: reader.fingerprint(),
            position: reader.position(),
            line_number: reader.line_number(),
            is_complete,
            lines: reader.tally().sound(),
            dead_letters: reader.tally().rejected(),
            began_at: began_at.clone(),
            loaded_at: utc(self.now.as_millis().saturating_mul(1_000)),
        }
    }

    fn write_mark(&mut self, mark: &Progress) -> Result<(), LoadError> {
        let key = &*self.load.key;
        let value = serde_json::to_vec(mark).expect("text and numbers can be written as JSON");
        let partition = partition_for_key(key.as_bytes(), self.load.loader.partitions.loads);
        self.send(2, partition, Some(key.as_bytes()), &value, &Headers::new())
    }

    /// Sends a record to one of the topics; opens the transaction with the first.
    fn send(
        &mut self,
        topic: usize,
        partition: i32,
        key: Option<&[u8]>,
        value: &[u8],
        headers: &Headers,
    ) -> Result<(), LoadError> {
        if !self.is_open {
            self.producer.begin()?;
            self.is_open = true;
        }
        let topic = &self.topics[topic];
        let record = Outgoing { topic, partition, key, value: Some(value), timestamp: self.now, headers, track: false };
        self.producer.send(&record, self.load.loader.settings.request_timeout)?;
        self.bytes += value.len();
        Ok(())
    }
}
