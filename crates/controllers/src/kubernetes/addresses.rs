//! The node's addresses as Kubernetes sees them: without those that Kubernetes itself gave to the node.

use std::net::IpAddr;

use resource::network::NodeAddressFilterSpec;
use resource::types::NetIpPrefix;

/// The filter that leaves out pod and service addresses.
pub const NO_KUBERNETES: &str = "no-k8s";
/// The filter that leaves in nothing else.
pub const ONLY_KUBERNETES: &str = "only-k8s";
/// Every address the node has had, without those of pods and services.
pub const NO_KUBERNETES_ACCUMULATIVE: &str = "accumulative-no-k8s";
/// The addresses others can reach the node at, without those of pods and services.
pub const NO_KUBERNETES_ROUTED: &str = "routed-no-k8s";

/// The two filters for these address ranges.
pub(crate) fn filters(cidrs: &[NetIpPrefix]) -> [(&'static str, NodeAddressFilterSpec); 2] {
    let cidrs = cidrs.to_vec();
    [
        (
            NO_KUBERNETES,
            NodeAddressFilterSpec { include_subnets: Vec::new(), exclude_subnets: cidrs.clone() },
        ),
        (
            ONLY_KUBERNETES,
            NodeAddressFilterSpec { include_subnets: cidrs, exclude_subnets: Vec::new() },
        ),
    ]
}

/// Reads address ranges; one that does not read is left out, the configuration's checks have refused it before.
pub(crate) fn prefixes<'a>(cidrs: impl IntoIterator<Item = &'a str>) -> Vec<NetIpPrefix> {
    cidrs.into_iter().filter_map(prefix).collect()
}

fn prefix(text: &str) -> Option<NetIpPrefix> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok()?),
        None => (text, if text.contains(':') { 128 } else { 32 }),
    };
    NetIpPrefix::new(address.parse().ok()?, bits)
}

/// Whether an address passes a list of subnets: those with `!` in front exclude, the others, if any, must include it.
pub(crate) fn selected(address: IpAddr, subnets: &[String]) -> bool {
    let within = |subnet: &str| prefix(subnet).is_some_and(|prefix| prefix.contains(address));
    let (excluding, including): (Vec<&String>, Vec<&String>) =
        subnets.iter().partition(|subnet| subnet.starts_with('!'));
    let excluded = excluding.iter().any(|subnet| within(subnet.trim_start_matches('!')));
    let included = including.is_empty() || including.iter().any(|subnet| within(subnet));
    included && !excluded
}

/// The first address of each family that passes.
pub(crate) fn first_of_each_family(addresses: &[IpAddr], subnets: &[String]) -> Vec<IpAddr> {
    let of = |v4: bool| {
        addresses
            .iter()
            .copied()
            .find(|address| address.is_ipv4() == v4 && selected(*address, subnets))
    };
    of(true).into_iter().chain(of(false)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn subnets(list: &[&str]) -> Vec<String> {
        list.iter().map(|subnet| (*subnet).to_owned()).collect()
    }

    #[test]
    fn first_addresses() {
        let all = ips(&["192.168.1.2", "10.5.0.2", "fd00::2", "2001:db8::2"]);
        for (given, expected) in [
            (subnets(&[]), vec!["192.168.1.2", "fd00::2"]),
            (subnets(&["10.5.0.0/24"]), vec!["10.5.0.2"]),
            (subnets(&["!192.168.0.0/16", "!fd00::/8"]), vec!["10.5.0.2", "2001:db8::2"]),
            (subnets(&["0.0.0.0/0", "!192.168.1.2"]), vec!["10.5.0.2"]),
        ] {
            assert_eq!(first_of_each_family(&all, &given), ips(&expected), "{given:?}");
        }
    }

    #[test]
    fn two_filters_of_the_same_ranges() {
        let ranges = prefixes(["10.244.0.0/16", "nonsense", "10.96.0.0/12"]);
        assert_eq!(ranges.len(), 2);
        let [(no, without), (only, with)] = filters(&ranges);
        assert_eq!((no, only), (NO_KUBERNETES, ONLY_KUBERNETES));
        assert_eq!(without.exclude_subnets, with.include_subnets);
    }
}
