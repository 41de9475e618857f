//! Decides what an error means: the only file that does.
//!
//! Every recovery is the same: drop the clients and the overlays, join again, and go on from what is committed. It is the way
//! back from a crash, so it is the way that is tested most.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::ownership::Ownership;
use super::thread::StreamThread;
use crate::error::{Error, ErrorKind};
use crate::record::{TaskId, Timestamp};

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// What to do about an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Go back to what is committed, after a pause.
    Rejoin(Duration),
    /// The same, with these tasks' local state wiped first.
    Rebuild(Vec<TaskId>, Duration),
    /// End in peace.
    Finish,
    /// End with the error.
    GiveUp,
}

/// Failures in a row, without a commit between them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Streak {
    pub(crate) failures: u32,
    pub(crate) lasted: Duration,
}

/// Decides. Pure.
pub(crate) fn decide(kind: &ErrorKind, streak: Streak, give_up_after: Duration) -> Decision {
    match kind {
        ErrorKind::Closed => Decision::Finish,
        ErrorKind::Topology | ErrorKind::Config | ErrorKind::Internal => Decision::GiveUp,
        _ if streak.lasted >= give_up_after => Decision::GiveUp,
        ErrorKind::Unavailable | ErrorKind::Transaction | ErrorKind::Migrated => Decision::Rejoin(backoff(streak.failures)),
        ErrorKind::Corrupted(tasks) => Decision::Rebuild(tasks.clone(), backoff(streak.failures)),
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX)
}

/// Starts a stream thread and keeps it running.
pub(crate) fn spawn(shared: &Arc<Shared>, index: usize) -> Result<std::thread::JoinHandle<Result<(), Error>>, Error> {
    let shared = Arc::clone(shared);
    let name = format!("{}-{index}", shared.topology.name());
    let supervise = move || supervise(&shared, index);
    std::thread::Builder::new()
        .name(name)
        .spawn(supervise)
        .map_err(|error| Error::internal("a stream thread cannot be started").caused_by(error))
}

fn supervise(shared: &Arc<Shared>, index: usize) -> Result<(), Error> {
    let mut streak = Streak::default();
    let mut first_failure: Option<Timestamp> = None;
    while !shared.control.is_stopping() {
        let mut commits = 0;
        let began = shared.clock.now();
        let ended = StreamThread::join(shared, index).and_then(|thread| thread.run(&mut commits));
        shared.status.forget_thread(index);
        let Err(error) = ended else { return Ok(()) };
        if shared.control.is_stopping() && *error.kind() != ErrorKind::Internal {
            tracing::info!(thread = index, %error, "stream thread was stopped before it had committed all");
            return Ok(());
        }
        let now = shared.clock.now();
        // A thread that had nothing to commit was well all the same if it ran for long: its calls would have failed sooner.
        if commits > 0 || now >= began.plus(shared.settings.give_up_after) {
            (streak, first_failure) = (Streak::default(), None);
        }
        let since = *first_failure.get_or_insert(now);
        streak.lasted = Duration::from_millis((now.as_millis() - since.as_millis()).max(0) as u64);
        let decision = decide(error.kind(), streak, shared.settings.give_up_after);
        tracing::warn!(thread = index, kind = ?error.kind(), %error, ?decision, "stream thread failed");
        {
            let mut status = shared.status.write();
            status.recoveries += 1;
            status.aborts += 1;
        }
        shared.metrics.aborted(error.kind().name());
        streak.failures += 1;
        match decision {
            Decision::Finish => return Ok(()),
            Decision::GiveUp => return Err(error),
            Decision::Rejoin(pause) => shared.clock.sleep(pause),
            Decision::Rebuild(tasks, pause) => {
                wipe(shared, &tasks)?;
                shared.clock.sleep(pause);
            }
        }
    }
    Ok(())
}

fn wipe(shared: &Arc<Shared>, tasks: &[TaskId]) -> Result<(), Error> {
    for task in tasks {
        // Whoever has it open now will find out by itself whether it is sound.
        let Some(_claim) = Ownership::claim(shared, task, shared.settings.request_timeout) else { continue };
        highwater_state::TaskState::destroy(&super::restore::task_dir(shared, task))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_one_consequence() {
        let fresh = Streak::default();
        let long = Streak { failures: 3, lasted: Duration::from_mins(6) };
        let limit = Duration::from_mins(5);
        let cases = [
            (ErrorKind::Closed, fresh, Decision::Finish),
            (ErrorKind::Config, fresh, Decision::GiveUp),
            (ErrorKind::Internal, fresh, Decision::GiveUp),
            (ErrorKind::Transaction, fresh, Decision::Rejoin(Duration::from_millis(50))),
            (ErrorKind::Migrated, Streak { failures: 2, ..fresh }, Decision::Rejoin(Duration::from_millis(200))),
            (ErrorKind::Unavailable, Streak { failures: 30, ..fresh }, Decision::Rejoin(BACKOFF_MAX)),
            (ErrorKind::Unavailable, long, Decision::GiveUp),
            (ErrorKind::Corrupted(Vec::new()), fresh, Decision::Rebuild(Vec::new(), Duration::from_millis(50))),
            (ErrorKind::Corrupted(Vec::new()), long, Decision::GiveUp),
        ];
        for (kind, streak, expected) in cases {
            assert_eq!(decide(&kind, streak, limit), expected, "{kind:?}");
        }
    }
}
