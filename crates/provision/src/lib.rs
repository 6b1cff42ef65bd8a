//! Local clusters.
//!
//! [`spec`] says what a cluster is, [`state`] where it is kept, [`supervisor`] gives its nodes power:
//! [`native`] ones in Linux namespaces, [`qemu`] ones in virtual machines. This crate never talks to
//! a node: what a node does once it has power is the caller's to find out through its API.

pub mod native;
pub mod preflight;
pub mod qemu;
pub mod spec;
pub mod state;
pub mod supervisor;
