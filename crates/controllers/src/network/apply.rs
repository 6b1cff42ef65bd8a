//! Gives the final links, addresses and routes to the kernel.
//!
//! What is wanted is held by a finalizer, so that it is taken out of the kernel before its spec
//! goes. What was never wanted here, such as an address that a container engine gave, is left
//! alone.

use std::collections::BTreeMap;

use ::netlink::{Link, Netlink, RouteTarget};
use ::network::id;
use ::network::plan::{self, AddressStep, LinkStep, Links, RouteStep};
use ::network::wireguard;
use ::runtime::Condition;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::network::{
    AddressSpecSpec, AddressStatusSpec, LinkSpecSpec, LinkStatusSpec, RouteSpecSpec,
    RouteStatusSpec,
};
use resource::{Phase, Resource, Spec};

use super::NETWORK;
use super::kernel::Kernel;

/// Applies links.
#[derive(Default)]
pub(super) struct LinkApply {
    kernel: Kernel,
}

/// Applies addresses.
#[derive(Default)]
pub(super) struct AddressApply {
    kernel: Kernel,
}

/// Applies routes.
#[derive(Default)]
pub(super) struct RouteApply {
    kernel: Kernel,
}

/// The specs, each held as long as it is wanted; the flag says that it is being torn down.
fn hold<S: Spec>(context: &Context) -> Result<Vec<(Resource<S>, bool)>, ControllerError> {
    let mut specs = Vec::new();
    for spec in context.list::<S>(NETWORK) {
        let torn_down = spec.metadata.phase == Phase::TearingDown;
        if !torn_down {
            context.store().add_finalizer::<S>(NETWORK, spec.id(), context.owner())?;
        }
        specs.push((spec, torn_down));
    }
    Ok(specs)
}

/// Lets go of the specs that are out of the kernel.
fn release<S: Spec>(
    context: &Context,
    specs: &[(Resource<S>, bool)],
) -> Result<(), ControllerError> {
    for (spec, _) in specs.iter().filter(|(_, torn_down)| *torn_down) {
        context.store().remove_finalizer::<S>(NETWORK, spec.id(), context.owner())?;
    }
    Ok(())
}

fn by_name(links: Vec<Link>) -> Links {
    links.into_iter().map(|link| (link.name, link.status)).collect()
}

fn wait_for_link(context: &Context, link: &str) {
    context.waiting(&Condition::resource::<LinkStatusSpec>(NETWORK, link));
}

fn wait_for_gateway(context: &Context, route: &RouteSpecSpec) {
    let state = format!("reaches the gateway {}", route.gateway);
    context.waiting(&Condition::resource_state::<AddressStatusSpec>(NETWORK, "", &state));
}

impl Controller for LinkApply {
    fn name(&self) -> &'static str {
        "network.LinkSpecController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::strong::<LinkSpecSpec>(NETWORK), Input::weak::<LinkStatusSpec>(NETWORK)]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let netlink = self.kernel.connection(context, |_| false)?;
            let specs = hold::<LinkSpecSpec>(context)?;
            let wanted: Vec<_> = specs.iter().map(|(spec, down)| (&**spec.spec, *down)).collect();
            let present = by_name(netlink.links().await?);
            for step in plan::links(&wanted, &present) {
                apply_link(context, &netlink, step).await?;
            }
            release(context, &specs)?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

async fn apply_link(
    context: &Context,
    netlink: &Netlink,
    step: LinkStep,
) -> Result<(), ControllerError> {
    match step {
        LinkStep::Create { spec, parent } => netlink.create_link(&spec, parent).await?,
        LinkStep::Delete { name, index } => netlink.delete_link(index, &name).await?,
        LinkStep::Up { name, index, up } => netlink.set_up(index, &name, up).await?,
        LinkStep::Mtu { name, index, mtu } => netlink.set_mtu(index, &name, mtu).await?,
        LinkStep::HardwareAddr { name, index, address } => {
            netlink.set_hardware_address(index, &name, &address).await?;
        }
        LinkStep::Master { name, index, master } => {
            netlink.set_master(index, &name, master).await?;
        }
        LinkStep::Multicast { name, index, on } => {
            netlink.set_multicast(index, &name, on).await?;
        }
        LinkStep::Bond { name, index, changes } => netlink.set_bond(index, &name, &changes).await?,
        LinkStep::Bridge { name, index, bridge } => {
            netlink.set_bridge(index, &name, &bridge).await?;
        }
        LinkStep::Wireguard { name, index, wireguard } => {
            let change = wireguard::change(&wireguard, &netlink.wireguard(index).await?);
            if !change.is_empty() {
                netlink.set_wireguard(index, &name, &change).await?;
            }
        }
        LinkStep::Wait { name, reason } => {
            context.waiting(&Condition::Event { what: format!("link {name}: {reason}") });
        }
    }
    Ok(())
}

impl Controller for AddressApply {
    fn name(&self) -> &'static str {
        "network.AddressSpecController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::strong::<AddressSpecSpec>(NETWORK),
            Input::weak::<LinkStatusSpec>(NETWORK),
            Input::weak::<AddressStatusSpec>(NETWORK),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let netlink = self.kernel.connection(context, |_| false)?;
            let specs = hold::<AddressSpecSpec>(context)?;
            let wanted: Vec<_> = specs.iter().map(|(spec, down)| (&**spec.spec, *down)).collect();
            let links = netlink.links().await?;
            let addresses = netlink.addresses(&links).await?;
            let present: BTreeMap<_, _> =
                addresses.into_iter().map(|found| (found.id(), found.status)).collect();
            for step in plan::addresses(&wanted, &present, &by_name(links)) {
                match step {
                    AddressStep::Add { index, spec } => netlink.add_address(index, &spec).await?,
                    AddressStep::Delete { index, spec } => {
                        netlink.delete_address(index, &spec).await?;
                    }
                    AddressStep::Wait { link } => wait_for_link(context, &link),
                }
            }
            release(context, &specs)?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

impl Controller for RouteApply {
    fn name(&self) -> &'static str {
        "network.RouteSpecController"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::strong::<RouteSpecSpec>(NETWORK),
            Input::weak::<LinkStatusSpec>(NETWORK),
            Input::weak::<AddressStatusSpec>(NETWORK),
            Input::weak::<RouteStatusSpec>(NETWORK),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        Vec::new()
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let netlink = self.kernel.connection(context, |_| false)?;
            let specs = hold::<RouteSpecSpec>(context)?;
            let wanted: Vec<_> = specs.iter().map(|(spec, down)| (&**spec.spec, *down)).collect();
            let links = netlink.links().await?;
            let routes = netlink.routes(&links).await?;
            let present: BTreeMap<_, _> = routes
                .into_iter()
                .map(|found| (id::route_status(&found.status), found.status))
                .collect();
            for step in plan::routes(&wanted, &present, &by_name(links)) {
                match step {
                    RouteStep::Add { spec, link, hops } => {
                        let added = netlink.add_route(&spec, &RouteTarget { link, hops }).await;
                        match added {
                            // The address from which it is reached comes at about the same time.
                            Err(error) if error.is_unreachable() => {
                                wait_for_gateway(context, &spec);
                            }
                            added => added?,
                        }
                    }
                    RouteStep::Delete { spec, link, hops } => {
                        netlink.delete_route(&spec, &RouteTarget { link, hops }).await?;
                    }
                    RouteStep::Wait { link } => wait_for_link(context, &link),
                }
            }
            release(context, &specs)?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}
