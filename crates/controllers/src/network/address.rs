//! The node's addresses in the sets that others ask for.

use std::collections::BTreeSet;

use ::network::node_address::{self, ACCUMULATIVE, DEFAULT, Observed};
use ::runtime::controller::{Controller, Input, Next, Output};
use resource::network::{
    AddressStatusSpec, LinkStatusSpec, NodeAddressFilterSpec, NodeAddressSortAlgorithmSpec,
    NodeAddressSpec, RouteStatusSpec,
};

use super::NETWORK;
use crate::plain::plain;

/// Publishes the address sets.
pub(super) fn node_addresses() -> impl Controller {
    plain(
        "network.NodeAddressController",
        vec![
            Input::weak::<LinkStatusSpec>(NETWORK),
            Input::weak::<AddressStatusSpec>(NETWORK),
            Input::weak::<RouteStatusSpec>(NETWORK),
            Input::weak::<NodeAddressFilterSpec>(NETWORK),
            Input::weak::<NodeAddressSortAlgorithmSpec>(NETWORK),
        ],
        vec![Output::exclusive::<NodeAddressSpec>()],
        |context| {
            let links = context.list::<LinkStatusSpec>(NETWORK);
            let addresses = context.list::<AddressStatusSpec>(NETWORK);
            let routes = context.list::<RouteStatusSpec>(NETWORK);
            let filters = context.list::<NodeAddressFilterSpec>(NETWORK);
            let algorithm = context
                .get::<NodeAddressSortAlgorithmSpec>(NETWORK, "default")
                .map(|found| found.spec.algorithm)
                .unwrap_or_default();
            let before = |id| context.get::<NodeAddressSpec>(NETWORK, id);
            let gateways: BTreeSet<&str> = routes
                .iter()
                .filter(|route| route.spec.dst.0.is_none() && route.spec.gateway.0.is_some())
                .map(|route| route.spec.out_link_name.as_str())
                .collect();
            let observed = Observed {
                links: links.iter().map(|link| (link.id(), &**link.spec)).collect(),
                addresses: addresses.iter().map(|address| &**address.spec).collect(),
                filters: filters.iter().map(|filter| (filter.id(), &**filter.spec)).collect(),
                gateways,
                algorithm,
                default: before(DEFAULT).and_then(|found| found.spec.addresses.first().copied()),
                accumulated: before(ACCUMULATIVE)
                    .map(|found| found.spec.addresses.clone())
                    .unwrap_or_default(),
            };
            let sets = node_address::plan(&observed);
            for (id, addresses) in &sets {
                context.modify::<NodeAddressSpec>(NETWORK, id, |spec| {
                    spec.addresses.clone_from(addresses);
                    spec.sort_algorithm = algorithm;
                })?;
            }
            // The default stays as it was while the node has no address at all.
            context.cleanup::<NodeAddressSpec>(NETWORK, |found| {
                found.id() == DEFAULT || sets.contains_key(found.id())
            })?;
            Ok(Next::OnChange)
        },
    )
}
