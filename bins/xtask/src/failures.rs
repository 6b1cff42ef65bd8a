//! Runs tests, shows what they print, and says what failed once more at the end: an hour's output is long.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// How many lines of the failures of one test program are said again.
const MOST: usize = 40;

/// What failed so far.
#[derive(Default)]
pub(crate) struct Failures {
    programs: Vec<String>,
    lines: Vec<String>,
}

impl Failures {
    /// Runs a command that runs test programs and shows what it prints.
    pub(crate) fn run(&mut self, command: &mut Command, what: &str) -> Result<()> {
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {what}"))?;
        let mut reader = Reader::default();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n') {
                let line = line.with_context(|| format!("reading what {what} prints"))?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                if let Some(mut section) = reader.take(&line) {
                    let first = section.len().saturating_sub(MOST);
                    self.lines.extend(section.drain(first..));
                }
            }
        }
        let status = child.wait().with_context(|| format!("waiting for {what}"))?;
        if !status.success() {
            self.programs.push(what.to_owned());
        }
        Ok(())
    }

    /// Fails with everything that failed.
    pub(crate) fn end(self) -> Result<()> {
        if self.programs.is_empty() {
            return Ok(());
        }
        println!("\nwhat failed, again:\n{}", self.lines.join("\n"));
        bail!("{} failed", self.programs.join(" and "))
    }
}

/// Finds the section in which a test program says what failed.
#[derive(Default)]
struct Reader {
    section: Option<Vec<String>>,
}

impl Reader {
    /// Takes the next line; returns a section that is over.
    fn take(&mut self, line: &str) -> Option<Vec<String>> {
        if line.trim_end() == "failures:" {
            self.section.get_or_insert_default();
        } else if line.starts_with("test result:") {
            let mut section = self.section.take()?;
            section.push(line.to_owned());
            return Some(section);
        } else if let Some(section) = &mut self.section {
            section.push(line.to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints like a test program, and fails.
    fn failing(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("printf '%s' '{text}'; exit 101")]);
        command
    }

    #[test]
    fn what_failed_is_kept_and_the_rest_is_not() {
        let text = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b ----\nno cake\n\n\
            failures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed\n";
        let mut failures = Failures::default();
        failures.run(&mut failing(text), "cargo test").unwrap();
        failures.run(&mut Command::new("true"), "another").unwrap();
        let said = failures.lines.join("\n");
        assert!(said.contains("---- b ----\nno cake") && said.contains("test result"), "{said}");
        assert!(!said.contains("test a"), "{said}");
        assert_eq!(failures.end().unwrap_err().to_string(), "cargo test failed");
    }

    #[test]
    fn long_failures_are_cut_and_what_works_says_nothing() {
        let long = "x\n".repeat(500);
        let text = format!("failures:\n{long}failures:\n    b\ntest result: FAILED.\n");
        let mut failures = Failures::default();
        failures.run(&mut failing(&text), "cargo test").unwrap();
        assert_eq!(failures.lines.len(), MOST);
        let mut failures = Failures::default();
        failures.run(&mut Command::new("true"), "cargo test").unwrap();
        failures.end().unwrap();
    }
}
