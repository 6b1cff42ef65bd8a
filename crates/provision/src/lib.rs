//! Local clusters.
//!
//! [`spec`] says what a cluster is, [`state`] where it is kept, [`native`] runs it in Linux
//! namespaces. This crate never talks to a node: what a node does once it has power is the
//! caller's to find out through its API.

pub mod native;
pub mod preflight;
pub mod spec;
pub mod state;
