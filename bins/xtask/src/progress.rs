//! Shows what a build does: phases with their times, and a bar while parts of a phase are built.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::Result;
use image::component::Event;

/// How many characters a bar has.
const WIDTH: usize = 24;

/// The display of one command. Without a terminal only lasting lines are printed.
pub(crate) struct Progress {
    terminal: bool,
    phase: Cell<usize>,
    phases: usize,
    parts: Cell<usize>,
    done: Cell<usize>,
}

impl Progress {
    /// A display of so many phases.
    pub(crate) fn new(phases: usize) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            phase: Cell::new(0),
            phases,
            parts: Cell::new(0),
            done: Cell::new(0),
        }
    }

    /// Runs a phase and prints its time.
    pub(crate) fn phase<T>(&self, name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        self.phase.set(self.phase.get() + 1);
        self.parts.set(0);
        self.done.set(0);
        let label = format!("[{}/{}] {name}", self.phase.get(), self.phases);
        if self.terminal {
            eprintln!("{label} …");
        }
        let begun = Instant::now();
        let outcome = run();
        self.clear();
        let mark = if outcome.is_ok() { "done in" } else { "failed after" };
        eprintln!("{label}: {mark} {}", seconds(begun.elapsed()));
        outcome
    }

    /// Says how many parts the phase has.
    pub(crate) fn expect(&self, parts: usize) {
        self.parts.set(parts);
    }

    /// Shows an event of a build.
    pub(crate) fn show(&self, event: &Event<'_>) {
        match event {
            Event::Begun { part } => self.bar(part),
            Event::Done { part, built } => {
                self.done.set(self.done.get() + 1);
                if let Some(time) = built {
                    self.clear();
                    eprintln!("  {part} built in {}", seconds(*time));
                }
            }
        }
    }

    fn bar(&self, part: &str) {
        if !self.terminal {
            return;
        }
        let (done, parts) = (self.done.get(), self.parts.get().max(self.done.get() + 1));
        let full = WIDTH * done / parts;
        eprint!(
            "\r\x1b[2K  {}{} {done}/{parts} {part}",
            "█".repeat(full),
            "░".repeat(WIDTH - full)
        );
        // What cannot be shown is not worth failing for.
        let _ = std::io::stderr().flush();
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }
}

/// A duration for people.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
