//! What a person sees while the demo runs: a panel on a terminal, a line now and then elsewhere. All on stderr.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::crew::Tally;

/// How often the panel is drawn at most.
const DRAWS_PER_SECOND: u8 = 8;
/// Looks between two lines where there is no terminal.
const LOOKS_PER_LINE: u32 = 20;

/// The live view.
pub(super) struct View {
    bar: ProgressBar,
    on_terminal: bool,
    looks: u32,
}

impl View {
    pub(super) fn open(records: usize) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let target =
            if on_terminal { ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(records as u64), target);
        let style = ProgressStyle::with_template("{bar:32.cyan} {pos}/{len} records fed  {per_sec}  {elapsed}\n{msg}");
        bar.set_style(style.expect("the template is well formed"));
        if on_terminal {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Self { bar, on_terminal, looks: 0 }
    }

    /// Something has happened.
    pub(super) fn say(&self, sentence: &str) {
        if self.on_terminal { self.bar.println(format!("• {sentence}")) } else { line(&format!("• {sentence}")) }
    }

    /// Where things stand.
    pub(super) fn show(&mut self, fed: usize, tally: &Tally) {
        self.bar.set_position(fed as u64);
        self.looks += 1;
        if self.on_terminal {
            self.bar.set_message(panel(fed, tally));
        } else if self.looks % LOOKS_PER_LINE == 1 {
            line(&format!("{fed} fed · {}", panel(fed, tally).replace('\n', " · ")));
        }
    }

    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn panel(fed: usize, tally: &Tally) -> String {
    let behind = (fed as u64).saturating_sub(external(tally));
    format!(
        "processed {}  duplicates {}  late {}  filtered {}  dead letters {}\ncommits {}  crashes {}  records not yet committed {behind}",
        tally.of("processed"),
        tally.of("duplicate"),
        tally.of("late"),
        tally.of("filtered"),
        tally.of("dead_lettered"),
        tally.commits,
        tally.crashes,
    )
}

/// Records of the outside world that were dealt with; `sessions` reads what `clean` wrote.
fn external(tally: &Tally) -> u64 {
    tally.outcomes.iter().filter(|((topology, ..), _)| topology != "sessions").map(|(_, count)| count).sum()
}

#[expect(clippy::print_stderr, reason = "a person is watching")]
fn line(text: &str) {
    eprintln!("{text}");
}
