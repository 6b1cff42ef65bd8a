//! Findings of the validation: errors and warnings, each with the path of the field it is about.

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is taken, but something should be changed.
    Warning,
}

/// One thing that validation found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The message of the contract, without any place in a file.
    pub message: String,
    /// The field, from the root of its document; empty when it is about the whole document.
    pub path: Vec<String>,
}

/// Collects findings of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What was found so far, in order.
    pub list: Vec<Finding>,
    /// Whether version checks are left out, as for files on a workstation.
    pub local: bool,
}

impl Findings {
    /// Adds an error about the field at `path`, keys separated by dots.
    pub fn error(&mut self, path: &str, message: impl Into<String>) {
        self.push(Severity::Error, path, message.into());
    }

    /// Adds a warning about the field at `path`, keys separated by dots.
    pub fn warning(&mut self, path: &str, message: impl Into<String>) {
        self.push(Severity::Warning, path, message.into());
    }

    fn push(&mut self, severity: Severity, path: &str, message: String) {
        let path = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        self.list.push(Finding { severity, message, path });
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter().filter(|finding| finding.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.list.iter().filter(|finding| finding.severity == Severity::Warning)
    }
}
