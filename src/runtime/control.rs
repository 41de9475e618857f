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
    /// One more than the thread that is to join its group anew; 0 for none.
    rejoining: AtomicUsize,
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

    /// Asks a thread to give up its membership and join anew.
    pub(crate) fn rejoin(&self, thread: usize) {
        self.rejoining.store(thread + 1, Ordering::Relaxed);
    }

    /// Whether this thread was asked to; once for each request.
    pub(crate) fn takes_rejoin(&self, thread: usize) -> bool {
        let mine = thread + 1;
        self.rejoining.load(Ordering::Relaxed) == mine
            && self.rejoining.compare_exchange(mine, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
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
