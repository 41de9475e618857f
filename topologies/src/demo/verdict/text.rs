//! The verdict as text for people. What it says is decided elsewhere.

use std::collections::BTreeMap;
use std::fmt;

use console::style;
use highwater::runtime::ProcessingGuarantee;
use indicatif::{BinaryBytes, HumanCount};
use shoppulse_oracle::DifferenceKind;

use super::{Story, Verdict};
use crate::catalogue;
use crate::demo::books::{Books, OUTCOMES};
use crate::demo::check::{Checks, Figures};
use crate::demo::input::{Share, TOPICS};

/// Differences that are shown; more are only counted.
const SHOWN_MAX: usize = 10;
/// Characters of a difference that are shown.
const DIFFERENCE_MAX_CHARS: usize = 200;
/// Characters of a list before it is wrapped.
const LINE_MAX_CHARS: usize = 86;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_inputs(f, &self.story)?;
        write_books(f, &self.books)?;
        write_checks(f, &self.checks)?;
        write_differences(f, &self.checks)?;
        write_cost(f, &self.story)?;
        write_sentence(f, self)?;
        write_further(f, &self.story)
    }
}

fn heading(f: &mut fmt::Formatter<'_>, title: &str, about: &str) -> fmt::Result {
    writeln!(f, "\n{}  {about}", style(title).bold())
}

fn mark(is_right: bool) -> console::StyledObject<char> {
    if is_right { style('✔').green() } else { style('✘').red().bold() }
}

fn count(number: i64) -> String {
    HumanCount(number.max(0) as u64).to_string()
}

fn write_inputs(f: &mut fmt::Formatter<'_>, story: &Story) -> fmt::Result {
    let total = story
        .inputs
        .values()
        .fold(Share::default(), |sum, share| Share { records: sum.records + share.records, bytes: sum.bytes + share.bytes });
    let (records, bytes) = (HumanCount(total.records), BinaryBytes(total.bytes));
    heading(f, "WHAT WENT IN", &format!("{records} records, {bytes}: a day and more of three shops, in {} s", story.seconds))?;
    for (topic, about) in TOPICS {
        let share = story.inputs.get(topic).copied().unwrap_or_default();
        writeln!(f, "    {topic:<28}{:>9}  {about}", HumanCount(share.records).to_string())?;
    }
    Ok(())
}

fn write_books(f: &mut fmt::Formatter<'_>, books: &Books) -> fmt::Result {
    heading(f, "WHAT BECAME OF IT", "as ops.quality has it; what came in is the sum of the rest")?;
    write!(f, "    {:<12}{:>9}   ", "topology", "in")?;
    for outcome in OUTCOMES {
        write!(f, "{outcome:>14}")?;
    }
    writeln!(f)?;
    for topology in catalogue::ALL.iter().map(|pipeline| pipeline.name) {
        let taken = count(books.count(topology, "in"));
        write!(f, "  {} {topology:<12}{taken:>9}  =", mark(books.balance(topology)))?;
        for outcome in OUTCOMES {
            write!(f, "{:>14}", count(books.count(topology, outcome)))?;
        }
        writeln!(f)?;
    }
    for outcome in OUTCOMES {
        write_reasons(f, outcome, &books.reasons(outcome))?;
    }
    Ok(())
}

/// The reasons of an outcome, the most frequent first, in as many lines as it takes.
fn write_reasons(f: &mut fmt::Formatter<'_>, outcome: &str, reasons: &BTreeMap<&str, i64>) -> fmt::Result {
    let mut reasons: Vec<_> = reasons.iter().collect();
    reasons.sort_by_key(|(reason, number)| (std::cmp::Reverse(**number), **reason));
    let parts = reasons.into_iter().map(|(reason, number)| format!("{reason} {}", count(*number)));
    for (place, line) in wrap(parts).into_iter().enumerate() {
        writeln!(f, "    {:<14}{line}", if place == 0 { outcome } else { "" })?;
    }
    Ok(())
}

/// Lines of parts.
fn wrap(parts: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.len() + part.len() < LINE_MAX_CHARS => {
                line.push_str(" · ");
                line.push_str(&part);
            }
            _ => lines.push(part),
        }
    }
    lines
}

fn write_checks(f: &mut fmt::Formatter<'_>, checks: &Checks) -> fmt::Result {
    heading(f, "WHAT CAME OUT", "against what an independent batch computation makes of the same input")?;
    for check in &checks.checks {
        let figures = match check.figures {
            Figures::Of(found, expected) => format!("{:>9} of {:>9}", count(found as i64), count(expected as i64)),
            Figures::Seen(seen) => format!("{:>21}", count(seen as i64)),
        };
        write!(f, "  {} {:<26}{figures}  {}", mark(check.differences == 0), check.name, check.promise)?;
        match check.differences {
            0 => writeln!(f)?,
            differences => writeln!(f, "{}", style(format!(": {} differences", HumanCount(differences as u64))).red())?,
        }
    }
    Ok(())
}

