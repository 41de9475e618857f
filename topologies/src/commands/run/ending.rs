//! The end of a bounded run: inputs processed, what was held back emitted, what came of that processed, until nothing new comes.

use highwater::Error;
use highwater::runtime::RunningStreams;
use highwater::runtime::until_end::{Progress, UntilEnd};

/// How far a bounded run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Inputs are processed.
    Processing,
    /// Everything held back is being emitted and committed.
    Draining,
    /// What came out may be input again.
    Looking,
}

/// Watches a bounded run and moves it on.
pub(crate) struct Ending {
    watch: UntilEnd,
    phase: Phase,
}

impl Ending {
    pub(crate) fn new(watch: UntilEnd) -> Self {
        Self { watch, phase: Phase::Processing }
    }

    /// Whether all is done. To be asked again and again.
    pub(crate) fn is_reached(&mut self, running: &[RunningStreams]) -> Result<bool, Error> {
        match self.phase {
            Phase::Processing => {
                if self.watch.poll()? == Progress::Done {
                    running.iter().for_each(RunningStreams::drain);
                    self.phase = Phase::Draining;
                }
            }
            Phase::Draining => {
                if running.iter().all(RunningStreams::is_drained) {
                    self.watch.look_again();
                    self.phase = Phase::Looking;
                }
            }
            Phase::Looking => {
                if self.watch.poll()? == Progress::Done && !self.watch.holds_back()? {
                    return Ok(true);
                }
                self.phase = Phase::Processing;
            }
        }
        Ok(false)
    }
}
