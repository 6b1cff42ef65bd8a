//! Failures: what failed, where, why, and what to do; and the exit code.

use std::{fmt, process::ExitCode};

use client::CallError;

use super::style;

/// Calls that failed, one or more machines.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<CallError>);

impl Failures {
    /// One more.
    pub(crate) fn add(&mut self, error: CallError) {
        self.0.push(error);
    }

    /// More of them.
    pub(crate) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether nothing failed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An error when something failed.
    pub(crate) fn into_result(self) -> anyhow::Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl From<CallError> for Failures {
    fn from(error: CallError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for Failures {}

/// A command that has told everything itself and only wants the exit code.
#[derive(Debug)]
pub(crate) struct Told;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the command failed")
    }
}

impl std::error::Error for Told {}

/// Prints an error to standard error and gives the exit code for it.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<Told>() {
        return ExitCode::FAILURE;
    }
    if let Some(failures) = error.downcast_ref::<Failures>() {
        for failure in &failures.0 {
            one(failure);
        }
    } else if let Some(failure) = error.downcast_ref::<CallError>() {
        one(failure);
    } else {
        eprintln!("{} {}", style::error("error:"), chain(error));
    }
    ExitCode::FAILURE
}

fn one(failure: &CallError) {
    let label = style::error(&format!("error from node {}:", failure.node));
    eprintln!("{label} {}: {}", failure.call, failure.reason());
    if !failure.cure.is_empty() {
        eprintln!("  {}", failure.cure);
    }
}

/// An error with its sources, each once.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if cause.is_empty() || last.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
        last = cause;
    }
    text
}
