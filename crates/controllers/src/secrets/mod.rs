//! Secrets: who the node is to others, and what it signs with.

pub mod leaf;
pub mod os;
pub mod sans;

use ::runtime::controller::{RegisterError, Runtime};

use crate::Node;

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    os::register(controllers, node)
}
