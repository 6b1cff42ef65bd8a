//! From the machine configuration to the specifications of Kubernetes on this node.
//!
//! One controller per resource, each a pure function of the configuration: `None` means that this node has none of it.

mod control_plane;
mod finals;
mod manifest;
mod node;
mod secrets;

use std::net::IpAddr;
use std::sync::Arc;

use ::config::Config;
use ::config::view::View;
use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::Spec;
use resource::config::MachineConfigSpec;

use crate::config::active::{ACTIVE, Active, NAMESPACE};
use crate::{Node, Plain, Run, plain};

/// A controller that keeps one resource as a function of the configuration says.
pub(crate) fn derived<S: Spec>(
    name: &'static str,
    active: &Active,
    namespace: &'static str,
    id: &'static str,
    output: Output,
    derive: impl Fn(View<'_>) -> Result<Option<S>, ControllerError> + Send + 'static,
) -> Plain<Run> {
    let active = active.clone();
    let run = move |context: &Context| {
        let config: Option<Arc<Config>> = active.complete(context.store())?;
        match config.map(|config| derive(config.view())).transpose()?.flatten() {
            Some(spec) => {
                context.modify::<S>(namespace, id, |present| present.clone_from(&spec))?;
            }
            None => drop(context.remove::<S>(namespace, id)?),
        }
        Ok(Next::OnChange)
    };
    let input = Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE);
    plain(name, vec![input], vec![output], Box::new(run))
}

/// The address so many places into a range.
pub(crate) fn nth_address(cidr: &str, n: u8) -> Option<IpAddr> {
    let (address, _) = cidr.split_once('/')?;
    Some(match address.parse().ok()? {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address).checked_add(u32::from(n))?).into()),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address).checked_add(u128::from(n))?).into()),
    })
}

/// Where the node's own components reach the API: the load balancer of the node, the API server beside them, or the
/// cluster's endpoint.
pub(crate) fn local_endpoint(view: &View<'_>) -> String {
    match view.kube_prism() {
        Some((port, _)) => format!("https://127.0.0.1:{port}"),
        None if view.is_control_plane() => format!("https://localhost:{}", view.api_server().port),
        None => view.cluster_endpoint().map(ToString::to_string).unwrap_or_default(),
    }
}

/// Adds the controllers of this module.
pub(crate) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    for controller in secrets::controllers(node) {
        controllers.register(controller)?;
    }
    for controller in control_plane::controllers(node) {
        controllers.register(controller)?;
    }
    for controller in finals::controllers() {
        controllers.register(controller)?;
    }
    for controller in node::controllers(node) {
        controllers.register(controller)?;
    }
    for controller in manifest::controllers(node) {
        controllers.register(controller)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::nth_address;

    #[test]
    fn addresses_in_ranges() {
        assert_eq!(nth_address("10.96.0.0/12", 10).unwrap().to_string(), "10.96.0.10");
        assert_eq!(nth_address("fc00:db8:20::/112", 1).unwrap().to_string(), "fc00:db8:20::1");
        assert_eq!(nth_address("nonsense", 1), None);
    }
}
