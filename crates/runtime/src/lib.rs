//! The resource store and the controller runtime, and the node's own tables: events, services, logs, requests.
//!
//! Tokio is used for tasks, time and synchronisation only; this crate does no I/O.

pub mod command;
pub mod condition;
pub mod controller;
pub mod event;
pub mod log;
pub mod service;
pub mod store;
pub mod timeline;
pub mod watch;

pub use condition::Condition;
pub use controller::{
    Context, Controller, ControllerError, Input, Next, Output, RegisterError, Runtime, Waker,
};
pub use store::{Store, StoreError};
pub use watch::{Event, Watch, WatchOptions};
