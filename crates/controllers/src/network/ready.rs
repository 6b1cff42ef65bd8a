//! Whether the network is ready, in the four parts that others wait for.

use ::network::node_address::CURRENT;
use ::runtime::controller::{Controller, Input, Next, Output};
use resource::files::EtcFileStatusSpec;
use resource::network::{
    HostnameStatusSpec, NodeAddressSpec, ProbeStatusSpec, RouteStatusSpec, StatusSpec,
};

use super::NETWORK;
use crate::plain::plain;

/// The files that must be there.
const FILES: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

/// Publishes the readiness.
pub(super) fn network_status() -> impl Controller {
    plain(
        "network.StatusController",
        vec![
            Input::weak::<NodeAddressSpec>(NETWORK).with_id(CURRENT),
            Input::weak::<RouteStatusSpec>(NETWORK),
            Input::weak::<HostnameStatusSpec>(NETWORK),
            Input::weak::<ProbeStatusSpec>(NETWORK),
            Input::weak::<EtcFileStatusSpec>("files"),
        ],
        vec![Output::exclusive::<StatusSpec>()],
        |context| {
            let address = context
                .get::<NodeAddressSpec>(NETWORK, CURRENT)
                .is_some_and(|found| !found.spec.addresses.is_empty());
            let probes = context.list::<ProbeStatusSpec>(NETWORK);
            let connectivity = if probes.is_empty() {
                let routes = context.list::<RouteStatusSpec>(NETWORK);
                routes
                    .iter()
                    .any(|route| route.spec.dst.0.is_none() && route.spec.gateway.0.is_some())
            } else {
                probes.iter().all(|probe| probe.spec.success)
            };
            let hostname = context.get::<HostnameStatusSpec>(NETWORK, "hostname").is_some();
            let files =
                FILES.iter().all(|file| context.get::<EtcFileStatusSpec>("files", file).is_some());
            context.modify::<StatusSpec>(NETWORK, "status", |status| {
                status.address_ready = address;
                status.connectivity_ready = connectivity;
                status.hostname_ready = hostname;
                status.etc_files_ready = files;
            })?;
            Ok(Next::OnChange)
        },
    )
}
