//! A daemon's cage, closed by the daemon itself once it has what it needs open.
//!
//! [`Sandbox::apply`] gives up identity, capabilities, paths and system calls, in that order and
//! for all threads. What this kernel cannot enforce is reported, never silently left out.

mod landlock;
mod seccomp;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What the daemon may do with a path and everything below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read files and list directories.
    Read,
    /// Also write, create and remove.
    Write,
}

/// Why the cage could not be closed. A daemon that gets one must not serve.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// Capabilities or privileges could not be given up.
    #[error("cannot give up {what}")]
    Drop {
        /// Which privilege.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The path rules could not be made.
    #[error("cannot restrict file access")]
    Paths(#[source] ::landlock::RulesetError),
    /// An allowed path cannot be opened.
    #[error("cannot open {path} to allow it")]
    Path {
        /// The path.
        path: PathBuf,
        /// What was said.
        #[source]
        source: ::landlock::PathFdError,
    },
    /// The system call filter could not be made.
    #[error("cannot make the system call filter")]
    Filter(#[source] seccompiler::BackendError),
    /// The kernel refused the system call filter.
    #[error("cannot install the system call filter")]
    Install(#[source] seccompiler::Error),
}

/// How much of a restriction is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// All of it.
    Full,
    /// What this kernel's version of the mechanism can do.
    Partial,
    /// Nothing: this kernel lacks the mechanism.
    Unsupported,
}

impl std::fmt::Display for Enforcement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "enforced",
            Self::Partial => "enforced in part",
            Self::Unsupported => "not supported by this kernel",
        })
    }
}

/// What is in force after [`Sandbox::apply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The system call filter.
    pub seccomp: Enforcement,
    /// The path rules.
    pub landlock: Enforcement,
}

/// The cage of a network daemon: no capabilities, no new privileges, no programs to execute, only
/// unix and internet sockets, and the named paths.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    paths: Vec<(PathBuf, Access)>,
    terminal: bool,
}

impl Sandbox {
    /// Nothing of the file system.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a path and everything below it. A path that does not exist is an error later.
    #[must_use]
    pub fn allow(mut self, path: impl Into<PathBuf>, access: Access) -> Self {
        self.paths.push((path.into(), access));
        self
    }

    /// Allows to ask and change how a terminal behaves, through a descriptor that is open already.
    #[must_use]
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Closes the cage around every thread of this process, for good. To be called before other
    /// threads exist: capabilities and paths are given up by the calling thread, and threads
    /// inherit that from the one that starts them.
    ///
    /// # Errors
    /// When a mechanism this kernel has cannot be put in force.
    pub fn apply(&self) -> Result<Status, SandboxError> {
        drop_privileges()?;
        let landlock = landlock::restrict(&self.paths)?;
        let seccomp = seccomp::restrict(self.terminal)?;
        Ok(Status { seccomp, landlock })
    }
}

fn drop_privileges() -> Result<(), SandboxError> {
    let none = rustix::thread::CapabilitySets {
        effective: rustix::thread::CapabilitySet::empty(),
        permitted: rustix::thread::CapabilitySet::empty(),
        inheritable: rustix::thread::CapabilitySet::empty(),
    };
    let dropped = |what| move |e: rustix::io::Errno| SandboxError::Drop { what, source: e.into() };
    rustix::thread::set_capabilities(None, none).map_err(dropped("capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(dropped("new privileges"))?;
    let hidden = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(hidden).map_err(dropped("core dumps"))
}
