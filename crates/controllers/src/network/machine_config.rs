//! What the machine configuration wants of the network.

mod kind;
mod link;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ::config::Config;
use ::config::v1alpha1::Device;
use ::config::view::Hostname;
use ::network::id;
use ::network::merge::Layered;
use ::network::node_address::DEFAULT;
use ::runtime::controller::{Context, Controller, ControllerError, Input, Next, Output};
use resource::Spec;
use resource::cluster::IdentitySpec;
use resource::config::MachineConfigSpec;
use resource::enums::{AddressSortAlgorithm, ConfigLayer, DNSProtocol};
use resource::network::{
    AddressSpecSpec, HostnameSpecSpec, LinkSpecSpec, LinkStatusSpec, NameServerSpec,
    NodeAddressSortAlgorithmSpec, NodeAddressSpec, ResolverSpecSpec, RouteSpecSpec, StaticHostSpec,
    TimeServerSpecSpec,
};
use resource::types::NetIp;
use sha2::{Digest as _, Sha256};

use super::device::devices;
use super::{LAYERS, NETWORK};
use crate::config::active::Active;
use crate::plain::plain;

/// Everything that one configuration wants.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    links: BTreeMap<String, LinkSpecSpec>,
    addresses: BTreeMap<String, AddressSpecSpec>,
    routes: BTreeMap<String, RouteSpecSpec>,
    hostname: Option<HostnameSpecSpec>,
    resolvers: Option<ResolverSpecSpec>,
    time_servers: Option<TimeServerSpecSpec>,
    hosts: BTreeMap<String, Vec<NetIp>>,
    algorithm: AddressSortAlgorithm,
}

/// What a host name can be made of.
#[derive(Clone, Copy, Debug, Default)]
struct Identity<'a> {
    node: Option<&'a str>,
    address: Option<IpAddr>,
}

/// Writes the wishes of the machine configuration into their layer.
pub(super) fn machine_config(active: Active) -> impl Controller {
    plain(
        "network.MachineConfigController",
        vec![
            Input::weak::<MachineConfigSpec>("config").with_id("v1alpha1"),
            Input::weak::<IdentitySpec>("cluster").with_id("local"),
            Input::weak::<LinkStatusSpec>(NETWORK),
            Input::weak::<NodeAddressSpec>(NETWORK).with_id(DEFAULT),
        ],
        vec![
            Output::shared::<LinkSpecSpec>(),
            Output::shared::<AddressSpecSpec>(),
            Output::shared::<RouteSpecSpec>(),
            Output::shared::<HostnameSpecSpec>(),
            Output::shared::<ResolverSpecSpec>(),
            Output::shared::<TimeServerSpecSpec>(),
            Output::exclusive::<StaticHostSpec>(),
            Output::exclusive::<NodeAddressSortAlgorithmSpec>(),
        ],
        move |context| {
            let config = active.config(context.store())?;
            let node = context.get::<IdentitySpec>("cluster", "local");
            let address = context.get::<NodeAddressSpec>(NETWORK, DEFAULT);
            let identity = Identity {
                node: node.as_ref().map(|found| found.spec.node_id.as_str()),
                address: address.as_ref().and_then(|found| found.spec.addresses.first()?.address()),
            };
            let wanted = config
                .map(|config| wanted(&config, &devices(&config, context), identity))
                .unwrap_or_default();
            write(context, wanted)?;
            Ok(Next::OnChange)
        },
    )
}

fn wanted(config: &Config, devices: &[Device], identity: Identity<'_>) -> Wanted {
    let view = config.view();
    let mut wanted = Wanted {
        hostname: hostname(&view.hostname(), identity),
        resolvers: resolvers(config),
        time_servers: time_servers(config),
        algorithm: match view.node_address_sort_algorithm() {
            "v2" => AddressSortAlgorithm::V2,
            _ => AddressSortAlgorithm::V1,
        },
        ..Wanted::default()
    };
    for (address, names) in view.static_hosts() {
        // What is no address was refused when the configuration was checked.
        let Ok(address) = address.parse::<NetIp>() else { continue };
        for name in names {
            wanted.hosts.entry(name).or_default().push(address);
        }
    }
    link::collect(config, devices, &mut wanted);
    wanted
}

