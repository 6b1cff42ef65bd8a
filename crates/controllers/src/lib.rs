//! The controllers: one module tree per domain, each with a `register` that adds its controllers.
//!
//! A controller's `plan` is pure and table-tested, its `apply` thin. Start reading at [`Node`] for what controllers
//! carry and [`runtime::service`] for how services run. Must never: be depended on by another edge crate.

pub mod cri;
pub mod files;
mod node;
pub mod runtime;
pub mod secrets;

pub use node::{Mode, Node, Paths, Platform};
