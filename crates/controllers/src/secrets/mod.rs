//! Secrets: who the node is to others, and what it signs with.

mod etcd;
mod joining;
mod kept;
pub(crate) mod kubernetes;
pub mod leaf;
mod maintenance;
pub mod os;
mod renew;
pub mod sans;

use ::runtime::controller::{RegisterError, Runtime};

use crate::Node;

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    os::register(controllers, node)?;
    joining::register(controllers, node)?;
    maintenance::register(controllers)?;
    controllers.register(etcd::controller(node))?;
    for controller in kubernetes::controllers(node) {
        controllers.register(controller)?;
    }
    Ok(())
}
