//! SIGTERM and SIGINT as a flag that a loop looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Whether the process was asked to end.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(in crate::commands) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits for a signal, then raises the flag; waits for more, so that a second one does not kill the process in the middle.
    pub(in crate::commands) async fn watch(self) -> std::io::Result<()> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
