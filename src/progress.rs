//! Progress as a person at a terminal sees it; on anything else, plain lines.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(80);

/// A line that says what is being done, and how far it has come.
pub struct Steps {
    bar: ProgressBar,
    terminal: bool,
}

impl Steps {
    /// Draws on stderr, so that stdout stays for results.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, target(terminal));
        bar.set_style(
            ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        if terminal {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, terminal }
    }

    /// What is being done now. Without a terminal, repeated texts are printed once.
    pub fn say(&self, text: impl Into<String>) {
        let text = text.into();
        if !self.terminal && self.bar.message() != text {
            note!("{text}");
        }
        self.bar.set_message(text);
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for the bytes of a push or a pull.
pub struct Transfer {
    bar: Mutex<ProgressBar>,
    terminal: bool,
}

impl Transfer {
    /// A bar that appears with the first [`coracle_oci::Progress::start`].
    pub fn new() -> Self {
        Self { bar: Mutex::new(ProgressBar::hidden()), terminal: std::io::stderr().is_terminal() }
    }

    fn with_bar(&self, change: impl FnOnce(&mut ProgressBar)) {
        // A poisoned lock means that a drawing call panicked: progress is not worth a second panic.
        if let Ok(mut bar) = self.bar.lock() {
            change(&mut bar);
        }
    }
}

impl coracle_oci::Progress for Transfer {
    fn start(&self, what: &str, total_bytes: Option<u64>) {
        if !self.terminal {
            note!("{what}");
        }
        let style = "{msg:24} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}";
        self.with_bar(|bar| {
            *bar = ProgressBar::with_draw_target(total_bytes, target(self.terminal));
            bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(what.to_string());
        });
    }

    fn advance(&self, bytes: u64) {
        self.with_bar(|bar| bar.inc(bytes));
    }

    fn finish(&self) {
        self.with_bar(|bar| bar.finish());
    }
}

fn target(terminal: bool) -> ProgressDrawTarget {
    if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
}
