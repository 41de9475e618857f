//! What is written beside each committed position of a task: how the work is cut, and whether the task holds back what it has yet to
//! emit. The broker keeps it as text and does not look at it.

use std::fmt;

/// Follows the fingerprint of a task that holds something back.
const HELD: &str = ";held";

/// The text beside a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// Of lead, inputs and partition counts: see `assignment`. Empty where somebody else has set the position.
    pub(crate) fingerprint: &'a str,
    /// Whether what came of the records before the position is not all emitted.
    pub(crate) holds_back: bool,
}

impl<'a> Note<'a> {
    pub(crate) fn read(text: &'a str) -> Self {
        match text.strip_suffix(HELD) {
            Some(fingerprint) => Self { fingerprint, holds_back: true },
            None => Self { fingerprint: text, holds_back: false },
        }
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.fingerprint, if self.holds_back { HELD } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::Note;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        for note in [Note { fingerprint: "hw1:0f", holds_back: true }, Note { fingerprint: "hw1:0f", holds_back: false }] {
            assert_eq!(Note::read(&note.to_string()), note);
        }
        assert_eq!(Note::read(""), Note { fingerprint: "", holds_back: false }, "set by a tool");
    }
}
