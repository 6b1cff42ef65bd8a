//! System calls: the only crate of the workspace that may contain unsafe code.
//!
//! Everything here is a thin, typed layer over one kernel interface: it takes the outside world's
//! word for what happened and reports it, and it never decides policy, never retries, and never
//! starts a thread. Callers that want events get file descriptors (pidfd, signalfd, inotify) which
//! any event loop can wait for.
//!
//! Start reading at [`process`] (starting and watching programs), [`mount`] and [`namespace`].
#![allow(unsafe_code)]

pub mod block;
pub mod cgroup;
pub mod clock;
pub mod console;
pub mod credentials;
pub mod device;
pub mod inotify;
pub mod input;
pub mod kmsg;
#[cfg(feature = "async")]
pub mod local;
pub mod loop_device;
pub mod module;
pub mod mount;
pub mod namespace;
pub mod netfilter;
pub mod packet;
pub mod process;
#[cfg(feature = "async")]
pub mod readiness;
pub mod router;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod signal;
pub mod socket;
pub mod system;
pub mod uevent;

pub use rustix::process::{Pid, Signal};
