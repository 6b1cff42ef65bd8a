//! A small client of the Kubernetes API: untyped objects over one HTTP/2 connection.
//!
//! The node needs a handful of calls (create, apply, patch, watch, evict) on a handful of kinds. A client with the
//! types of the whole API would be the largest part of its binary; objects here are JSON documents.
//!
//! Must never retry or decide: an answer is returned as it came, and callers know what it means to them.
//!
//! Start reading at [`Client`].

mod client;
mod connection;
mod discovery;
mod watch;

pub use client::{ApiError, Client, Kind};
pub use connection::{Access, AccessError};
pub use watch::{Event, Watch};

/// A Kubernetes object.
pub type Object = serde_json::Value;
