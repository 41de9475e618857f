//! What became of a group of records that were handed to a [`Sender`](super::Sender). It waits for nothing: it tells once, when all is known.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::KafkaError;

/// Called once with what became of all records, mostly on a thread of the client: it must be quick, and never wait.
type Tell = Box<dyn FnOnce(Result<(), KafkaError>) + Send>;

/// Collects the acknowledgements of the records that are sent under it, and tells when the last has come.
///
/// ```
/// use std::sync::mpsc::channel;
/// use highwater::kafka::Receipt;
///
/// let (told, news) = channel();
/// let receipt = Receipt::new(move |outcome| drop(told.send(outcome)));
/// receipt.close(); // after the last record; here there was none
/// assert_eq!(news.recv().unwrap(), Ok(()));
/// ```
pub struct Receipt {
    /// Records under way, and one more until it is closed.
    open: AtomicUsize,
    /// The first record that was not acknowledged.
    failure: Mutex<Option<KafkaError>>,
    tell: Mutex<Option<Tell>>,
}

impl Receipt {
    /// A receipt that calls `tell` once it is closed and each of its records has been acknowledged or has failed: with `Ok` if
    /// all were acknowledged, else with the first failure.
    pub fn new(tell: impl FnOnce(Result<(), KafkaError>) + Send + 'static) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(1), failure: Mutex::default(), tell: Mutex::new(Some(Box::new(tell))) })
    }

    /// No record follows. Call it once.
    pub fn close(&self) {
        self.settle(Ok(()));
    }

    /// A record is about to be queued.
    pub(super) fn expect_one(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// One record is acknowledged, has failed, or was not taken after all.
    pub(super) fn settle(&self, outcome: Result<(), KafkaError>) {
        if let Err(failure) = outcome {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let tell = self.tell.lock().unwrap_or_else(PoisonError::into_inner).take();
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tell) = tell {
            tell(failure.map_or(Ok(()), Err));
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("open", &self.open).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TryRecvError, channel};

    use super::*;
    use crate::kafka::KafkaErrorKind;

    #[test]
    fn it_tells_once_when_it_is_closed_and_all_is_settled_whatever_the_order() {
        let failure = |text: &str| Err(KafkaError::new(KafkaErrorKind::Timeout, text));
        let table = [
            (vec![], Ok(())),
            (vec![Ok(()), Ok(())], Ok(())),
            (vec![Ok(()), failure("first"), failure("second")], failure("first")),
        ];
        for (outcomes, expected) in table {
            for closed_at in 0..=outcomes.len() {
                let (told, news) = channel();
                let receipt = Receipt::new(move |outcome| told.send(outcome).unwrap());
                for _ in &outcomes {
                    receipt.expect_one();
                }
                for (index, outcome) in outcomes.iter().enumerate() {
                    if index == closed_at {
                        receipt.close();
                    }
                    assert_eq!(news.try_recv(), Err(TryRecvError::Empty), "something is still open");
                    receipt.settle(outcome.clone());
                }
                if closed_at == outcomes.len() {
                    assert_eq!(news.try_recv(), Err(TryRecvError::Empty), "it is not closed");
                    receipt.close();
                }
                assert_eq!(news.try_recv(), Ok(expected.clone()));
                assert_eq!(news.try_recv(), Err(TryRecvError::Disconnected), "it tells once");
            }
        }
    }
}
