//! What a lease or an advertisement means as settings of the node, in the operator layer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use resource::enums::{
    AddressFlags, ConfigLayer, Family, RouteProtocol, RouteType, RoutingTable, Scope,
};
use resource::network::{
    AddressSpecSpec, DHCP4OperatorSpec, HostnameSpecSpec, LinkSpecSpec, ResolverSpecSpec,
    RouteSpecSpec, TimeServerSpecSpec,
};
use resource::types::{NetIp, NetIpPrefix};

use crate::dhcp::{Lease, Route};

const LAYER: ConfigLayer = ConfigLayer::OPERATOR;
/// The priority of routes when the operator names none.
pub const METRIC: u32 = 1024;

/// The settings that one operator gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Addresses.
    pub addresses: Vec<AddressSpecSpec>,
    /// The link's MTU.
    pub link: Option<LinkSpecSpec>,
    /// Routes.
    pub routes: Vec<RouteSpecSpec>,
    /// The node's name.
    pub hostname: Option<HostnameSpecSpec>,
    /// Name servers and search domains.
    pub resolvers: Option<ResolverSpecSpec>,
    /// Time servers.
    pub time_servers: Option<TimeServerSpecSpec>,
}

/// The settings of a lease on a link.
#[must_use]
pub fn lease(link: &str, lease: &Lease, options: &DHCP4OperatorSpec) -> Settings {
    let address = AddressSpecSpec {
        address: NetIpPrefix(Some((lease.address.into(), lease.bits))),
        link_name: link.to_owned(),
        family: Family::INET4,
        scope: Scope::GLOBAL,
        flags: AddressFlags::PERMANENT,
        layer: LAYER,
        ..AddressSpecSpec::default()
    };
    let link_spec = lease.mtu.map(|mtu| LinkSpecSpec {
        name: link.to_owned(),
        up: true,
        mtu: u32::from(mtu),
        layer: LAYER,
        ..LinkSpecSpec::default()
    });
    let hostname = lease.hostname.as_ref().filter(|_| !options.skip_hostname_request);
    Settings {
        addresses: vec![address],
        link: link_spec,
        routes: if options.skip_routes { Vec::new() } else { routes(link, lease, options) },
        hostname: hostname.map(|hostname| HostnameSpecSpec {
            hostname: hostname.clone(),
            domainname: lease.domain.clone().unwrap_or_default(),
            layer: LAYER,
        }),
        resolvers: resolvers(lease.resolvers.iter().copied().map(IpAddr::from), &lease.search),
        time_servers: (!lease.time_servers.is_empty()).then(|| TimeServerSpecSpec {
            time_servers: lease.time_servers.iter().map(Ipv4Addr::to_string).collect(),
            layer: LAYER,
            ..TimeServerSpecSpec::default()
        }),
    }
}

/// The settings of router advertisements; none when they name no server.
#[must_use]
pub fn advertised(servers: &[Ipv6Addr], domains: &[String]) -> Settings {
    let resolvers = resolvers(servers.iter().copied().map(IpAddr::from), domains);
    Settings { resolvers, ..Settings::default() }
}

fn resolvers(
    servers: impl Iterator<Item = IpAddr>,
    domains: &[String],
) -> Option<ResolverSpecSpec> {
    let dns_servers: Vec<NetIp> = servers.map(NetIp::from).collect();
    (!dns_servers.is_empty() || !domains.is_empty()).then(|| ResolverSpecSpec {
        dns_servers,
        search_domains: domains.to_vec(),
        layer: LAYER,
        ..ResolverSpecSpec::default()
    })
}

fn routes(link: &str, lease: &Lease, options: &DHCP4OperatorSpec) -> Vec<RouteSpecSpec> {
    let metric = if options.route_metric == 0 { METRIC } else { options.route_metric };
    let own = NetIpPrefix(Some((lease.address.into(), lease.bits)));
    let make = |destination: Ipv4Addr, bits: u8, gateway: Option<Ipv4Addr>| RouteSpecSpec {
        family: Family::INET4,
        // Every address is said by naming none.
        dst: NetIpPrefix((bits > 0).then_some((destination.into(), bits))),
        src: NetIp::from(lease.address),
        gateway: NetIp(gateway.map(IpAddr::from)),
        out_link_name: link.to_owned(),
        table: RoutingTable::MAIN,
        priority: metric,
        scope: if gateway.is_some() { Scope::GLOBAL } else { Scope::LINK },
        r#type: RouteType::UNICAST,
        protocol: RouteProtocol::BOOT,
        layer: LAYER,
        ..RouteSpecSpec::default()
    };
    let direct = |gateway: Ipv4Addr| {
        own.contains(gateway.into())
            || lease.routes.iter().any(|route| route.gateway.is_none() && covers(route, gateway))
    };
    let mut found: Vec<RouteSpecSpec> = Vec::new();
    for route in &lease.routes {
        // A gateway outside the link's prefix is made reachable first, as some clouds need it.
        if let Some(gateway) = route.gateway.filter(|gateway| !direct(*gateway)) {
            let to_gateway = make(gateway, 32, None);
            if !found.contains(&to_gateway) {
                found.push(to_gateway);
            }
        }
        found.push(make(route.destination, route.bits, route.gateway));
    }
    found
}

