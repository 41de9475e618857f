//! All tasks that are being restored, over one reader. Each goes on for itself, and is handed over when its own changelogs are read: none waits
//! for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::opening::Opening;
use super::restoration::Restoration;
use super::{Request, Restored};
use crate::error::{Error, ErrorKind};
use crate::kafka::{Batch, Isolation, Reader, ReaderSettings};
use crate::record::TopicPartition;
use crate::runtime::Shared;

/// Records of a turn, at most.
const BATCH_RECORDS: usize = 10_000;
/// Opening takes a while, in which nothing is read.
const OPENED_AT_ONCE: usize = 8;
/// How long a turn waits for records.
const RECORDS_PATIENCE: Duration = Duration::from_millis(100);
/// The same while a task's state is open elsewhere, and a turn that has nothing to read.
const OPENING_PATIENCE: Duration = Duration::from_millis(50);

/// What a restorer has to do.
pub(super) struct SideBySide<'a> {
    shared: Arc<Shared>,
    thread: usize,
    /// Whether nobody waits for an answer any more.
    closed: &'a AtomicBool,
    openings: Vec<Opening>,
    restorations: Vec<Restoration>,
    /// One client for all, since connecting costs more than most tails; one that failed is not used again.
    reader: Option<Box<dyn Reader>>,
    batch: Batch,
}

impl<'a> SideBySide<'a> {
    pub(super) fn new(shared: &Arc<Shared>, thread: usize, closed: &'a AtomicBool) -> Self {
        let (openings, restorations) = (Vec::new(), Vec::new());
        Self { shared: Arc::clone(shared), thread, closed, openings, restorations, reader: None, batch: Batch::default() }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.openings.is_empty() && self.restorations.is_empty()
    }

    pub(super) fn add(&mut self, request: Request) {
        self.openings.push(Opening::new(request, &self.shared));
    }

    /// Does some of the work, in bounded time; the tasks that are done with it.
    pub(super) fn turn(&mut self) -> Vec<Restored> {
        let mut done = Vec::new();
        let outcome = self.drop_unwanted(&mut done).and_then(|()| {
            let opened = self.open(&mut done);
            self.begin(opened, &mut done)?;
            self.read(&mut done)
        });
        if let Err(error) = outcome {
            self.fail(&error, &mut done);
        }
        let complete = self.restorations.extract_if(.., |restoration| restoration.unread().next().is_none());
        done.extend(complete.map(|restoration| restoration.complete(&self.shared)));
        done
    }

    fn is_unwanted(&self, request: &Request) -> bool {
        let is_over = self.closed.load(Ordering::Relaxed) || self.shared.control.is_stopping();
        is_over || request.cancelled.load(Ordering::Relaxed)
    }

    /// Opens some of what can be opened. What is open elsewhere waits, and holds up nobody.
    fn open(&mut self, done: &mut Vec<Restored>) -> Vec<Restoration> {
        let mut opened = Vec::new();
        // With something to read there is no time to wait.
        let mut patience = if self.restorations.is_empty() { OPENING_PATIENCE } else { Duration::ZERO };
        for mut opening in std::mem::take(&mut self.openings) {
            if self.is_unwanted(&opening.request) {
                done.push(opening.request.answer(Err(unwanted())));
            } else if opened.len() == OPENED_AT_ONCE {
                self.openings.push(opening);
            } else {
                match opening.attempt(&self.shared, std::mem::take(&mut patience)) {
                    Ok(Some((state, claim))) => opened.push(Restoration::new(opening.request, state, claim)),
                    Ok(None) => self.openings.push(opening),
                    Err(error) => done.push(opening.request.answer(Err(error))),
                }
            }
        }
        if opened.is_empty() && self.restorations.is_empty() && !self.openings.is_empty() {
            self.shared.clock.sleep(OPENING_PATIENCE);
        }
        opened
    }

