//! The node's addresses, in the sets that others ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use resource::enums::{AddressSortAlgorithm, OperationalState, Scope};
use resource::network::{AddressStatusSpec, LinkStatusSpec, NodeAddressFilterSpec};
use resource::types::NetIpPrefix;

/// The address that is used where only one can be.
pub const DEFAULT: &str = "default";
/// All addresses the node has.
pub const CURRENT: &str = "current";
/// All addresses the node ever had since its start.
pub const ACCUMULATIVE: &str = "accumulative";
/// The addresses others can reach the node at.
pub const ROUTED: &str = "routed";

/// What the node has.
#[derive(Clone, Debug, Default)]
pub struct Observed<'a> {
    /// Links by name.
    pub links: BTreeMap<&'a str, &'a LinkStatusSpec>,
    /// Addresses.
    pub addresses: Vec<&'a AddressStatusSpec>,
    /// Filters by id.
    pub filters: Vec<(&'a str, &'a NodeAddressFilterSpec)>,
    /// How addresses are ordered.
    pub algorithm: AddressSortAlgorithm,
    /// The links that default routes go out of.
    pub gateways: BTreeSet<&'a str>,
    /// The default address so far.
    pub default: Option<NetIpPrefix>,
    /// The addresses so far.
    pub accumulated: Vec<NetIpPrefix>,
}

/// Link-local addresses of SideroLink: the first 48 bits of its unique local range.
const SIDEROLINK: [u16; 3] = [0xfdae, 0x41e4, 0x649b];

/// The address sets by id. The default is missing while the node has no address.
#[must_use]
pub fn plan(observed: &Observed<'_>) -> BTreeMap<String, Vec<NetIpPrefix>> {
    let current = current(observed);
    // A choice made before the routes were known gives way to one with them: after a crash of the
    // daemon, bridges of pods are there from the first moment.
    let reaches_out = |link: &str| observed.gateways.contains(link);
    let outward = current.iter().any(|(link, _)| reaches_out(link));
    let default = observed
        .default
        .filter(|default| {
            let mut places = current.iter().filter(|(_, prefix)| prefix == default);
            places.any(|(link, _)| reaches_out(link) || !outward)
        })
        .or_else(|| first(&current, &observed.gateways, observed.algorithm));
    let sort = |addresses: Vec<NetIpPrefix>| sorted(addresses, observed.algorithm);
    let present: Vec<NetIpPrefix> = current.iter().map(|(_, prefix)| *prefix).collect();
    let routed: Vec<NetIpPrefix> = present.iter().copied().filter(is_routed).collect();
    let all: BTreeSet<NetIpPrefix> = observed.accumulated.iter().chain(&present).copied().collect();

    let mut sets = BTreeMap::new();
    if let Some(default) = default {
        sets.insert(DEFAULT.to_owned(), vec![default]);
    }
    let lists = [
        (CURRENT, sort(present)),
        (ROUTED, sort(routed)),
        (ACCUMULATIVE, sort(all.into_iter().collect())),
    ];
    for (id, addresses) in lists {
        for (filter_id, filter) in &observed.filters {
            let kept = addresses.iter().copied().filter(|prefix| passes(filter, *prefix));
            sets.insert(format!("{id}-{filter_id}"), kept.collect());
        }
        sets.insert(id.to_owned(), addresses);
    }
    sets
}

/// Addresses of links that are up, as far as others can use them.
fn current<'a>(observed: &Observed<'a>) -> Vec<(&'a str, NetIpPrefix)> {
    let usable = |address: &&&AddressStatusSpec| {
        let up = observed.links.get(address.link_name.as_str()).is_some_and(|link| {
            // The operational state follows the carrier up to a second later.
            link.link_state
                || matches!(
                    link.operational_state,
                    OperationalState::UP | OperationalState::UNKNOWN
                )
        });
        let reaches = address.scope.0 < Scope::LINK.0;
        up && reaches && address.address.address().is_some_and(is_usable)
    };
    observed
        .addresses
        .iter()
        .filter(usable)
        .map(|address| (address.link_name.as_str(), address.address))
        .collect()
}

fn is_usable(ip: IpAddr) -> bool {
    !(ip.is_loopback() || ip.is_multicast() || ip.is_unspecified())
}

fn is_routed(prefix: &NetIpPrefix) -> bool {
    match prefix.address() {
        Some(IpAddr::V6(ip)) => !ip.segments().starts_with(&SIDEROLINK),
        Some(IpAddr::V4(_)) => true,
        None => false,
    }
}

/// The first address of the first link by name; links that default routes go out of come before
/// others, such as bridges of pods.
fn first(
    current: &[(&str, NetIpPrefix)],
    gateways: &BTreeSet<&str>,
    algorithm: AddressSortAlgorithm,
) -> Option<NetIpPrefix> {
    let links = current.iter().map(|(link, _)| *link);
    let link = links.min_by_key(|link| (!gateways.contains(link), *link))?;
    let here = current.iter().filter(|(name, _)| *name == link).map(|(_, prefix)| *prefix);
    sorted(here.collect(), algorithm).first().copied()
}

