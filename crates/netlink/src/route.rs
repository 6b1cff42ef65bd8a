//! Routes as the kernel reports them, and as it takes them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures::TryStreamExt as _;
use resource::enums::{Family, RouteFlags, RouteProtocol, RouteType, RoutingTable, Scope};
use resource::network::{RouteNextHop, RouteSpecSpec, RouteStatusSpec};
use resource::types::{NetIp, NetIpPrefix};
use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteNextHop as KernelHop,
};

use crate::{Link, Netlink, NetlinkError};

/// A route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Everything about it.
    pub status: RouteStatusSpec,
}

/// The links that a route's names stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTarget {
    /// The index of the route's own link; 0 for none.
    pub link: u32,
    /// The indices of the next hops' links, in order.
    pub hops: Vec<u32>,
}

impl Netlink {
    /// All routes of the namespace in all tables; `links` gives their links' names.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn routes(&self, links: &[Link]) -> Result<Vec<Route>, NetlinkError> {
        let names: BTreeMap<u32, &str> =
            links.iter().map(|link| (link.status.index, link.name.as_str())).collect();
        let mut routes = Vec::new();
        for ask in [
            RouteMessageBuilder::<Ipv4Addr>::new().build(),
            RouteMessageBuilder::<Ipv6Addr>::new().build(),
        ] {
            let source = |source| NetlinkError::Read { what: "routes", source };
            let mut ask = ask;
            // A dump for one table only would be what the builder's defaults ask for.
            ask.header.table = 0;
            let found: Vec<RouteMessage> =
                self.handle.route().get(ask).execute().try_collect().await.map_err(source)?;
            routes.extend(found.iter().filter_map(|message| read(message, &names)));
        }
        Ok(routes)
    }

    /// Adds a route, or replaces the one with the same destination, table and priority.
    ///
    /// # Errors
    /// When the spec is no route, or the kernel refuses.
    pub async fn add_route(
        &self,
        spec: &RouteSpecSpec,
        target: &RouteTarget,
    ) -> Result<(), NetlinkError> {
        let action = || format!("add the route to {}", destination(spec));
        let message = write(spec, target)
            .ok_or_else(|| NetlinkError::Spec { action: action(), reason: "it is no route" })?;
        let request = self.handle.route().add(message).replace();
        request.execute().await.map_err(|source| NetlinkError::Write { action: action(), source })
    }

    /// Removes a route.
    ///
    /// # Errors
    /// When the spec is no route, or the kernel refuses.
    pub async fn delete_route(
        &self,
        spec: &RouteSpecSpec,
        target: &RouteTarget,
    ) -> Result<(), NetlinkError> {
        let action = || format!("remove the route to {}", destination(spec));
        let message = write(spec, target)
            .ok_or_else(|| NetlinkError::Spec { action: action(), reason: "it is no route" })?;
        let request = self.handle.route().del(message);
        request.execute().await.map_err(|source| NetlinkError::Write { action: action(), source })
    }
}

