//! Kinds about the running system: kernel, files, logs, containers, extensions, watchdog.

mod container;
mod kernel;
mod service;
mod system;

pub use container::*;
pub use kernel::*;
pub use service::*;
pub use system::*;
