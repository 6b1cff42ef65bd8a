//! Merges the layers of each setting, lowest first: default, cmdline, platform, operator,
//! configuration.

use resource::enums::ConfigLayer;
use resource::network::{
    AddressSpecSpec, HostnameSpecSpec, LinkSpecSpec, OperatorSpecSpec, ResolverSpecSpec,
    RouteSpecSpec, RoutingRuleSpecSpec, TimeServerSpecSpec,
};
use resource::types::NetIp;

/// A setting that comes in layers.
pub trait Layered: Clone + PartialEq {
    /// Where this copy comes from.
    fn layer(&self) -> ConfigLayer;

    /// Takes over a copy from the same or a higher layer. Unless a type says otherwise, the
    /// higher one replaces everything.
    fn take(&mut self, higher: &Self) {
        self.clone_from(higher);
    }
}

/// All copies of one setting as one; `None` when there is no copy.
pub fn merge<'a, T: Layered + 'a>(copies: impl IntoIterator<Item = &'a T>) -> Option<T> {
    let mut copies: Vec<&T> = copies.into_iter().collect();
    copies.sort_by_key(|copy| copy.layer());
    let mut merged: Option<T> = None;
    for copy in copies {
        match &mut merged {
            None => merged = Some(copy.clone()),
            Some(merged) => merged.take(copy),
        }
    }
    merged
}

macro_rules! whole {
    ($($spec:ty),+) => { $(
        impl Layered for $spec {
            fn layer(&self) -> ConfigLayer {
                self.layer
            }
        }
    )+ };
}

whole!(AddressSpecSpec, RouteSpecSpec, RoutingRuleSpecSpec, OperatorSpecSpec);

impl Layered for HostnameSpecSpec {
    fn layer(&self) -> ConfigLayer {
        self.layer
    }
}

/// A field of a higher layer wins if it says anything.
fn over<T: Clone + PartialEq + Default>(low: &mut T, high: &T) {
    if *high != T::default() {
        low.clone_from(high);
    }
}

impl Layered for LinkSpecSpec {
    fn layer(&self) -> ConfigLayer {
        self.layer
    }

    fn take(&mut self, high: &Self) {
        over(&mut self.logical, &high.logical);
        over(&mut self.up, &high.up);
        over(&mut self.mtu, &high.mtu);
        over(&mut self.kind, &high.kind);
        over(&mut self.r#type, &high.r#type);
        over(&mut self.hardware_addr, &high.hardware_addr);
        over(&mut self.parent_name, &high.parent_name);
        over(&mut self.bond_slave, &high.bond_slave);
        over(&mut self.bridge_slave, &high.bridge_slave);
        over(&mut self.vrf_slave, &high.vrf_slave);
        over(&mut self.vlan, &high.vlan);
        over(&mut self.bond_master, &high.bond_master);
        over(&mut self.bridge_master, &high.bridge_master);
        over(&mut self.vrf_master, &high.vrf_master);
        over(&mut self.wireguard, &high.wireguard);
        over(&mut self.veth, &high.veth);
        over(&mut self.multicast, &high.multicast);
        self.layer = high.layer;
    }
}

impl Layered for ResolverSpecSpec {
    fn layer(&self) -> ConfigLayer {
        self.layer
    }

    fn take(&mut self, high: &Self) {
        if high.layer == self.layer {
            extend(&mut self.dns_servers, &high.dns_servers);
            extend(&mut self.name_servers, &high.name_servers);
        } else if !high.dns_servers.is_empty() {
            let kept = if high.layer == ConfigLayer::MACHINE_CONFIGURATION {
                Vec::new()
            } else {
                other_family(&self.dns_servers, &high.dns_servers)
            };
            self.dns_servers.clone_from(&high.dns_servers);
            self.dns_servers.extend(kept);
            self.name_servers.clone_from(&high.name_servers);
        }
        if high.search_domains_overridden {
            self.search_domains.clear();
            self.search_domains_overridden = true;
        }
        extend(&mut self.search_domains, &high.search_domains);
        self.layer = high.layer;
    }
}

/// The servers of a family that the higher layer says nothing about.
fn other_family(low: &[NetIp], high: &[NetIp]) -> Vec<NetIp> {
    let six = |server: &NetIp| server.0.is_some_and(|ip| ip.is_ipv6());
    low.iter().copied().filter(|low| high.iter().all(|high| six(high) != six(low))).collect()
}

fn extend<T: Clone + PartialEq>(list: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

impl Layered for TimeServerSpecSpec {
    fn layer(&self) -> ConfigLayer {
        self.layer
    }

    fn take(&mut self, high: &Self) {
        if high.layer == self.layer {
            extend(&mut self.time_servers, &high.time_servers);
        } else if !high.time_servers.is_empty() {
            self.time_servers.clone_from(&high.time_servers);
        }
        over(&mut self.use_nts, &high.use_nts);
        self.layer = high.layer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolvers(layer: ConfigLayer, servers: &[&str], domains: &[&str]) -> ResolverSpecSpec {
        ResolverSpecSpec {
            dns_servers: servers.iter().map(|text| text.parse().unwrap()).collect(),
            search_domains: domains.iter().map(ToString::to_string).collect(),
            layer,
            ..ResolverSpecSpec::default()
        }
    }

    #[test]
    fn resolvers_merge_by_family_until_the_configuration_speaks() {
        let default = resolvers(ConfigLayer::DEFAULT, &["1.1.1.1", "2001::1"], &[]);
        let platform = resolvers(ConfigLayer::PLATFORM, &["10.5.0.1"], &["a"]);
        let second = resolvers(ConfigLayer::PLATFORM, &["10.5.0.2"], &["b"]);
        let config = resolvers(ConfigLayer::MACHINE_CONFIGURATION, &["9.9.9.9"], &["c"]);
        let cases: [(&[&ResolverSpecSpec], &[&str], &[&str]); 4] = [
            (&[&default], &["1.1.1.1", "2001::1"], &[]),
            (&[&platform, &default], &["10.5.0.1", "2001::1"], &["a"]),
            (&[&default, &platform, &second], &["10.5.0.1", "2001::1", "10.5.0.2"], &["a", "b"]),
            (&[&config, &platform, &default], &["9.9.9.9"], &["a", "c"]),
        ];
        for (copies, servers, domains) in cases {
            let merged = merge(copies.iter().copied()).unwrap();
            let shown: Vec<String> = merged.dns_servers.iter().map(ToString::to_string).collect();
            assert_eq!(shown, servers);
            assert_eq!(merged.search_domains, domains);
        }
        assert!(merge::<ResolverSpecSpec>([]).is_none());
    }

    #[test]
    fn links_merge_by_field() {
        let low = LinkSpecSpec {
            name: "eth0".into(),
            up: true,
            mtu: 1500,
            layer: ConfigLayer::DEFAULT,
            ..LinkSpecSpec::default()
        };
        let high = LinkSpecSpec {
            name: "eth0".into(),
            mtu: 9000,
            layer: ConfigLayer::MACHINE_CONFIGURATION,
            ..LinkSpecSpec::default()
        };
        let merged = merge([&high, &low]).unwrap();
        assert!(merged.up);
        assert_eq!((merged.mtu, merged.layer), (9000, ConfigLayer::MACHINE_CONFIGURATION));
    }
}
