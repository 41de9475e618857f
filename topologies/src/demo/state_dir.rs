//! Where the topologies of a demo keep their state: a directory that goes when the demo ends, unless somebody wants to look at it.

use std::path::{Path, PathBuf};

use highwater::Timestamp;

use crate::exit::Failure;

/// A directory of the demo's own.
pub(super) struct StateDir {
    path: PathBuf,
    keep: bool,
}

impl StateDir {
    /// Makes one among the system's temporary files.
    pub(super) fn make(now: Timestamp, keep: bool) -> Result<Self, Failure> {
        let name = format!("shoppulse-demo-{}-{}", std::process::id(), now.as_millis());
        // Two demos of one process may begin in the same millisecond; only one of them can create a directory.
        let attempts = (0..100).map(|attempt| std::env::temp_dir().join(format!("{name}-{attempt}")));
        let mut refused = None;
        for path in attempts {
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, keep }),
                Err(error) => {
                    let taken = error.kind() == std::io::ErrorKind::AlreadyExists;
                    refused = Some(format!("{} cannot be made: {error}", path.display()));
                    if !taken {
                        break;
                    }
                }
            }
        }
        let refused = refused.unwrap_or_default();
        Err(Failure::config(format!("{refused}; set TMPDIR to a directory that can be written")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where it stays, if it does.
    pub(super) fn kept(&self) -> Option<PathBuf> {
        self.keep.then(|| self.path.clone())
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed lies in the system's temporary directory, which is cleared anyway.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_is_new_and_stays_only_if_asked_for() {
        let now = Timestamp::from_millis(1);
        for keep in [false, true] {
            let (one, other) = (StateDir::make(now, keep).unwrap(), StateDir::make(now, keep).unwrap());
            assert_ne!(one.path(), other.path());
            assert_eq!(one.kept().is_some(), keep);
            let paths = [one.path().to_owned(), other.path().to_owned()];
            drop((one, other));
            for path in paths {
                assert_eq!(path.is_dir(), keep, "{}", path.display());
                let _ = std::fs::remove_dir(path);
            }
        }
    }
}
