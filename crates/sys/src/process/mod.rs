//! Starting programs and watching them end.
//!
//! [`Spawn`] describes a program and everything that must be true of its process before its first
//! instruction: cgroups, namespaces, identity, capabilities, limits, open files. [`Child`] is a
//! process started here, [`Process`] one that somebody else started; both are held by pidfd, so a
//! reused process id can never be mistaken for them.

mod caps;
mod child;
mod fork;
mod niceness;
mod orphan;
mod spawn;

pub use caps::{Capabilities, Capability};
pub use child::{Child, Exit, Process, ProcessError, StartTime, close_passed};
pub use fork::Step;
pub use niceness::nicely;
pub use orphan::{Orphan, has_children, next_exited, reap, signal_all};
pub use spawn::{Limit, Resource, Spawn, SpawnError, Stdio};