fn hostname(wanted: &Hostname, identity: Identity<'_>) -> Option<HostnameSpecSpec> {
    let (name, layer) = match wanted {
        Hostname::Given(name) => (name.clone(), ConfigLayer::MACHINE_CONFIGURATION),
        Hostname::Stable => (stable_name(identity.node?), ConfigLayer::DEFAULT),
        Hostname::Address => (address_name(identity.address?), ConfigLayer::DEFAULT),
        Hostname::Off => return None,
    };
    let (hostname, domainname) = name.split_once('.').unwrap_or((&name, ""));
    Some(HostnameSpecSpec {
        hostname: hostname.to_owned(),
        domainname: domainname.to_owned(),
        layer,
    })
}

/// A name that stays as long as the node's identity does.
fn stable_name(node: &str) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let hash = Sha256::digest(node);
    let first = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut number = first;
    let mut text = String::new();
    for _ in 0..6 {
        let digit = usize::try_from(number % 36).unwrap_or(0);
        text.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        number /= 36;
    }
    let (one, two) = text.split_at(3);
    format!("talos-{one}-{two}")
}

fn address_name(address: IpAddr) -> String {
    let text: String = address
        .to_string()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("talos-{}", text.trim_matches('-'))
}

fn resolvers(config: &Config) -> Option<ResolverSpecSpec> {
    use ::config::kinds::network::DnsProtocol;
    let view = config.view();
    let servers = view.nameservers();
    let domains = view.search_domains();
    if servers.is_empty() && domains.is_empty() && !view.disable_search_domain() {
        return None;
    }
    let name_servers = servers.iter().map(|server| NameServerSpec {
        addr: NetIp::from(server.address),
        protocol: match server.protocol {
            DnsProtocol::Dot => DNSProtocol::DNS_OVER_TLS,
            DnsProtocol::Doh => DNSProtocol::DNS_OVER_HTTP,
            _ => DNSProtocol::DEFAULT,
        },
        tls_server_name: server.tls_server_name.clone(),
    });
    Some(ResolverSpecSpec {
        dns_servers: servers.iter().map(|server| NetIp::from(server.address)).collect(),
        name_servers: name_servers.collect(),
        layer: ConfigLayer::MACHINE_CONFIGURATION,
        search_domains: domains.to_vec(),
        search_domains_overridden: view.disable_search_domain(),
    })
}

fn time_servers(config: &Config) -> Option<TimeServerSpecSpec> {
    let time = config.view().time_sync();
    // The built-in server stands in the lowest layer already, where others may go before it.
    (time.servers != [::config::defaults::TIME_SERVER]).then_some(TimeServerSpecSpec {
        time_servers: time.servers,
        use_nts: time.nts,
        layer: ConfigLayer::MACHINE_CONFIGURATION,
    })
}

fn write(context: &Context, wanted: Wanted) -> Result<(), ControllerError> {
    replace(context, wanted.links)?;
    replace(context, wanted.addresses)?;
    replace(context, wanted.routes)?;
    let single = |id: &str| id.to_owned();
    replace(context, wanted.hostname.map(|spec| (single("hostname"), spec)))?;
    replace(context, wanted.resolvers.map(|spec| (single("resolvers"), spec)))?;
    replace(context, wanted.time_servers.map(|spec| (single("timeservers"), spec)))?;
    for (name, addresses) in &wanted.hosts {
        context.modify::<StaticHostSpec>(NETWORK, name, |spec| {
            spec.addresses.clone_from(addresses);
        })?;
    }
    context.cleanup::<StaticHostSpec>(NETWORK, |host| wanted.hosts.contains_key(host.id()))?;
    context.modify::<NodeAddressSortAlgorithmSpec>(NETWORK, "default", |spec| {
        spec.algorithm = wanted.algorithm;
    })?;
    Ok(())
}

