//! What a person sees while the demo runs: a panel on a terminal, a line now and then elsewhere. All on stderr.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::Scene;

mod panel;

/// How often the panel is drawn at most.
const DRAWS_PER_SECOND: u8 = 8;
/// How much time lies between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// The live view.
pub(super) struct View {
    bar: ProgressBar,
    on_terminal: bool,
    elapsed: Duration,
    next_line: Duration,
}

impl View {
    pub(super) fn open(records: usize) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let target =
            if on_terminal { ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(records as u64), target);
        let style = ProgressStyle::with_template("\n  {bar:40.cyan/blue} {human_pos} of {human_len} records fed\n{msg}");
        bar.set_style(style.expect("the template is well formed").progress_chars("━╸─"));
        Self { bar, on_terminal, elapsed: Duration::ZERO, next_line: Duration::ZERO }
    }

    /// Something has happened.
    pub(super) fn say(&self, sentence: &str) {
        let sentence = format!("{} • {sentence}", panel::clock(self.elapsed));
        if self.on_terminal { self.bar.println(sentence) } else { line(&sentence) }
    }

    /// Where things stand.
    pub(super) fn show(&mut self, scene: &Scene) {
        self.elapsed = scene.elapsed;
        if self.on_terminal {
            self.bar.set_position(scene.fed);
            self.bar.set_message(panel::panel(scene));
        } else if scene.elapsed >= self.next_line {
            self.next_line = scene.elapsed + LINE_EVERY;
            line(&panel::line(scene));
        }
    }

    /// Takes the panel away; what was said stays.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.close();
    }
}

#[expect(clippy::print_stderr, reason = "a person is watching")]
fn line(text: &str) {
    eprintln!("{text}");
}
