//! Work that ends a client, done where it holds nobody up: calls of the C client that may never return.

use std::sync::mpsc::channel;
use std::time::Duration;

/// Does `work` on a thread of its own and waits for the result, at most so long. `None`: it goes on by itself, or failed.
pub(super) fn within<R: Send + 'static>(limit: Duration, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (done, result) = channel();
    let spawned = std::thread::Builder::new().name("kafka-ending".to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = done.send(work());
    });
    match spawned {
        Ok(_) => result.recv_timeout(limit).ok(),
        Err(error) => {
            tracing::warn!(%error, "no thread to end a Kafka client on");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn what_takes_too_long_goes_on_without_its_caller() {
        static LET_GO: Barrier = Barrier::new(2);
        assert_eq!(within(Duration::from_mins(1), || 1), Some(1));
        let (done, finished) = channel();
        let work = move || {
            LET_GO.wait();
            done.send(()).unwrap();
        };
        assert_eq!(within(Duration::from_millis(1), work), None);
        LET_GO.wait();
        assert_eq!(finished.recv(), Ok(()), "it went on");
    }
}