/// These, and no other specs of this controller.
pub(super) fn replace<S: Spec + Layered>(
    context: &Context,
    specs: impl IntoIterator<Item = (String, S)>,
) -> Result<(), ControllerError> {
    let mut kept = BTreeSet::new();
    for (id, spec) in specs {
        let id = id::layered(spec.layer(), &id);
        context.modify::<S>(LAYERS, &id, |present| present.clone_from(&spec))?;
        kept.insert(id);
    }
    context.cleanup::<S>(LAYERS, |found| kept.contains(found.id()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::device::named;

    fn of(text: &str) -> Wanted {
        let config = ::config::load(text.as_bytes()).expect("loads");
        wanted(&config, &named(&config, &[]), Identity::default())
    }

    #[test]
    fn names_are_given_or_made() {
        let identity = Identity { node: Some("node"), address: "10.5.0.2".parse().ok() };
        let given = Hostname::Given("cp-1.example.org".into());
        let name = |wanted: &Hostname| {
            hostname(wanted, identity).map(|spec| (spec.hostname, spec.domainname, spec.layer))
        };
        let config = ConfigLayer::MACHINE_CONFIGURATION;
        assert_eq!(name(&given), Some(("cp-1".into(), "example.org".into(), config)));
        let made = name(&Hostname::Address).expect("a name");
        assert_eq!(made, ("talos-10-5-0-2".into(), String::new(), ConfigLayer::DEFAULT));
        let (made, ..) = name(&Hostname::Stable).expect("a name");
        assert_eq!((made.len(), made.get(..6)), (13, Some("talos-")));
        assert_eq!(stable_name("node"), made);
        assert_ne!(stable_name("other"), made);
        assert_eq!(name(&Hostname::Off), None);
    }

    #[test]
    fn documents_become_specs() {
        let wanted = of(concat!(
            "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nmtu: 9000\n",
            "addresses:\n  - address: 10.5.0.9/24\nroutes:\n  - gateway: 10.5.0.1\n",
            "  - destination: 10.9.0.0/16\n    gateway: 10.5.0.7\n    metric: 7\n",
            "---\napiVersion: v1alpha1\nkind: VLANConfig\nname: eth0.7\nvlanID: 7\nparent: eth0\n",
            "---\napiVersion: v1alpha1\nkind: ResolverConfig\nnameservers:\n",
            "  - address: 9.9.9.9\nsearchDomains:\n  domains: [a.b]\n",
            "---\napiVersion: v1alpha1\nkind: StaticHostConfig\nname: 10.1.1.1\n",
            "hostnames: [one, two]\n",
        ));
        assert_eq!(wanted.links.keys().collect::<Vec<_>>(), ["eth0", "eth0.7"]);
        assert_eq!((wanted.links["eth0"].mtu, wanted.links["eth0"].up), (9000, true));
        let vlan = &wanted.links["eth0.7"];
        assert_eq!((vlan.parent_name.as_str(), vlan.logical), ("eth0", true));
        assert_eq!(vlan.vlan.as_ref().map(|vlan| vlan.vlan_id), Some(7));
        assert_eq!(wanted.addresses.keys().collect::<Vec<_>>(), ["eth0/10.5.0.9/24"]);
        let routes: Vec<&String> = wanted.routes.keys().collect();
        assert_eq!(routes, ["inet4/10.5.0.1//1024", "inet4/10.5.0.7/10.9.0.0/16/7"]);
        let resolvers = wanted.resolvers.expect("resolvers");
        assert_eq!(resolvers.dns_servers, ["9.9.9.9".parse().expect("an address")]);
        assert_eq!(resolvers.search_domains, ["a.b"]);
        assert_eq!(wanted.hosts.len(), 2);
    }

    #[test]
    fn links_of_every_kind_are_wanted_with_what_they_are_made_of() {
        let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHl8=";
        let text = format!(
            "apiVersion: v1alpha1\nkind: BondConfig\nname: bond0\nlinks: [eth0, eth1]\n\
             bondMode: 802.3ad\nmiimon: 100\nupdelay: 200\ndowndelay: 200\n\
             xmitHashPolicy: vlan+srcmac\nlacpRate: fast\nadLACPActive: off\nmtu: 9000\n\
             addresses:\n  - address: 10.5.0.9/24\n\
             ---\napiVersion: v1alpha1\nkind: VethConfig\nname: a0\npeer:\n  name: a1\n  mtu: 1400\n\
             ---\napiVersion: v1alpha1\nkind: WireguardConfig\nname: wg0\nprivateKey: {key}\n\
             listenPort: 51820\npeers:\n  - publicKey: {key}\n    endpoint: 192.0.2.1:51820\n    \
             persistentKeepaliveInterval: 25s\n    allowedIPs: [10.1.0.0/16]\n\
             addresses:\n  - address: 10.1.0.2/32\n"
        );
        let wanted = of(&text);
        let names: Vec<&String> = wanted.links.keys().collect();
        assert_eq!(names, ["a0", "a1", "bond0", "eth0", "eth1", "wg0"]);
        let bond = &wanted.links["bond0"];
        assert_eq!((bond.mtu, bond.logical, bond.kind.as_str()), (9000, true, "bond"));
        let settings = bond.bond_master.as_ref().expect("a bond");
        assert_eq!((settings.mode.0, settings.xmit_hash_policy.0, settings.lacp_rate.0), (4, 5, 1));
        assert_eq!((settings.miimon, settings.ad_lacp_active.0), (100, 0));
        let slave = &wanted.links["eth1"].bond_slave;
        assert_eq!((slave.master_name.as_str(), slave.slave_index), ("bond0", 1));
        let peer = &wanted.links["a1"];
        assert_eq!((peer.mtu, peer.logical), (1400, true));
        assert_eq!(peer.veth.as_ref().map(|veth| veth.peer_name.as_str()), Some("a0"));
        let tunnel = wanted.links["wg0"].wireguard.as_ref().expect("a tunnel");
        assert_eq!((tunnel.private_key.as_str(), tunnel.listen_port), (key, 51_820));
        let peer = &tunnel.peers[0];
        assert_eq!(peer.endpoint, "192.0.2.1:51820");
        assert_eq!(peer.persistent_keepalive_interval.to_std().as_secs(), 25);
        assert_eq!(wanted.addresses.len(), 2);

        let old = of(&format!(
            "version: v1alpha1\nmachine:\n  type: worker\n  network:\n    interfaces:\n      \
             - interface: bond1\n        addresses: [10.6.0.1/24]\n        bond: {{mode: active-backup, \
             interfaces: [eth2, eth3], primary: eth3, miimon: 50}}\n      \
             - interface: wg1\n        wireguard: {{privateKey: {key}, peers: [{{publicKey: {key}, \
             allowedIPs: [10.2.0.0/16]}}]}}\ncluster: {{}}\n"
        ));
        let settings = old.links["bond1"].bond_master.as_ref().expect("a bond");
        assert_eq!((settings.mode.0, settings.primary.as_str()), (1, "eth3"));
        assert_eq!(old.links["eth3"].bond_slave.slave_index, 1);
        let tunnel = old.links["wg1"].wireguard.as_ref().expect("a tunnel");
        assert_eq!(tunnel.peers[0].allowed_ips, ["10.2.0.0/16".parse().expect("a prefix")]);
    }

    #[test]
    fn the_old_list_of_interfaces_becomes_the_same() {
        let wanted = of(concat!(
            "version: v1alpha1\nmachine:\n  type: worker\n  network:\n    hostname: w-1\n",
            "    interfaces:\n      - interface: eth0\n        addresses: [10.5.0.9/24, 10.6.0.1]\n",
            "        routes:\n          - network: 0.0.0.0/0\n            gateway: 10.5.0.1\n",
            "        vlans:\n          - vlanId: 7\n            addresses: [10.7.0.2/24]\n",
            "      - interface: br0\n        bridge: {interfaces: [eth1], stp: {enabled: true}}\n",
            "      - interface: eth9\n        ignore: true\n",
            "cluster: {}\n",
        ));
        let names: Vec<&String> = wanted.links.keys().collect();
        assert_eq!(names, ["br0", "eth0", "eth0.7", "eth1"]);
        let addresses: Vec<&String> = wanted.addresses.keys().collect();
        assert_eq!(addresses, ["eth0.7/10.7.0.2/24", "eth0/10.5.0.9/24", "eth0/10.6.0.1/32"]);
        assert_eq!(wanted.routes.keys().collect::<Vec<_>>(), ["inet4/10.5.0.1//1024"]);
        assert_eq!(wanted.hostname.map(|spec| spec.hostname), Some("w-1".into()));
        let port = wanted.links["eth1"].bridge_slave.as_ref().expect("a port");
        assert_eq!(port.master_name, "br0");
    }
}