fn write_differences(f: &mut fmt::Formatter<'_>, checks: &Checks) -> fmt::Result {
    if checks.differences.is_empty() {
        return Ok(());
    }
    heading(f, "WHAT DIFFERS", &kinds(checks))?;
    for difference in checks.sample(SHOWN_MAX) {
        let sentence = difference.to_string();
        let shown: String = sentence.chars().take(DIFFERENCE_MAX_CHARS).collect();
        writeln!(f, "    {shown}{}", if shown.len() < sentence.len() { "…" } else { "" })?;
    }
    match checks.differences.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(f, "    … and {} more", HumanCount(more as u64)),
    }
}

/// How many differences there are of each kind.
fn kinds(checks: &Checks) -> String {
    let mut kinds: BTreeMap<DifferenceKind, u64> = BTreeMap::new();
    for difference in &checks.differences {
        *kinds.entry(difference.kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, number)| format!("{} {}", HumanCount(*number), name(*kind))).collect();
    kinds.join(", ")
}

fn name(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::MissingRow => "missing",
        DifferenceKind::ExtraRow => "too many",
        DifferenceKind::WrongColumn => "wrong values",
        DifferenceKind::WrongCount => "wrong counts",
        DifferenceKind::Unbalanced => "unbalanced",
        DifferenceKind::Version => "wrong versions",
        DifferenceKind::Tombstone => "wrong tombstones",
        DifferenceKind::Placement => "misplaced",
        DifferenceKind::Timestamp => "wrong times",
        DifferenceKind::Malformed => "malformed",
    }
}

fn write_cost(f: &mut fmt::Formatter<'_>, story: &Story) -> fmt::Result {
    heading(f, "WHAT IT TOOK", "generator and embedded cluster included")?;
    let records: u64 = story.inputs.values().map(|share| share.records).sum();
    let (wall, cpu) = (story.cost.wall.as_secs_f64(), story.cost.cpu.as_secs_f64());
    let memory =
        story.cost.peak_memory_bytes.map_or_else(String::new, |bytes| format!(", at most {} of memory", BinaryBytes(bytes)));
    writeln!(f, "    {wall:.1} s, {cpu:.1} s of CPU ({:.0} s per million records){memory}", cpu * 1e6 / records.max(1) as f64)?;
    let commits = HumanCount(story.commits);
    match story.guarantee {
        ProcessingGuarantee::ExactlyOnce if story.taken_back == 0 => {
            writeln!(
                f,
                "    {commits} commits, {} power cut, which met no open transaction: more --rate brings one",
                story.crashes
            )
        }
        ProcessingGuarantee::ExactlyOnce => writeln!(
            f,
            "    {commits} commits, {} power cut, and {} records of open transactions taken back: no reader has seen them",
            story.crashes,
            HumanCount(story.taken_back)
        ),
        ProcessingGuarantee::AtLeastOnce => {
            writeln!(
                f,
                "    {commits} commits, {} power cut, and without transactions nothing could be taken back",
                story.crashes
            )
        }
    }
}

fn write_sentence(f: &mut fmt::Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    let is_sabotaged = verdict.story.guarantee == ProcessingGuarantee::AtLeastOnce;
    let differences = HumanCount(verdict.checks.differences.len() as u64);
    let sentence = match (verdict.holds(), is_sabotaged) {
        (true, false) => style("VERDICT: holds. Every row, count and dead letter is as expected; nothing is lost or doubled.".to_owned()).green(),
        (false, false) => style(format!("VERDICT: does not hold. {differences} differences: this is a bug.")).red(),
        (false, true) => style(format!(
            "VERDICT: does not hold, as it should: exactly-once was switched off. {differences} differences.\n\
             Outputs and the positions that belong to them were committed apart, and the power cut fell\n\
             between the two, so the same records were processed twice."
        ))
        .red(),
        (true, true) => style("VERDICT: holds, although exactly-once was switched off: the power cut found nothing to double. More --rate shows it.".to_owned()).red(),
    };
    writeln!(f, "\n{}", sentence.bold())
}

fn write_further(f: &mut fmt::Formatter<'_>, story: &Story) -> fmt::Result {
    writeln!(f, "\nThe embedded cluster is not durable, and nobody outside can reach it. The same topologies on a real Kafka:")?;
    writeln!(f, "{ON_KAFKA}")?;
    if let Some(path) = &story.kept_state {
        writeln!(f, "  bin/shoppulse --set state_dir={} state inspect", path.display())?;
    }
    match story.guarantee {
        ProcessingGuarantee::ExactlyOnce => {
            writeln!(f, "  bin/shoppulse demo --sabotage                    # break a guarantee, and see it noticed")
        }
        ProcessingGuarantee::AtLeastOnce => {
            writeln!(f, "  bin/shoppulse demo                               # the same with exactly-once")
        }
    }
}

/// Where to go from here. It runs the topologies, not the comparison: an input of one's own has no oracle.
const ON_KAFKA: &str = "  eval \"$(dev/kafka up)\"                           # a broker and a schema registry on this machine
  bin/shoppulse topics apply --execute             # creates the topics; then send events as README.md shows
  bin/shoppulse run --until-end                    # processes what is there
  bin/shoppulse tail curated.sessions --from-beginning --until-end
And without any cluster:
  bin/shoppulse topology describe sessions         # what lies between the topics";
