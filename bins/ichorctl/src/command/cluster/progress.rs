//! The phases of a creation, each with a bar and its time.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const BAR: usize = 20;

/// Shows phases on standard error: on a terminal the running one with a bar, elsewhere finished ones only.
pub(super) struct Progress {
    total: usize,
    done: usize,
    terminal: bool,
    start: Instant,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { total, done: 0, terminal, start: Instant::now() }
    }

    /// Runs a phase; its result says what to add to its line.
    pub(super) fn phase<T>(
        &mut self,
        name: &str,
        run: impl FnOnce(&mut Step<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        let mut step = Step { progress: self, name, start, detail: String::new() };
        step.draw();
        let result = run(&mut step);
        let detail = std::mem::take(&mut step.detail);
        self.finish(name, result.is_ok(), &detail, start.elapsed());
        result
    }

    /// Runs a phase that waits for machines.
    pub(super) async fn phase_async<T>(
        &mut self,
        name: &str,
        run: impl AsyncFnOnce(&mut Step<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        let mut step = Step { progress: self, name, start, detail: String::new() };
        step.draw();
        let result = run(&mut step).await;
        self.finish(name, result.is_ok(), "", start.elapsed());
        result
    }

    /// How long everything took so far.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn finish(&mut self, name: &str, ok: bool, detail: &str, took: Duration) {
        self.done += usize::from(ok);
        let mark = if ok { "done" } else { "FAILED" };
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        let detail = if detail.is_empty() { String::new() } else { format!("  {detail}") };
        let line = format!(
            "{clear}{} {name:<32} {mark:>6} {:>7.2} s{detail}\n",
            self.bar(),
            took.as_secs_f64()
        );
        // A closed standard error must not stop the work.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    fn bar(&self) -> String {
        let filled = BAR * self.done / self.total.max(1);
        format!("[{}{}] {}/{}", "#".repeat(filled), "-".repeat(BAR - filled), self.done, self.total)
    }
}

/// A running phase.
pub(super) struct Step<'a> {
    progress: &'a Progress,
    name: &'a str,
    start: Instant,
    detail: String,
}

impl Step<'_> {
    /// What the phase is called.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// What the phase last said that it waits for.
    pub(super) fn shown(&self) -> &str {
        &self.detail
    }

    /// Says what the phase waits for or has found.
    pub(super) fn detail(&mut self, text: impl Into<String>) {
        let text = text.into();
        if text != self.detail {
            self.detail = text;
            self.draw();
        }
    }

    fn draw(&self) {
        if self.progress.terminal {
            let line = format!(
                "\r\x1b[2K{} {:<32}   ...  {:>7.2} s  {}",
                self.progress.bar(),
                self.name,
                self.start.elapsed().as_secs_f64(),
                self.detail
            );
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}
