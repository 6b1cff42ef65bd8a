//! Files: what the node writes below `/etc`, and events about files.

pub mod atomic;
mod etc;
pub mod watch;

use ::runtime::controller::{RegisterError, Runtime};

use crate::Node;

/// Directories below `/etc` that are file systems of their own and writable where they are seen.
const DIRECT: &[&str] = &["cni", "kubernetes"];

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let (writable, visible) = (node.paths.at("/system/etc"), node.paths.at("/etc"));
    controllers.register(etc::controller(writable, visible, DIRECT))?;
    Ok(())
}