/// Addresses in order, each once.
#[must_use]
pub fn sorted(
    mut addresses: Vec<NetIpPrefix>,
    algorithm: AddressSortAlgorithm,
) -> Vec<NetIpPrefix> {
    let key = |prefix: &NetIpPrefix| {
        let (ip, bits) = (prefix.address(), prefix.bits().unwrap_or(0));
        let six = ip.is_some_and(|ip| ip.is_ipv6());
        if algorithm == AddressSortAlgorithm::V2 {
            (six, u8::MAX - bits, ip, bits)
        } else {
            (six, 0, ip, bits)
        }
    };
    addresses.sort_by_key(key);
    addresses.dedup();
    addresses
}

/// Whether an address passes a filter.
#[must_use]
pub fn passes(filter: &NodeAddressFilterSpec, prefix: NetIpPrefix) -> bool {
    let Some(ip) = prefix.address() else { return false };
    let within = |subnets: &[NetIpPrefix]| subnets.iter().any(|subnet| subnet.contains(ip));
    (filter.include_subnets.is_empty() || within(&filter.include_subnets))
        && !within(&filter.exclude_subnets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(link: &str, text: &str, scope: Scope) -> AddressStatusSpec {
        AddressStatusSpec {
            link_name: link.into(),
            address: text.parse().unwrap(),
            scope,
            ..AddressStatusSpec::default()
        }
    }

    fn shown(sets: &BTreeMap<String, Vec<NetIpPrefix>>, id: &str) -> Vec<String> {
        sets[id].iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_link_counts_as_soon_as_it_has_a_carrier() {
        let down = OperationalState::DOWN;
        let late = LinkStatusSpec { operational_state: down, ..LinkStatusSpec::default() };
        let carrier = LinkStatusSpec { link_state: true, ..late.clone() };
        let addresses = [address("eth0", "10.5.0.2/24", Scope::GLOBAL)];
        for (link, expected) in [(&late, vec![]), (&carrier, vec!["10.5.0.2/24"])] {
            let observed = Observed {
                links: [("eth0", link)].into(),
                addresses: addresses.iter().collect(),
                ..Observed::default()
            };
            assert_eq!(shown(&plan(&observed), CURRENT), expected);
        }
    }

    #[test]
    fn sets_hold_what_they_promise() {
        let up =
            LinkStatusSpec { operational_state: OperationalState::UP, ..LinkStatusSpec::default() };
        let down = LinkStatusSpec {
            operational_state: OperationalState::DOWN,
            ..LinkStatusSpec::default()
        };
        let addresses = [
            address("lo", "127.0.0.1/8", Scope::HOST),
            address("eth1", "10.0.0.9/16", Scope::GLOBAL),
            address("eth0", "10.5.0.2/24", Scope::GLOBAL),
            address("eth0", "10.5.0.3/32", Scope::GLOBAL),
            address("eth0", "fe80::1/64", Scope::LINK),
            address("eth0", "2001:db8::2/64", Scope::GLOBAL),
            address("cni0", "10.244.0.1/24", Scope::GLOBAL),
            address("eth9", "10.9.0.1/24", Scope::GLOBAL),
        ];
        let only = NodeAddressFilterSpec {
            include_subnets: vec!["10.244.0.0/16".parse().unwrap()],
            ..NodeAddressFilterSpec::default()
        };
        let without = NodeAddressFilterSpec {
            exclude_subnets: vec!["10.244.0.0/16".parse().unwrap()],
            ..NodeAddressFilterSpec::default()
        };
        let mut observed = Observed {
            links: [("lo", &up), ("eth0", &up), ("eth1", &up), ("cni0", &up), ("eth9", &down)]
                .into(),
            addresses: addresses.iter().collect(),
            filters: vec![("only-k8s", &only), ("no-k8s", &without)],
            default: Some("10.5.0.2/24".parse().unwrap()),
            accumulated: vec!["10.7.0.1/24".parse().unwrap()],
            ..Observed::default()
        };
        let sets = plan(&observed);
        assert_eq!(shown(&sets, DEFAULT), ["10.5.0.2/24"]);
        let all = ["10.0.0.9/16", "10.5.0.2/24", "10.5.0.3/32", "10.244.0.1/24", "2001:db8::2/64"];
        assert_eq!(shown(&sets, CURRENT), all);
        assert_eq!(shown(&sets, "current-only-k8s"), ["10.244.0.1/24"]);
        assert_eq!(shown(&sets, "routed-no-k8s"), [all[0], all[1], all[2], all[4]]);
        assert!(shown(&sets, ACCUMULATIVE).contains(&"10.7.0.1/24".to_owned()));

        // A default that is gone gives way to the first address of the first link.
        observed.default = Some("10.7.0.1/24".parse().unwrap());
        assert_eq!(shown(&plan(&observed), DEFAULT), ["10.244.0.1/24"]);
        observed.gateways.insert("eth0");
        assert_eq!(shown(&plan(&observed), DEFAULT), ["10.5.0.2/24"]);

        // So does one that was chosen while no route was known.
        observed.default = Some("10.244.0.1/24".parse().unwrap());
        assert_eq!(shown(&plan(&observed), DEFAULT), ["10.5.0.2/24"]);
        observed.gateways.clear();
        assert_eq!(shown(&plan(&observed), DEFAULT), ["10.244.0.1/24"]);
        observed.gateways.insert("eth0");
        observed.algorithm = AddressSortAlgorithm::V2;
        let order = shown(&plan(&observed), CURRENT);
        assert_eq!(order, [all[2], all[1], all[3], all[0], all[4]]);
        observed.links.clear();
        assert!(!plan(&observed).contains_key(DEFAULT));
    }
}
