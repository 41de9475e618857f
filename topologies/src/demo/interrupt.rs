//! Ctrl-C as a flag that the demo looks at, so that it cleans up behind itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Failure;

/// Whether somebody has seen enough.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C from now on; a second one ends the process at once.
    pub(super) fn listen() -> Result<Self, Failure> {
        let interrupt = Self::default();
        let flag = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let pressed = tokio::signal::ctrl_c().await;
                flag.0.store(pressed.is_ok(), Ordering::Relaxed);
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(1);
                }
            });
        });
        Ok(interrupt)
    }

    /// Fails if so.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::Relaxed) { Err(Failure::failed("interrupted; there is no verdict")) } else { Ok(()) }
    }
}
