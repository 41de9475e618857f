//! What an application's threads are asked to do: run, emit what is held back, finish, or drop dead.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Requests to all threads of an application.
#[derive(Debug, Default)]
pub(crate) struct Control {
    stopping: AtomicBool,
    draining: AtomicBool,
    crashing: AtomicBool,
    drained: AtomicUsize,
}

impl Control {
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn crash(&self) {
        self.crashing.store(true, Ordering::SeqCst);
        self.stop();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn is_crashing(&self) -> bool {
        self.crashing.load(Ordering::Relaxed)
    }

    /// A thread has emitted and committed what it held back.
    pub(crate) fn report_drained(&self) {
        self.drained.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn drained(&self) -> usize {
        self.drained.load(Ordering::SeqCst)
    }
}
