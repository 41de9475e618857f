//! The gate that every call of a client passes: in, unless the client is dead or a fault was ordered; and out, with what the
//! fault leaves of the answer. Which fault meets which call is `faults`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::faults::{Call, Fault, Faults};
use crate::kafka::{KafkaError, KafkaErrorKind};
use crate::time::Clock;

/// What every call of a client passes first.
#[derive(Debug)]
pub(super) struct Gate {
    faults: Faults,
    client: String,
    clock: Arc<dyn Clock>,
    dead: Arc<AtomicBool>,
}

/// What is to go wrong after a call did its work, or while it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    Fail(KafkaErrorKind),
    Doubtful,
    HeldCopy,
    Prepared,
    HalfMarked,
    Crash,
}

impl Gate {
    /// The gate of a living client; `dead` may be set from outside.
    pub(super) fn new(faults: Faults, client: &str, clock: Arc<dyn Clock>, dead: Arc<AtomicBool>) -> Self {
        Self { faults, client: client.to_owned(), clock, dead }
    }

    /// Lets a call in, or fails it.
    pub(super) fn enter(&self, call: Call) -> Result<Option<Twist>, KafkaError> {
        if self.dead.load(Ordering::Acquire) {
            return Err(self.died());
        }
        if !self.faults.are_watched() {
            return Ok(None);
        }
        let twist = match self.faults.meet(call, &self.client) {
            None => return Ok(None),
            Some(Fault::Fail(kind)) => return Err(injected(kind, call)),
            Some(Fault::Crash) => {
                self.dead.store(true, Ordering::Release);
                return Err(self.died());
            }
            Some(Fault::Delay(duration)) => {
                self.clock.sleep(duration);
                return Ok(None);
            }
            Some(Fault::FailAfterEffect(kind)) => Twist::Fail(kind),
            Some(Fault::Doubtful) => Twist::Doubtful,
            Some(Fault::HeldCopy) => Twist::HeldCopy,
            Some(Fault::Prepared) => Twist::Prepared,
            Some(Fault::HalfMarked) => Twist::HalfMarked,
            Some(Fault::CrashAfterEffect) => Twist::Crash,
        };
        Ok(Some(twist))
    }

    /// Passes a call's result on, or what is left of it.
    pub(super) fn leave<T>(&self, call: Call, twist: Option<Twist>, result: Result<T, KafkaError>) -> Result<T, KafkaError> {
        let done = result?;
        match twist {
            None | Some(Twist::Doubtful | Twist::HeldCopy) => Ok(done),
            Some(Twist::Fail(kind)) => Err(injected(kind, call)),
            Some(Twist::Prepared | Twist::HalfMarked) => Err(injected(KafkaErrorKind::Timeout, call)),
            Some(Twist::Crash) => {
                self.dead.store(true, Ordering::Release);
                Err(self.died())
            }
        }
    }

    /// A call to which nothing but these two ends happens.
    pub(super) fn pass<T>(&self, call: Call, act: impl FnOnce() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
        let twist = self.enter(call)?;
        self.leave(call, twist, act())
    }

    fn died(&self) -> KafkaError {
        KafkaError::new(KafkaErrorKind::Fatal, format!("client {} has crashed", self.client))
    }
}

fn injected(kind: KafkaErrorKind, call: Call) -> KafkaError {
    KafkaError::new(kind, format!("injected fault at {call:?}"))
}
