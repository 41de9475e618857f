//! The lock of a state directory: one process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::exit::Failure;

const FILE: &str = "lock";

/// Held as long as the process uses the directory; the system frees it if the process dies.
#[derive(Debug)]
pub(in crate::commands) struct StateLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl StateLock {
    /// Makes the directory if need be, and takes its lock.
    pub(in crate::commands) fn take(state_dir: &Path) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| {
            Failure::config(format!(
                "the state directory {} cannot be used: {error}; make it writable, or set `state_dir`",
                state_dir.display()
            ))
        };
        std::fs::create_dir_all(state_dir).map_err(refused)?;
        let file = File::options().create(true).truncate(false).write(true).open(state_dir.join(FILE)).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Failure::config(format!(
                "the state directory {} is used by another process; stop that one, or give each its own `state_dir`",
                state_dir.display()
            ))),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_used_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        let held = StateLock::take(&state).unwrap();
        let refused = StateLock::take(&state).unwrap_err();
        assert!(refused.message.contains("another process"), "{refused}");
        drop(held);
        StateLock::take(&state).unwrap();
    }
}
