//! The resource store and the controller runtime, and the node's own tables: events, services, logs, requests.
//!
//! Tokio is used for tasks, time and synchronisation only; this crate does no I/O.

pub mod command;
pub mod event;
pub mod log;
pub mod service;
pub mod timeline;
