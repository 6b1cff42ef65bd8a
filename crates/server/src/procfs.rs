//! What the kernel tells about the machine, read from `/proc` and `/sys` below a given root.
//!
//! Each reader is a parser of text with a thin reader of files over it. Must never: fail a whole answer because of
//! one process or mount that has gone meanwhile.

mod cpu;
mod disk;
mod memory;
mod mount;
mod net;
mod process;
mod stat;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use self::stat::{TICKS_PER_SECOND, load_average};

/// Why the kernel's word cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProcError {
    /// The file cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something unexpected.
    #[error("{} holds {line:?} where {expected} is expected", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line.
        line: String,
        /// What should stand there.
        expected: &'static str,
    },
}

/// The kernel's files below a root, `/` on a node.
#[derive(Clone, Debug)]
pub struct Kernel {
    root: PathBuf,
}

impl Kernel {
    /// The files below `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    fn read(&self, below: &str) -> Result<String, ProcError> {
        read(&self.path(below))
    }
}

/// Kernel text is not always UTF-8: process names are anything.
fn read(path: &Path) -> Result<String, ProcError> {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|source| ProcError::Read { path: path.to_owned(), source })
}

/// The numbers of a line; what is not a number ends it.
fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().map_while(|word| word.parse().ok()).collect()
}

fn at(numbers: &[u64], index: usize) -> u64 {
    numbers.get(index).copied().unwrap_or_default()
}
