//! One transaction of a load: lines, dead letters, and the mark that stands for them. Not what to do when it fails.

use std::collections::BTreeMap;
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

/// The records of one transaction. They are gathered first and sent together, so that a source that stalls lets no transaction time out.
pub(super) struct Sender<'s, 'a> {
    load: &'s Load<'a>,
    now: Timestamp,
    staged: Vec<Staged>,
    bytes: usize,
}

struct Staged {
    topic: &'static str,
    partition: i32,
    key: Option<String>,
    value: Vec<u8>,
    headers: Headers,
}

impl<'s, 'a> Sender<'s, 'a> {
    pub(super) fn new(load: &'s Load<'a>) -> Self {
        Self { load, now: load.loader.clock.now(), staged: Vec::new(), bytes: 0 }
    }

    /// Writes the next lines and their mark; nothing if `known` says the same already.
    pub(super) fn chunk<R: Read>(
        mut self,
        producer: &mut dyn Producer,
        reader: &mut ExportReader<R>,
        known: Option<&Progress>,
    ) -> Result<Progress, LoadError> {
        let mark = self.gather(reader)?;
        if known.is_some_and(|known| (known.position, known.is_complete) == (mark.position, mark.is_complete)) {
            return Ok(mark);
        }
        // IMPORTANT: the mark is in the transaction of the lines that it counts.
        self.mark(&mark);
        self.send(producer)?;
        Ok(mark)
    }

    fn gather<R: Read>(&mut self, reader: &mut ExportReader<R>) -> Result<Progress, LoadError> {
        let chunk_lines = self.load.loader.settings.chunk_lines;
        while self.staged.len() < chunk_lines && self.bytes < CHUNK_MAX_BYTES {
            match reader.next()? {
                None => return Ok(self.progress(reader, true)),
                Some(Entry::Line { line, number }) => self.line(&line, number),
                Some(Entry::Bad { rejection, raw, number }) => self.dead_letter(&rejection, raw, number),
            }
        }
        Ok(self.progress(reader, false))
    }

    fn send(&self, producer: &mut dyn Producer) -> Result<(), KafkaError> {
        let timeout = self.load.loader.settings.request_timeout;
        let mut topics: BTreeMap<&str, Arc<str>> = BTreeMap::new();
        producer.begin()?;
        for Staged { topic, partition, key, value, headers } in &self.staged {
            let topic = &*topics.entry(topic).or_insert_with(|| Arc::from(*topic));
            let (partition, key, value) = (*partition, key.as_ref().map(String::as_bytes), Some(&**value));
            producer.send(&Outgoing { topic, partition, key, value, timestamp: self.now, headers, track: false }, timeout)?;
        }
        producer.commit(timeout)?;
        if producer.doubtful() {
            let message = "a coordinator request of the commit was sent twice or went unanswered";
            return Err(KafkaError::new(KafkaErrorKind::Timeout, message));
        }
        Ok(())
    }

    fn line(&mut self, line: &ExportLine, number: u64) {
        let settings = self.load.loader.settings;
        let (shop_id, provider) = (&*settings.shop_id, settings.layout.provider);
        let key = line.record_key(shop_id, provider);
        let value = line.record_value(shop_id, provider, self.load.export.name(), number);
        let partition = partition_for_key(key.as_bytes(), self.load.loader.partitions.payments);
        self.stage(Staged { topic: topics::RAW_PAYMENTS, partition, key: Some(key), value, headers: Headers::new() });
    }

    fn dead_letter(&mut self, rejection: &Rejection, raw: &[u8], number: u64) {
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
        self.stage(Staged { topic: topics::DEAD_LETTERS, partition, key: None, value: raw.to_vec(), headers });
    }

    fn progress<R: Read>(&self, reader: &ExportReader<R>, is_complete: bool) -> Progress {
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

    fn mark(&mut self, mark: &Progress) {
        let key = self.load.key.clone();
        let value = serde_json::to_vec(mark).expect("text and numbers can be written as JSON");
        let partition = partition_for_key(key.as_bytes(), self.load.loader.partitions.loads);
        self.stage(Staged { topic: topics::LOADS, partition, key: Some(key), value, headers: Headers::new() });
    }

    fn stage(&mut self, staged: Staged) {
        self.bytes += staged.value.len();
        self.staged.push(staged);
    }
}
