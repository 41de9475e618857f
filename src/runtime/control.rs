//! What an application's threads are asked to do: run, emit what is held back, finish, or drop dead.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Requests to all threads of an application.
#[derive(Debug, Default)]
pub(crate) struct Control {
    stopping: AtomicBool,
    crashing: AtomicBool,
    drain_requests: AtomicUsize,
    drained: Mutex<BTreeMap<usize, usize>>,
}

impl Control {
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn crash(&self) {
        self.crashing.store(true, Ordering::SeqCst);
        self.stop();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn is_crashing(&self) -> bool {
        self.crashing.load(Ordering::Relaxed)
    }

    /// Asks every thread to emit and commit what it holds back.
    pub(crate) fn drain(&self) {
        self.drain_requests.fetch_add(1, Ordering::SeqCst);
    }

    /// How often that was asked.
    pub(crate) fn drain_requests(&self) -> usize {
        self.drain_requests.load(Ordering::Relaxed)
    }

    /// A thread has answered so many requests.
    pub(crate) fn report_drained(&self, thread: usize, requests: usize) {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner).insert(thread, requests);
    }

    /// Whether so many threads have answered the last request.
    pub(crate) fn is_drained(&self, threads: usize) -> bool {
        let asked = self.drain_requests();
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        drained.values().filter(|answered| **answered >= asked).count() >= threads
    }
}
