//! Asking again while a cluster says "later". What "later" is, and until when, the caller says.

use std::time::Duration;

use super::deadline::Deadline;
use super::native::Native;
use super::queue::Queue;
use crate::kafka::{KafkaError, KafkaErrorKind};

const PAUSE: Duration = Duration::from_millis(50);

/// Asks until the answer is no error of this kind, or the deadline has passed.
pub(super) fn again_while<R>(
    kind: KafkaErrorKind,
    client: &Native,
    deadline: &Deadline,
    ask: impl Fn() -> Result<R, KafkaError>,
) -> Result<R, KafkaError> {
    // Nothing ever arrives there.
    let pause = Queue::new(client);
    loop {
        match ask() {
            Err(error) if error.kind == kind && !deadline.has_passed() => {
                pause.poll(PAUSE.min(deadline.remaining()));
            }
            result => return result,
        }
    }
}