fn covers(route: &Route, address: Ipv4Addr) -> bool {
    NetIpPrefix(Some((route.destination.into(), route.bits))).contains(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Lease {
        Lease {
            address: [10, 0, 0, 9].into(),
            bits: 24,
            server: [10, 0, 0, 1].into(),
            lifetime: None,
            renewal: None,
            routes: vec![Route {
                destination: Ipv4Addr::UNSPECIFIED,
                bits: 0,
                gateway: Some([10, 0, 0, 1].into()),
            }],
            mtu: Some(1400),
            hostname: Some("cp-1".into()),
            domain: Some("example.org".into()),
            search: vec!["a.org".into()],
            resolvers: vec![[10, 0, 0, 53].into()],
            time_servers: vec![[10, 0, 0, 123].into()],
        }
    }

    fn shown(routes: &[RouteSpecSpec]) -> Vec<String> {
        let scope =
            |route: &RouteSpecSpec| if route.scope == Scope::LINK { "link" } else { "global" };
        routes
            .iter()
            .map(|r| format!("{} via {} {} {}", r.dst, r.gateway, r.priority, scope(r)))
            .collect()
    }

    #[test]
    fn a_lease_becomes_settings_of_its_layer() {
        let settings = lease("eth0", &example(), &DHCP4OperatorSpec::default());
        assert_eq!(settings.addresses[0].address, "10.0.0.9/24".parse().unwrap());
        assert_eq!(settings.link.as_ref().map(|link| link.mtu), Some(1400));
        assert_eq!(shown(&settings.routes), [" via 10.0.0.1 1024 global"]);
        let name = settings.hostname.unwrap();
        assert_eq!((name.hostname.as_str(), name.domainname.as_str()), ("cp-1", "example.org"));
        assert_eq!(settings.resolvers.unwrap().search_domains, ["a.org"]);
        assert_eq!(settings.time_servers.unwrap().time_servers, ["10.0.0.123"]);
        let options = DHCP4OperatorSpec {
            skip_hostname_request: true,
            skip_routes: true,
            ..DHCP4OperatorSpec::default()
        };
        let settings = lease("eth0", &example(), &options);
        assert_eq!((settings.hostname, settings.routes), (None, Vec::new()));
    }

    #[test]
    fn gateways_outside_the_prefix_get_a_route_of_their_own() {
        let gateway = Some(Ipv4Addr::new(192, 0, 2, 1));
        let options = DHCP4OperatorSpec { route_metric: 7, ..DHCP4OperatorSpec::default() };
        let mut lent = example();
        lent.bits = 32;
        lent.routes[0].gateway = gateway;
        lent.routes.push(Route { destination: [172, 16, 0, 0].into(), bits: 12, gateway });
        let settings = lease("eth0", &lent, &options);
        assert_eq!(
            shown(&settings.routes),
            [
                "192.0.2.1/32 via  7 link",
                " via 192.0.2.1 7 global",
                "172.16.0.0/12 via 192.0.2.1 7 global"
            ]
        );
        // Unless the server said itself that it is on the link.
        lent.routes
            .insert(0, Route { destination: [192, 0, 2, 1].into(), bits: 32, gateway: None });
        let settings = lease("eth0", &lent, &options);
        assert_eq!(settings.routes.len(), 3);
    }

    #[test]
    fn advertised_servers_are_resolvers() {
        assert_eq!(advertised(&[], &[]), Settings::default());
        let resolvers = advertised(&["fd00::53".parse().unwrap()], &[]).resolvers.unwrap();
        assert_eq!(resolvers.dns_servers, ["fd00::53".parse().unwrap()]);
    }
}
