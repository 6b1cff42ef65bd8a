//! Where wishes come from: built-in defaults, and what the platform gives.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use ::network::{id, seed};
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use resource::enums::{AddressFlags, ConfigLayer, Family, LinkFlags, LinkType, Scope};
use resource::network::{
    AddressSpecSpec, HostnameSpecSpec, LinkSpecSpec, LinkStatusSpec, ResolverSpecSpec,
    TimeServerSpecSpec,
};
use resource::types::{NetIp, NetIpPrefix};

use super::cmdline::Arguments;
use super::{LAYERS, NETWORK};
use crate::Node;
use crate::plain::plain;

/// Used when nobody names any.
const RESOLVERS: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8)),
];
/// Used when nobody names any.
const TIME_SERVERS: [&str; 1] = ["time.cloudflare.com"];

/// In a container, another system wrote the host name and the name servers for the node.
pub(super) fn platform(node: &Node) -> impl Controller {
    let (mut hostname, mut resolvers) = (None, None);
    if node.platform.in_container() {
        let read = |path| fs::read_to_string(node.paths.at(path)).unwrap_or_default();
        hostname = seed::hostname(&read("/etc/hostname"));
        resolvers = seed::resolvers(&read("/etc/resolv.conf"));
    }
    plain(
        "network.PlatformConfigApplyController",
        Vec::new(),
        vec![Output::shared::<HostnameSpecSpec>(), Output::shared::<ResolverSpecSpec>()],
        move |context| {
            let layer = ConfigLayer::PLATFORM;
            if let Some(found) = &hostname {
                let id = id::layered(layer, "hostname");
                context.modify::<HostnameSpecSpec>(LAYERS, &id, |spec| {
                    spec.clone_from(found);
                    spec.layer = layer;
                })?;
            }
            if let Some(found) = &resolvers {
                let id = id::layered(layer, "resolvers");
                context.modify::<ResolverSpecSpec>(LAYERS, &id, |spec| {
                    spec.clone_from(found);
                    spec.layer = layer;
                })?;
            }
            Ok(Next::OnChange)
        },
    )
}

/// The lowest layer: the loopback link, physical links up, public resolvers and time servers.
pub(super) fn defaults(node: &Node, arguments: Arguments) -> impl Controller {
    let six = node.paths.at("/proc/net/if_inet6").exists();
    plain(
        "network.DefaultConfigController",
        vec![Input::weak::<LinkStatusSpec>(NETWORK)],
        vec![
            Output::shared::<LinkSpecSpec>(),
            Output::shared::<AddressSpecSpec>(),
            Output::shared::<ResolverSpecSpec>(),
            Output::shared::<TimeServerSpecSpec>(),
        ],
        move |context| {
            links(context, &arguments)?;
            loopback(context, six)?;
            let layer = ConfigLayer::DEFAULT;
            let id = id::layered(layer, "resolvers");
            context.modify::<ResolverSpecSpec>(LAYERS, &id, |spec| {
                spec.dns_servers = RESOLVERS.map(NetIp::from).to_vec();
                spec.layer = layer;
            })?;
            let id = id::layered(layer, "timeservers");
            context.modify::<TimeServerSpecSpec>(LAYERS, &id, |spec| {
                spec.time_servers = TIME_SERVERS.map(str::to_owned).to_vec();
                spec.layer = layer;
            })?;
            Ok(Next::OnChange)
        },
    )
}

/// A device of its own, not made by software.
pub(super) fn is_physical(link: &LinkStatusSpec) -> bool {
    link.r#type == LinkType::ETHER && link.kind.is_empty()
}

fn links(context: &Context, arguments: &Arguments) -> Result<(), ControllerError> {
    let layer = ConfigLayer::DEFAULT;
    let mut kept = BTreeSet::new();
    for link in context.list::<LinkStatusSpec>(NETWORK) {
        let loopback = link.spec.flags.contains(LinkFlags::LOOPBACK);
        if !loopback && (!is_physical(&link.spec) || arguments.ignores(link.id())) {
            continue;
        }
        let id = id::layered(layer, link.id());
        context.modify::<LinkSpecSpec>(LAYERS, &id, |spec| {
            link.id().clone_into(&mut spec.name);
            spec.up = true;
            spec.layer = layer;
        })?;
        kept.insert(id);
    }
    context.cleanup::<LinkSpecSpec>(LAYERS, |found| kept.contains(found.id()))?;
    Ok(())
}

/// `six` says that the kernel knows IPv6.
fn loopback(context: &Context, six: bool) -> Result<(), ControllerError> {
    let layer = ConfigLayer::DEFAULT;
    let own = [
        (IpAddr::from([127, 0, 0, 1]), 8, Family::INET4),
        (IpAddr::from(std::net::Ipv6Addr::LOCALHOST), 128, Family::INET6),
    ];
    for (ip, bits, family) in own.into_iter().filter(|(ip, ..)| six || ip.is_ipv4()) {
        let address = NetIpPrefix(Some((ip, bits)));
        let id = id::layered(layer, &id::address("lo", address));
        context.modify::<AddressSpecSpec>(LAYERS, &id, |spec| {
            spec.address = address;
            "lo".clone_into(&mut spec.link_name);
            spec.family = family;
            spec.scope = Scope::HOST;
            spec.flags = AddressFlags::PERMANENT;
            spec.layer = layer;
        })?;
    }
    Ok(())
}
