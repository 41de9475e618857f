//! How far a file was loaded: the records of `ops.loads`.
//!
//! JSON with a key of plain text, and not Avro: a loader must find its own mark by the key's bytes, whatever registry there is, and a load
//! needs no registry. Fields are added, never renamed.

use serde::{Deserialize, Serialize};

use crate::payments::Provider;

/// How far a file was loaded. Written in the same transaction as the lines that it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The shop that the lines are for.
    pub shop_id: String,
    /// Who wrote the file.
    pub provider: String,
    /// Where it is: an absolute path, or a URL.
    pub file: String,
    /// SHA-256, in hex, of its first `position` bytes, unpacked.
    pub fingerprint: String,
    /// Bytes that were loaded, unpacked; always the end of a line.
    pub position: u64,
    /// The number of the last line that was loaded.
    pub line_number: u64,
    /// Whether that was the file's end.
    pub is_complete: bool,
    /// Lines that were written to `raw.payments`.
    pub lines: u64,
    /// Lines that were written to the dead-letter topic.
    pub dead_letters: u64,
    /// When this load of the file began: names it, if the file is loaded again on purpose.
    pub began_at: String,
    /// When the record was written.
    pub loaded_at: String,
}

/// What to do about a file, given what was loaded of it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on behind what was loaded.
    Continue,
    /// It is another file under the same name: everything in it is new.
    Changed,
    /// It ends before what was loaded of it.
    Truncated,
}

/// Compares a file, read until a line ends at or behind the position that was loaded, or until its end.
pub(super) fn compare(known: &Progress, position: u64, fingerprint: &str) -> Verdict {
    if position < known.position {
        Verdict::Truncated
    } else if position == known.position && fingerprint == known.fingerprint {
        Verdict::Continue
    } else {
        Verdict::Changed
    }
}

/// The key of a file's record.
pub(super) fn key(shop_id: &str, provider: Provider, file: &str) -> String {
    format!("{shop_id}|{}:{file}", provider.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_apart_from_what_was_loaded_under_its_name() {
        let known = Progress { position: 100, fingerprint: "aa".to_owned(), ..Progress::default() };
        for (position, fingerprint, verdict) in [
            (100, "aa", Verdict::Continue),
            (100, "bb", Verdict::Changed),
            (101, "aa", Verdict::Changed),
            (99, "aa", Verdict::Truncated),
        ] {
            assert_eq!(compare(&known, position, fingerprint), verdict, "{position} {fingerprint}");
        }
    }

    #[test]
    fn what_a_later_version_adds_does_not_hinder_an_earlier_one() {
        let written = r#"{"shop_id":"s","provider":"stripe","file":"/f","fingerprint":"aa","position":7,"line_number":2,"is_complete":true,
            "lines":1,"dead_letters":0,"began_at":"","loaded_at":"","added":1}"#;
        assert_eq!(serde_json::from_str::<Progress>(written).unwrap().position, 7);
    }
}
