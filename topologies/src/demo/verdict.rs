//! The verdict: what went in, what became of it, what came out, and whether that is what it should be. How it looks is in `text`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;

use highwater::runtime::ProcessingGuarantee;

use super::books::Books;
use super::check::Checks;
use super::cost::Cost;
use super::input::Share;

mod text;

/// How a demo went.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) guarantee: ProcessingGuarantee,
    pub(super) seconds: u32,
    /// What was fed, by topic.
    pub(super) inputs: BTreeMap<String, Share>,
    pub(super) crashes: u64,
    pub(super) commits: u64,
    /// Records of the output that were written and then taken back.
    pub(super) taken_back: u64,
    pub(super) cost: Cost,
    pub(super) kept_state: Option<PathBuf>,
}

/// What a demo found.
#[derive(Debug)]
pub struct Verdict {
    story: Story,
    books: Books,
    checks: Checks,
}

impl Verdict {
    pub(super) fn new(story: Story, books: Books, checks: Checks) -> Self {
        Self { story, books, checks }
    }

    /// Whether the result is as expected and the books balance.
    pub fn holds(&self) -> bool {
        self.checks.differences.is_empty() && self.books.topologies().iter().all(|topology| self.books.balance(topology))
    }

    /// The differences, as sentences.
    pub fn differences(&self) -> impl Iterator<Item = String> {
        self.checks.differences.iter().map(ToString::to_string)
    }

    /// Records of the output that were written and then taken back, since the power failed before their commit.
    pub fn taken_back(&self) -> u64 {
        self.story.taken_back
    }

    /// Writes it to stdout.
    pub fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        write!(out, "{self}")?;
        out.flush()
    }
}