    fn drop_unwanted(&mut self, done: &mut Vec<Restored>) -> Result<(), Error> {
        let mut unread = Vec::new();
        for restoration in std::mem::take(&mut self.restorations) {
            if self.is_unwanted(&restoration.request) {
                unread.extend(restoration.unread().cloned());
                done.push(restoration.request.answer(Err(unwanted())));
            } else {
                self.restorations.push(restoration);
            }
        }
        self.stop_reading(&unread)
    }

    /// Begins to read the changelogs of tasks that were opened, up to where they end now.
    fn begin(&mut self, opened: Vec<Restoration>, done: &mut Vec<Restored>) -> Result<(), Error> {
        if opened.is_empty() {
            return Ok(());
        }
        let changelogs: Vec<Vec<TopicPartition>> =
            opened.iter().map(|restoration| restoration.changelogs(&self.shared)).collect();
        let begun = self.restorations.len();
        // Among the others from here on, so that a failure of the reader reaches them too.
        self.restorations.extend(opened);
        let timeout = self.shared.settings.request_timeout;
        let mut bounds = self.reader()?.watermarks(&changelogs.concat(), Isolation::ReadUncommitted, timeout)?.into_iter();
        let mut tails = Vec::new();
        for (restoration, changelogs) in self.restorations.split_off(begun).into_iter().zip(changelogs) {
            let bounds: Vec<_> = changelogs.into_iter().zip(bounds.by_ref()).collect();
            match restoration.bounded(&self.shared, bounds.into_iter()) {
                Ok(mut restoration) => {
                    let now = self.shared.clock.now();
                    tails.extend(restoration.begin(self.reader()?, now));
                    self.restorations.push(restoration);
                }
                Err((request, error)) => done.push(request.answer(Err(error))),
            }
        }
        if !tails.is_empty() {
            self.reader()?.incremental_assign(&tails)?;
        }
        Ok(())
    }

    /// Takes what has arrived.
    fn read(&mut self, done: &mut Vec<Restored>) -> Result<(), Error> {
        if self.restorations.iter().all(|restoration| restoration.unread().next().is_none()) {
            return Ok(());
        }
        let patience = if self.openings.is_empty() { RECORDS_PATIENCE } else { OPENING_PATIENCE };
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        self.reader()?.poll(&mut batch, BATCH_RECORDS, patience)?;
        batch.records.sort_by_key(|record| record.slot);
        let mut read = Vec::new();
        for mut restoration in std::mem::take(&mut self.restorations) {
            match restoration.take(&batch, &self.shared) {
                Ok(()) => {
                    read.extend(restoration.take_read());
                    self.restorations.push(restoration);
                }
                Err(error) => {
                    read.extend(restoration.unread().cloned());
                    done.push(restoration.request.answer(Err(error)));
                }
            }
        }
        // Records hold the client's buffers.
        batch.clear();
        self.batch = batch;
        self.stop_reading(&read)
    }

    /// What a running task writes is not to be fetched.
    fn stop_reading(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        if partitions.is_empty() { Ok(()) } else { Ok(self.reader()?.incremental_unassign(partitions)?) }
    }

    /// The reader failed, and with it all that rely on it.
    fn fail(&mut self, error: &Error, done: &mut Vec<Restored>) {
        self.reader = None;
        let failed = self.restorations.drain(..);
        done.extend(
            failed.map(|restoration| restoration.request.answer(Err(Error::new(error.kind().clone(), error.to_string())))),
        );
    }

    fn reader(&mut self) -> Result<&mut dyn Reader, Error> {
        if self.reader.is_none() {
            self.reader = Some(self.shared.kafka.reader(&ReaderSettings {
                client_id: format!("{}-restore-{}", self.shared.prepared.application, self.thread),
                queue_max_bytes: self.shared.settings.limits.consumer_queue_bytes,
                isolation: Isolation::ReadCommitted,
            })?);
        }
        Ok(&mut **self.reader.as_mut().expect("it was made above"))
    }
}

fn unwanted() -> Error {
    Error::new(ErrorKind::Closed, "no longer wanted")
}