fn destination(spec: &RouteSpecSpec) -> String {
    match spec.dst.0 {
        Some(_) => spec.dst.to_string(),
        None => "everywhere".to_owned(),
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn read(message: &RouteMessage, names: &BTreeMap<u32, &str>) -> Option<Route> {
    let header = &message.header;
    let mut status = RouteStatusSpec {
        family: match header.address_family {
            AddressFamily::Inet => Family::INET4,
            AddressFamily::Inet6 => Family::INET6,
            _ => return None,
        },
        table: RoutingTable(i32::from(header.table)),
        scope: Scope(i32::from(u8::from(header.scope))),
        r#type: RouteType(i32::from(u8::from(header.kind))),
        flags: RouteFlags(header.flags.bits()),
        protocol: RouteProtocol(i32::from(u8::from(header.protocol))),
        ..RouteStatusSpec::default()
    };
    // Cached and cloned entries are answers of the kernel to itself, not routes.
    if status.flags.contains(RouteFlags::CLONED) {
        return None;
    }
    let name = |index: u32| names.get(&index).map_or_else(String::new, ToString::to_string);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                status.dst = NetIpPrefix::new(ip(address)?, header.destination_prefix_length)?;
            }
            RouteAttribute::PrefSource(address) => status.src = NetIp(ip(address)),
            RouteAttribute::Gateway(address) => status.gateway = NetIp(ip(address)),
            RouteAttribute::Oif(index) => {
                status.out_link_index = *index;
                status.out_link_name = name(*index);
            }
            RouteAttribute::Priority(priority) => status.priority = *priority,
            RouteAttribute::Table(table) => {
                status.table = RoutingTable(i32::try_from(*table).ok()?);
            }
            RouteAttribute::Metrics(metrics) => {
                for metric in metrics {
                    if let RouteMetric::Mtu(mtu) = metric {
                        status.mtu = *mtu;
                    }
                }
            }
            RouteAttribute::MultiPath(hops) => {
                status.next_hops = hops.iter().map(|hop| next_hop(hop, &name)).collect();
            }
            _ => {}
        }
    }
    Some(Route { status })
}

fn next_hop(hop: &KernelHop, name: &impl Fn(u32) -> String) -> RouteNextHop {
    let gateway = hop.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        _ => None,
    });
    RouteNextHop {
        gateway: NetIp(gateway),
        out_link_name: name(hop.interface_index),
        weight: u32::from(hop.hops) + 1,
    }
}

/// `None` when addresses of both families are mixed.
fn write(spec: &RouteSpecSpec, target: &RouteTarget) -> Option<RouteMessage> {
    let mut message = match spec.family {
        Family::INET4 => RouteMessageBuilder::<Ipv4Addr>::new().build(),
        Family::INET6 => RouteMessageBuilder::<Ipv6Addr>::new().build(),
        _ => return None,
    };
    let fits = |ip: IpAddr| ip.is_ipv4() == (spec.family == Family::INET4);
    let address = |ip: IpAddr| {
        fits(ip).then_some(match ip {
            IpAddr::V4(ip) => RouteAddress::Inet(ip),
            IpAddr::V6(ip) => RouteAddress::Inet6(ip),
        })
    };
    message.header.scope = u8::try_from(spec.scope.0).ok()?.into();
    message.header.kind = u8::try_from(spec.r#type.0).ok()?.into();
    message.header.protocol = u8::try_from(spec.protocol.0).ok()?.into();
    // Tables beyond one byte, and the exact one, stand in the attribute.
    message.header.table = 0;
    let table = u32::try_from(spec.table.0).ok()?;
    message.attributes.push(RouteAttribute::Table(table));
    if let Some((ip, bits)) = spec.dst.masked().0 {
        message.header.destination_prefix_length = bits;
        message.attributes.push(RouteAttribute::Destination(address(ip)?));
    }
    if let Some(ip) = spec.src.0 {
        message.attributes.push(RouteAttribute::PrefSource(address(ip)?));
    }
    if let Some(ip) = spec.gateway.0 {
        message.attributes.push(RouteAttribute::Gateway(address(ip)?));
    }
    if target.link != 0 {
        message.attributes.push(RouteAttribute::Oif(target.link));
    }
    if spec.priority != 0 {
        message.attributes.push(RouteAttribute::Priority(spec.priority));
    }
    if spec.mtu != 0 {
        message.attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(spec.mtu)]));
    }
    if !spec.next_hops.is_empty() {
        let mut hops = Vec::new();
        for (hop, index) in spec.next_hops.iter().zip(&target.hops) {
            let mut kernel = KernelHop::default();
            kernel.interface_index = *index;
            kernel.hops = u8::try_from(hop.weight.saturating_sub(1)).ok()?;
            if let Some(ip) = hop.gateway.0 {
                kernel.attributes.push(RouteAttribute::Gateway(address(ip)?));
            }
            hops.push(kernel);
        }
        message.attributes.push(RouteAttribute::MultiPath(hops));
    }
    Some(message)
}
