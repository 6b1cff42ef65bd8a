//! The files that tell programs about the network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::network::files;
use ::network::node_address::DEFAULT;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use resource::files::EtcFileSpecSpec;
use resource::network::{HostnameStatusSpec, NodeAddressSpec, ResolverStatusSpec, StaticHostSpec};

use super::NETWORK;
use crate::Node;
use crate::files::atomic;
use crate::plain::plain;

/// Anyone may read these files.
const MODE: u32 = 0o644;
/// What pods get as their `/etc/resolv.conf`.
const RESOLVED: &str = "/system/resolved/resolv.conf";

/// Renders `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`.
pub(super) fn etc() -> impl Controller {
    plain(
        "network.EtcFileController",
        vec![
            Input::weak::<HostnameStatusSpec>(NETWORK).with_id("hostname"),
            Input::weak::<NodeAddressSpec>(NETWORK).with_id(DEFAULT),
            Input::weak::<ResolverStatusSpec>(NETWORK).with_id("resolvers"),
            Input::weak::<StaticHostSpec>(NETWORK),
        ],
        vec![Output::shared::<EtcFileSpecSpec>()],
        |context| {
            let hostname = context.get::<HostnameStatusSpec>(NETWORK, "hostname");
            let hostname = hostname.as_ref().map(|found| &**found.spec);
            if let Some(hostname) = hostname {
                write(context, "hostname", files::hostname(hostname))?;
                let own = own_addresses(context);
                write(context, "hosts", files::hosts(Some(hostname), &own, &more(context)))?;
            }
            if let Some(resolvers) = context.get::<ResolverStatusSpec>(NETWORK, "resolvers") {
                let text = files::resolv_conf(&resolvers.spec, hostname);
                write(context, "resolv.conf", text)?;
            }
            Ok(Next::OnChange)
        },
    )
}

fn write(context: &Context, id: &str, text: String) -> Result<(), ControllerError> {
    let contents = text.into_bytes();
    context.modify::<EtcFileSpecSpec>("files", id, |spec| {
        spec.contents.clone_from(&contents);
        spec.mode = MODE;
    })?;
    Ok(())
}

fn own_addresses(context: &Context) -> Vec<IpAddr> {
    let default = context.get::<NodeAddressSpec>(NETWORK, DEFAULT);
    let addresses = default.iter().flat_map(|found| found.spec.addresses.iter());
    addresses.filter_map(|prefix| prefix.address()).collect()
}

/// Names that were set by hand, by address.
fn more(context: &Context) -> Vec<(IpAddr, Vec<String>)> {
    let mut names: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    for host in context.list::<StaticHostSpec>(NETWORK) {
        for ip in host.spec.addresses.iter().filter_map(|address| address.0) {
            names.entry(ip).or_default().push(host.id().to_owned());
        }
    }
    names.into_iter().collect()
}

/// Writes the resolver configuration of pods: the same servers, whatever `/etc/resolv.conf` of
/// the host says.
pub(super) fn resolved(node: &Node) -> impl Controller {
    let path = node.paths.at(RESOLVED);
    plain(
        "network.ResolvedFileController",
        vec![Input::weak::<ResolverStatusSpec>(NETWORK).with_id("resolvers")],
        Vec::new(),
        move |context| {
            if let Some(resolvers) = context.get::<ResolverStatusSpec>(NETWORK, "resolvers") {
                let text = files::resolv_conf(&resolvers.spec, None);
                atomic::write(&path, text.as_bytes(), MODE)?;
            }
            Ok(Next::OnChange)
        },
    )
}
