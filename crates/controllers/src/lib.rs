//! The controllers: one module tree per domain, each with a `register` that adds its controllers.
//!
//! A controller's `plan` is pure and table-tested, its `apply` thin. Start reading at [`Node`] for what controllers
//! carry and [`runtime::service`] for how services run. Must never: be depended on by another edge crate.

pub mod block;
pub mod cluster;
pub mod config;
pub mod container;
pub mod cri;
pub mod devices;
pub mod etcd;
pub mod files;
mod firmware;
pub mod images;
pub mod kubernetes;
pub mod network;
mod node;
mod plain;
mod role;
pub mod runtime;
pub mod secrets;
pub mod time;
pub mod volume;

use ::runtime::controller::{RegisterError, Runtime};

pub use node::{Mode, Node, Paths, Platform};
pub(crate) use plain::Run;
pub use plain::{Plain, plain};

/// Adds the controllers of every domain.
///
/// # Errors
/// When two controllers share a name or an exclusive output: a defect of the program, found at its first start.
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    // The first, since it begins to load drivers.
    devices::register(controllers, node)?;
    config::register(controllers, node)?;
    block::register(controllers, node)?;
    runtime::register(controllers, node)?;
    cluster::register(controllers, node)?;
    time::register(controllers, node)?;
    files::register(controllers, node)?;
    network::register(controllers, node)?;
    secrets::register(controllers, node)?;
    cri::register(controllers, node)?;
    let containerd = containers::Containerd::new(
        &node.paths.at(cri::services::CRI_SOCKET),
        container::NAMESPACE,
    );
    let images =
        images::Images::new(containerd.clone(), node.services.clone(), node.timeline.clone());
    let grants = container::Grants::of_this_process().unwrap_or_default();
    etcd::register(controllers, node, &containerd, &images, &grants)?;
    kubernetes::register(controllers, node, &containerd, &images, &grants)?;
    Ok(())
}
