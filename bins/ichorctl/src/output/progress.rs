//! Phases with their times: one line each, the running one redrawn on a terminal.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

const BAR: usize = 20;

/// The phases of one command, on standard error.
pub(crate) struct Progress {
    total: usize,
    done: usize,
    begun: Instant,
    phase: Option<(String, Instant)>,
    drawn: bool,
    detail: String,
    terminal: bool,
}

impl Progress {
    /// For so many phases.
    pub(crate) fn new(total: usize) -> Self {
        Self {
            total,
            done: 0,
            begun: Instant::now(),
            phase: None,
            drawn: false,
            detail: String::new(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Ends the running phase and begins the next.
    pub(crate) fn phase(&mut self, name: &str) {
        self.end();
        self.phase = Some((name.to_owned(), Instant::now()));
        self.detail.clear();
        self.draw();
    }

    /// Says what the running phase is waiting for.
    pub(crate) fn detail(&mut self, text: &str) {
        if self.detail != text {
            text.clone_into(&mut self.detail);
            if self.terminal {
                self.draw();
            } else if !text.is_empty() {
                eprintln!("      {text}");
            }
        }
    }

    /// Ends the last phase. Gives the time of all.
    pub(crate) fn finish(mut self) -> Duration {
        self.end();
        self.begun.elapsed()
    }

    fn draw(&mut self) {
        if !self.terminal {
            return;
        }
        let Some((name, _)) = &self.phase else { return };
        let filled = BAR * self.done / self.total.max(1);
        let bar: String = (0..BAR).map(|at| if at < filled { '█' } else { '░' }).collect();
        let detail: String = self.detail.chars().take(60).collect();
        eprint!(
            "\r\u{1b}[K{bar} {}/{} {name} \u{1b}[2m{detail}\u{1b}[0m",
            self.done + 1,
            self.total
        );
        std::io::stderr().flush().ok();
        self.drawn = true;
    }

    fn end(&mut self) {
        let Some((name, begun)) = self.phase.take() else { return };
        self.done += 1;
        self.erase();
        let time = begun.elapsed();
        eprintln!("[{}/{}] {name:<44} {:>7.2} s", self.done, self.total, time.as_secs_f64());
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.drawn) {
            eprint!("\r\u{1b}[K");
        }
    }
}

impl Drop for Progress {
    /// A phase that failed leaves no half-drawn line in front of the error.
    fn drop(&mut self) {
        self.erase();
    }
}
