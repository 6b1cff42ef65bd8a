//! Validation: what the loader cannot see.
//!
//! [`validate`] checks the v1alpha1 document, then every other document, then the documents against
//! the v1alpha1 document, then the configuration as a whole, and collects everything it finds. Each
//! finding has the contract's message and, beside it, the document and field it is about.

mod container;
mod format;
mod legacy;
pub(crate) mod shared;

use std::fmt;
use std::str::FromStr;

pub(crate) use shared::endpoint_problem;

use crate::Config;
use crate::document::Identity;
use crate::finding::{Finding, Findings, Severity};

/// Where the configuration is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// On a machine with a disk of its own.
    Metal,
    /// On a machine of a cloud.
    Cloud,
    /// In a container.
    Container,
    /// On a machine that is managed before it is installed.
    MetalAgent,
}

/// A word that is not a mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown runtime mode: {0:?}, want metal, cloud or container")]
pub struct ModeError(String);

impl Mode {
    /// The word of the mode.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metal => "metal",
            Self::Cloud => "cloud",
            Self::Container => "container",
            Self::MetalAgent => "metal-agent",
        }
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        [Self::Metal, Self::Cloud, Self::Container, Self::MetalAgent]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| ModeError(text.to_owned()))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a configuration is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the configuration is to run.
    pub mode: Mode,
    /// Leaves version checks out, as for files on a workstation.
    pub local: bool,
    /// Makes errors of the warnings of the v1alpha1 document.
    pub strict: bool,
    /// The machine is installed: how the system is written to disk is not checked any more.
    pub installed: bool,
}

impl Options {
    /// The checks for files on a workstation.
    #[must_use]
    pub fn local(mode: Mode) -> Self {
        Self { mode, local: true, strict: false, installed: false }
    }
}

/// A finding with the document it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The document; nothing when the configuration as a whole is meant.
    pub document: Option<Identity>,
    /// The finding.
    pub finding: Finding,
}

/// What validation found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything, in the order of the checks.
    pub findings: Vec<Located>,
    /// The message of the contract for all errors together; empty when there is none.
    pub message: String,
}

/// Everything that is wrong with a configuration, in the contract's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValidateError(pub String);

impl Report {
    /// Whether there is no error.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.message.is_empty()
    }

    /// The warnings in the contract's words.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let warnings = self.findings.iter().filter(|f| f.finding.severity == Severity::Warning);
        warnings.map(|located| located.finding.message.as_str())
    }

    /// The errors with their places.
    pub fn errors(&self) -> impl Iterator<Item = &Located> {
        self.findings.iter().filter(|f| f.finding.severity == Severity::Error)
    }

    /// Nothing when valid, all errors otherwise.
    ///
    /// # Errors
    /// All errors together.
    pub fn result(&self) -> Result<(), ValidateError> {
        if self.is_valid() { Ok(()) } else { Err(ValidateError(self.message.clone())) }
    }
}

/// Checks a configuration.
#[must_use]
pub fn validate(config: &Config, options: Options) -> Report {
    let mut report = Report::default();
    let mut messages = Vec::new();
    if let Some(legacy) = config.v1alpha1() {
        let mut findings = Findings { local: options.local, ..Findings::default() };
        legacy::check(legacy, options, &mut findings);
        if options.strict {
            for finding in &mut findings.list {
                if finding.severity == Severity::Warning {
                    finding.severity = Severity::Error;
                    finding.message = format!("warning: {}", finding.message);
                }
            }
            // Errors made of warnings come after the others.
            findings.list.sort_by_key(|finding| finding.message.starts_with("warning: "));
        }
        let errors: Vec<String> = findings.errors().map(|f| f.message.clone()).collect();
        if !errors.is_empty() {
            messages.push(format!("v1alpha1.Config: {}", format::list(&errors)));
        }
        let identity = Identity { kind: String::new(), name: String::new() };
        report.add(Some(&identity), findings);
    }
    for document in config.all() {
        let mut findings = Findings { local: options.local, ..Findings::default() };
        document.validate(&mut findings);
        let errors: Vec<&str> = findings.errors().map(|f| f.message.as_str()).collect();
        let identity = document.identity();
        if !errors.is_empty() {
            let shown = match identity.name.as_str() {
                "" => identity.kind.clone(),
                name => format!("{}/{name}", identity.kind),
            };
            messages.push(format!("{shown}: {}", errors.join("\n")));
        }
        report.add(Some(&identity), findings);
    }
    if let Some(legacy) = config.v1alpha1() {
        for document in config.all() {
            let mut findings = Findings::default();
            document.conflicts(legacy, &mut findings);
            messages.extend(findings.errors().map(|f| f.message.clone()));
            report.add(Some(&document.identity()), findings);
        }
    }
    let mut findings = Findings::default();
    container::check(config, options, &mut findings);
    messages.extend(findings.errors().map(|f| f.message.clone()));
    report.add(None, findings);
    report.message = if messages.is_empty() { String::new() } else { format::list(&messages) };
    report
}

impl Report {
    fn add(&mut self, document: Option<&Identity>, findings: Findings) {
        let list = findings.list.into_iter();
        self.findings.extend(list.map(|finding| Located { document: document.cloned(), finding }));
    }
}
