//! The kernel's links, addresses and routes as resources.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::netlink::Change;
use ::network::id;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use resource::network::{AddressStatusSpec, LinkStatusSpec, RouteStatusSpec};

use super::kernel::Kernel;
use super::source::is_physical;
use super::{NETWORK, hardware};

/// Publishes links.
pub(super) struct LinkStatus {
    kernel: Kernel,
    /// `/sys`.
    sys: PathBuf,
}

impl LinkStatus {
    pub(super) fn new(sys: PathBuf) -> Self {
        Self { kernel: Kernel::default(), sys }
    }
}

/// Publishes addresses.
#[derive(Default)]
pub(super) struct AddressStatus {
    kernel: Kernel,
}

/// Publishes routes.
#[derive(Default)]
pub(super) struct RouteStatus {
    kernel: Kernel,
}

impl Controller for LinkStatus {
    fn name(&self) -> &'static str {
        "network.LinkStatusController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<LinkStatusSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let netlink = self.kernel.connection(context, |change| change == Change::Link)?;
            let mut kept = BTreeSet::new();
            for mut link in netlink.links().await? {
                if is_physical(&link.status) {
                    hardware::describe(&self.sys, &link.name, &mut link.status.device);
                }
                context.modify::<LinkStatusSpec>(NETWORK, &link.name, |status| {
                    status.clone_from(&link.status);
                })?;
                kept.insert(link.name);
            }
            context.cleanup::<LinkStatusSpec>(NETWORK, |link| kept.contains(link.id()))?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

impl Controller for AddressStatus {
    fn name(&self) -> &'static str {
        "network.AddressStatusController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<AddressStatusSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let concerns = |change| matches!(change, Change::Link | Change::Address);
            let netlink = self.kernel.connection(context, concerns)?;
            let links = netlink.links().await?;
            let mut kept = BTreeSet::new();
            for address in netlink.addresses(&links).await? {
                let id = address.id();
                context.modify::<AddressStatusSpec>(NETWORK, &id, |status| {
                    status.clone_from(&address.status);
                })?;
                kept.insert(id);
            }
            context.cleanup::<AddressStatusSpec>(NETWORK, |found| kept.contains(found.id()))?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}

impl Controller for RouteStatus {
    fn name(&self) -> &'static str {
        "network.RouteStatusController"
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::exclusive::<RouteStatusSpec>()]
    }

    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>> {
        async {
            let concerns = |change| matches!(change, Change::Link | Change::Route);
            let netlink = self.kernel.connection(context, concerns)?;
            let links = netlink.links().await?;
            let mut kept = BTreeSet::new();
            for route in netlink.routes(&links).await? {
                let id = id::route_status(&route.status);
                context.modify::<RouteStatusSpec>(NETWORK, &id, |status| {
                    status.clone_from(&route.status);
                })?;
                kept.insert(id);
            }
            context.cleanup::<RouteStatusSpec>(NETWORK, |found| kept.contains(found.id()))?;
            Ok(Next::OnChange)
        }
        .boxed()
    }
}
