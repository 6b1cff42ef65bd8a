//! Controllers of the machine itself: services, status, sequences.

mod boot_image;
mod console;
pub mod daemons;
mod diagnostics;
mod facts;
mod mirror;
mod mounts;
mod parameters;
mod patience;
mod rotate;
pub mod sequencer;
pub mod service;
pub mod status;

use ::runtime::controller::{RegisterError, Runtime};

use crate::Node;

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    facts::register(controllers, node, api::version::TAG)?;
    daemons::register(controllers, node)?;
    console::register(controllers, node)?;
    mirror::register(controllers, node)?;
    mounts::register(controllers, node)?;
    parameters::register(controllers, node)?;
    diagnostics::register(controllers, node)?;
    patience::register(controllers)?;
    rotate::register(controllers, node)?;
    status::register(controllers, node, node.stage.subscribe())
}
