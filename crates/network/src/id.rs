//! The ids of network resources.

use resource::enums::{ConfigLayer, Family, RoutingTable};
use resource::network::{OperatorSpecSpec, RouteSpecSpec, RouteStatusSpec};
use resource::types::NetIpPrefix;

/// The id of an address.
#[must_use]
pub fn address(link: &str, address: NetIpPrefix) -> String {
    format!("{link}/{address}")
}

/// The id of a copy of a spec before merging.
#[must_use]
pub fn layered(layer: ConfigLayer, id: &str) -> String {
    format!("{layer}/{id}")
}

/// The id of an operator.
#[must_use]
pub fn operator(spec: &OperatorSpecSpec) -> String {
    let address = spec.vip.as_ref().map(|vip| format!("/{}", vip.ip)).unwrap_or_default();
    format!("{}/{}{address}", spec.operator, spec.link_name)
}

/// The id of a wanted route.
#[must_use]
pub fn route(spec: &RouteSpecSpec) -> String {
    let rest = format!("{}/{}/{}", spec.gateway, spec.dst, spec.priority);
    prefixed(spec.table, spec.family, &spec.out_link_name, &rest)
}

/// The id of a route of the kernel.
#[must_use]
pub fn route_status(status: &RouteStatusSpec) -> String {
    let rest = format!("{}/{}/{}", status.gateway, status.dst, status.priority);
    prefixed(status.table, status.family, &status.out_link_name, &rest)
}

/// The main table goes without saying; IPv6 has the same route once per link.
fn prefixed(table: RoutingTable, family: Family, link: &str, rest: &str) -> String {
    let table = if table == RoutingTable::MAIN { String::new() } else { format!("{table}/") };
    let link = if family == Family::INET6 { format!("{link}/") } else { String::new() };
    format!("{table}{link}{family}/{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_named_by_what_tells_them_apart() {
        let mut spec = RouteSpecSpec {
            family: Family::INET4,
            gateway: "10.5.0.1".parse().unwrap(),
            out_link_name: "eth0".into(),
            table: RoutingTable::MAIN,
            priority: 1024,
            ..RouteSpecSpec::default()
        };
        assert_eq!(route(&spec), "inet4/10.5.0.1//1024");
        spec.dst = "10.0.0.0/8".parse().unwrap();
        spec.table = RoutingTable::LOCAL;
        assert_eq!(route(&spec), "local/inet4/10.5.0.1/10.0.0.0/8/1024");
        spec.family = Family::INET6;
        assert_eq!(route(&spec), "local/eth0/inet6/10.5.0.1/10.0.0.0/8/1024");
    }
}
