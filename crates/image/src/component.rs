//! Builds the pinned parts, each once for its inputs, and hands out where their files are.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::debian::{Debian, DebianError};
use crate::pins::Pins;
use crate::store::{Part, Store, StoreError};
use crate::tool::ToolError;
use crate::{go, rustc};

/// What happens during a build, for whoever shows it.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A part is wanted; building it may take a while.
    Begun {
        /// The part and its version.
        part: &'a str,
    },
    /// The part is there.
    Done {
        /// The part and its version.
        part: &'a str,
        /// How long building it took; nothing if it was there already.
        built: Option<Duration>,
    },
}

/// The pins, the store and the sources: all that building a part needs.
pub struct Workshop<'a> {
    pins: Pins,
    sources: PathBuf,
    store: Store,
    report: &'a dyn Fn(Event<'_>),
    debian: OnceCell<Debian>,
}

/// Why a part could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// An outside program failed or is missing.
    #[error("component `{name}` cannot be built")]
    Tool {
        /// The part.
        name: String,
        /// What went wrong.
        #[source]
        source: ToolError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the part's source failed.
    #[error("component `{name}`: {action} {}", path.display())]
    Source {
        /// The part.
        name: String,
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The module's tool answered something else than it should.
    #[error("component `{name}`: `go mod download` does not say where the module is: {answer}")]
    Module {
        /// The part.
        name: String,
        /// What it answered.
        answer: String,
    },
    /// A Debian package failed.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// Nothing is pinned under the name.
    #[error("no component is called `{name}`; there are: {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
}

impl<'a> Workshop<'a> {
    /// A workshop over the pins of `components/`.
    pub fn new(
        pins: Pins,
        sources: impl Into<PathBuf>,
        store: Store,
        report: &'a dyn Fn(Event<'_>),
    ) -> Self {
        Self { pins, sources: sources.into(), store, report, debian: OnceCell::new() }
    }

    /// The pins.
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The names of all parts that are built here.
    pub fn names(&self) -> Vec<&str> {
        let go = self.pins.go.iter().map(|go| go.name.as_str());
        go.chain(self.pins.rust.iter().map(|rust| rust.name.as_str())).collect()
    }

    /// Builds a part unless it is there, and returns the directory of its files.
    pub fn component(&self, name: &str) -> Result<PathBuf, ComponentError> {
        if let Some(pin) = self.pins.go.iter().find(|go| go.name == name) {
            let label = format!("{name} {}", pin.version);
            return self.reported(&label, || go::build(&self.sources, &self.store, pin));
        }
        if let Some(pin) = self.pins.rust.iter().find(|rust| rust.name == name) {
            let label = format!("{name} {}", pin.version);
            return self.reported(&label, || rustc::build(&self.sources, &self.store, pin));
        }
        Err(ComponentError::Unknown { name: name.to_owned(), known: self.names().join(", ") })
    }

    /// Where a program is, given as `component/file`.
    pub fn program(&self, program: &str) -> Result<PathBuf, ComponentError> {
        let (component, file) = program.split_once('/').unwrap_or((program, program));
        Ok(self.component(component)?.join(file))
    }

    /// The files of the pinned Debian packages.
    pub fn debian(&self) -> Result<&Debian, ComponentError> {
        if let Some(debian) = self.debian.get() {
            return Ok(debian);
        }
        let mut debian = Debian::default();
        for pin in &self.pins.debian {
            let label = format!("{} {}", pin.package, pin.version);
            let part = self.reported(&label, || crate::debian::fetch(&self.store, pin))?;
            debian.add(&part, pin)?;
        }
        Ok(self.debian.get_or_init(|| debian))
    }

    /// Builds a part and reports it.
    pub(crate) fn reported<E>(
        &self,
        part: &str,
        build: impl FnOnce() -> Result<Part, E>,
    ) -> Result<PathBuf, E> {
        (self.report)(Event::Begun { part });
        let built = build()?;
        (self.report)(Event::Done { part, built: built.built });
        Ok(built.path)
    }
}

/// Names the part and the file in an I/O error.
pub(crate) fn source_error<'a>(
    name: &'a str,
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> ComponentError + 'a {
    move |source| ComponentError::Source {
        name: name.to_owned(),
        action,
        path: path.to_owned(),
        source,
    }
}
