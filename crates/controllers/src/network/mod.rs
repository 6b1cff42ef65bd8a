//! The network: what is wanted by layers, what the kernel has, and what others ask of it.
//!
//! Sources write layered specs into `network-config`, operators among them, which ask the network itself;
//! [`merge`] makes final specs in `network`;
//! [`apply`] gives them to the kernel; [`status`] reports the kernel's state back.

mod address;
mod apply;
mod cmdline;
mod device;
mod dhcp;
mod files;
mod hardware;
mod kernel;
mod machine_config;
mod merge;
mod operator;
mod operator_config;
mod prism;
mod publish;
mod ready;
mod router;
mod source;
mod status;
mod tasks;

use ::runtime::controller::{RegisterError, Runtime};

pub(crate) use dhcp::seed;

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
    let arguments = cmdline::Arguments::of(node);
    controllers
        .register(status::LinkStatus::new(node.paths.at("/sys")))?
        .register(status::AddressStatus::default())?
        .register(status::RouteStatus::default())?
        .register(source::platform(node))?
        .register(source::defaults(node, arguments.clone()))?
        .register(machine_config::machine_config(node.config.clone()))?;
    merge::register(controllers)?;
    // In a container, another system cares for links and their addresses.
    if !node.platform.in_container() {
        let operators = operator_config::operators(node.config.clone(), arguments.clone());
        controllers
            .register(cmdline::cmdline(arguments.clone()))?
            .register(operators)?
            .register(operator::Operators::default())?
            .register(router::Routers::new(node, arguments))?;
    }
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
