//! What the service framework asks of whatever runs a service: a process, a container, a task in machined.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It is gone, and nobody can say how (it was adopted, or its supervisor died with it).
    Gone,
    /// It ended with an error of its own.
    Error(String),
}

impl Exit {
    /// Whether it ended well.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Gone => f.write_str("gone"),
            Self::Error(error) => f.write_str(error),
        }
    }
}

/// A service could not be prepared or started.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct RunError {
    /// What was attempted, with what.
    pub what: String,
    /// Why it failed.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RunError {
    /// A failed attempt with its cause.
    pub fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }

    /// A failed attempt whose text says it all.
    pub fn plain(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// The text with all causes.
    #[must_use]
    pub fn chain(&self) -> String {
        error_chain(self)
    }
}

/// The text of an error with all its causes, each said once.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A running service.
pub trait Instance: Send {
    /// Its main process, where there is one.
    fn pid(&self) -> Option<u32>;

    /// What it is, for the service's event list.
    fn describe(&self) -> String;

    /// Waits for its end. May be dropped and called again.
    fn wait(&mut self) -> BoxFuture<'_, Exit>;

    /// Asks it to end and, after `grace`, makes it end.
    fn stop(&mut self, grace: Duration) -> BoxFuture<'_, Exit>;
}

/// Starts instances of one service.
pub trait Runner: Send + Sync + 'static {
    /// Takes over an instance that an earlier machined started, if one still runs.
    fn adopt(&self) -> BoxFuture<'_, Option<Box<dyn Instance>>>;

    /// Starts an instance.
    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Instance>, RunError>>;
}
