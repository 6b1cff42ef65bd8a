//! The network: what is wanted by layers, what the kernel has, and what others ask of it.
//!
//! Sources write layered specs into `network-config`; [`merge`] makes final specs in `network`;
//! [`apply`] gives them to the kernel; [`status`] reports the kernel's state back.

mod address;
mod apply;
mod files;
mod kernel;
mod machine_config;
mod merge;
mod prism;
mod publish;
mod ready;
mod source;
mod status;

use ::runtime::controller::{RegisterError, Runtime};

use crate::Node;

/// The namespace of final specs and of statuses.
const NETWORK: &str = "network";
/// The namespace of specs before merging.
const LAYERS: &str = "network-config";

/// Adds the controllers of this domain.
///
/// # Errors
/// See [`crate::register`].
pub fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    controllers
        .register(status::LinkStatus::default())?
        .register(status::AddressStatus::default())?
        .register(status::RouteStatus::default())?
        .register(source::platform(node))?
        .register(source::defaults(node))?
        .register(machine_config::machine_config(node.config.clone()))?;
    merge::register(controllers)?;
    controllers
        .register(apply::LinkApply::default())?
        .register(apply::AddressApply::default())?
        .register(apply::RouteApply::default())?
        .register(publish::hostname(node))?
        .register(publish::resolvers())?
        .register(publish::time_servers())?
        .register(address::node_addresses())?
        .register(files::etc())?
        .register(files::resolved(node))?
        .register(ready::network_status())?
        .register(prism::endpoints(node.config.clone()))?
        .register(prism::config(node.config.clone()))?
        .register(prism::KubePrism::default())?;
    Ok(())
}
