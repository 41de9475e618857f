//! What is said of each file and of all, on stdout. Not what decides about a file.

use std::fmt::Display;

use crate::commands::output::Output;
use crate::exit::Failure;
use crate::exports::load::{Loaded, Start};

/// Says what came of files, and how it all ended.
pub(super) struct Report {
    output: Output,
    is_dry: bool,
    files: u64,
    lines: u64,
    written: u64,
    dead_letters: u64,
    refused: u64,
    mismatches: u64,
}

impl Report {
    pub(super) fn new(output: Output, is_dry: bool) -> Self {
        Self { output, is_dry, files: 0, lines: 0, written: 0, dead_letters: 0, refused: 0, mismatches: 0 }
    }

    /// Files of folders that are no exports by their names.
    pub(super) fn passed_over(&mut self, files: usize) -> Result<(), Failure> {
        if files == 0 {
            return Ok(());
        }
        self.output.line(format_args!("passed over  {files} files that end neither in .csv nor in .csv.gz"))
    }

    pub(super) fn loaded(&mut self, location: &str, loaded: &Loaded) -> Result<(), Failure> {
        let tally = &loaded.tally;
        self.files += 1;
        self.lines += tally.total();
        self.written += loaded.written;
        self.dead_letters += tally.rejected();
        self.mismatches += loaded.mismatches.len() as u64;
        let kinds = listed(tally.lines.iter().map(|(kind, count)| (kind.as_str(), count)));
        let reasons = listed(tally.dead_letters.iter().map(|(reason, count)| (reason.as_str(), count)));
        let (total, written, rejected, with_order) = (tally.total(), loaded.written, tally.rejected(), tally.with_order);
        let what = if self.is_dry { "checked" } else { name(loaded.start) };
        self.output.line(format_args!(
            "{what:<11}  {location}  lines={total}  written={written}  with_order={with_order}{kinds}  dead_lettered={rejected}{reasons}"
        ))?;
        if !loaded.names_orders && total > 0 {
            self.output.line(format_args!(
                "no orders    {location}  no column names an order, so its lines belong to none: set `payments.stripe_order_columns` or \
                 `payments.adyen_order_columns`"
            ))?;
        }
        let (adding_up, open) = loaded.batches;
        if adding_up > 0 || open > 0 {
            self.output.line(format_args!("batches      {location}  adding_up={adding_up}  without_payout={open}"))?;
        }
        for mismatch in &loaded.mismatches {
            self.output.line(format_args!("mismatch     {location}  {mismatch}"))?;
        }
        self.output.flush()
    }

    pub(super) fn refused(&mut self, location: &str, why: &str) -> Result<(), Failure> {
        self.files += 1;
        self.refused += 1;
        self.output.line(format_args!("refused      {location}  {why}"))?;
        self.output.flush()
    }

    /// The sum of all; an error if anything is wrong with a file. Single bad lines are not: they are in the dead-letter topic.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        let Self { files, lines, written, dead_letters, refused, mismatches, .. } = *self;
        self.output.line(format_args!(
            "total        files={files}  lines={lines}  written={written}  dead_lettered={dead_letters}  refused={refused}  mismatches={mismatches}"
        ))?;
        if self.is_dry {
            self.output.line("nothing was written: it was a dry run")?;
        }
        self.output.flush()?;
        let wrong: Vec<String> = [
            (refused, "could not be loaded to the end"),
            (mismatches, "of Adyen's batches do not add up: the report is not whole, or not as Adyen wrote it"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failure::failed(format!("{}; see above", wrong.join("; ")))) }
    }
}

fn name(start: Start) -> &'static str {
    match start {
        Start::New => "loaded",
        Start::Continued => "continued",
        Start::Unchanged => "unchanged",
        Start::Changed => "changed",
        Start::Reloaded => "reloaded",
    }
}

/// `  a=1  b=2`.
fn listed<'a>(counts: impl Iterator<Item = (&'a str, impl Display)>) -> String {
    let words: Vec<String> = counts.map(|(name, count)| format!("  {name}={count}")).collect();
    words.concat()
}
