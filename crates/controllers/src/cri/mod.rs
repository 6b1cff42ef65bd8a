//! The container runtime: containerd's configuration, its two instances, and the image cache before the registries.

pub mod config;
pub mod control;
pub mod hosts;
pub mod registries;
pub mod services;

pub use control::register;
