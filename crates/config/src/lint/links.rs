//! Rewrites the list of interfaces into documents, one per link, address and DHCP client.
//!
//! All or nothing: the first document of a link turns off what links without one do by themselves, so a
//! list that is rewritten in part would mean something else.

use super::Fixer;
use crate::document::Document;
use crate::kinds::network::{
    BondConfig, BridgeConfig, BridgeStp, BridgeVlanFilter, ClientIdentifier, CommonLink,
    Dhcpv4Config, Dhcpv6Config, DummyLinkConfig, HcloudVipConfig, Layer2VipConfig, LinkAddress,
    LinkAliasConfig, LinkConfig, LinkRoute, LinkSelector, VlanConfig, WireguardConfig,
    WireguardPeer,
};
use crate::scalar::{Address, Expression, Prefix};
use crate::v1alpha1::{
    Bond, Bridge, Device, DeviceSelector, DhcpOptions, Network, Route, Vip, Wireguard,
};
use crate::{List, conflict};

type Documents = Vec<Box<dyn Document>>;

impl Fixer<'_> {
    /// Rewrites the interfaces when every one of them has documents that say the same.
    pub(super) fn links(&mut self, network: &mut Network) {
        let documents = self.documents.iter();
        let mixed = documents.into_iter().any(|document| {
            let kind = document.info().kind;
            conflict::LINKS.contains(&kind) || kind.starts_with("DHCP") || kind.contains("VIP")
        });
        if mixed {
            return;
        }
        let mut made = Documents::new();
        for device in &network.interfaces {
            let Some(device) = device else { return };
            if device.ignore.unwrap_or(false) {
                continue;
            }
            let name = match &device.device_selector {
                None => device.interface.clone(),
                Some(selector) => {
                    let taken = |name: &str| {
                        network.interfaces.iter().flatten().any(|other| other.interface == name)
                            || self
                                .documents
                                .iter()
                                .chain(&made)
                                .any(|document| document.name() == name)
                    };
                    let free = (0..).map(|number| format!("nic{number}")).find(|name| !taken(name));
                    let Some(alias) = free.and_then(|name| alias(device, selector, name)) else {
                        return;
                    };
                    let name = alias.name.clone();
                    made.push(Box::new(alias));
                    name
                }
            };
            let Some(documents) = self::device(device, name) else { return };
            made.extend(documents);
        }
        // Links without a document are left alone only beside links that have one.
        if made.is_empty() && !network.interfaces.is_empty() {
            return;
        }
        network.interfaces = List::default();
        self.documents.extend(made);
    }
}

/// The documents of a device, when there are such that say the same.
fn device(device: &Device, name: String) -> Option<Documents> {
    if name.is_empty() || device.bridge_port.is_some() {
        return None;
    }
    let link = name.clone();
    let common = common(&device.addresses, &device.cidr, &device.routes, device.mtu)?;
    let mut out = Documents::new();
    match (&device.bond, &device.bridge, &device.wireguard, device.dummy.unwrap_or(false)) {
        (None, None, None, false) => out.push(Box::new(LinkConfig { name, common })),
        (None, None, None, true) => {
            out.push(Box::new(DummyLinkConfig { name, common, ..DummyLinkConfig::default() }));
        }
        (Some(bond), None, None, false) => out.push(Box::new(self::bond(name, bond, common)?)),
        (None, Some(bridge), None, false) => out.push(Box::new(self::bridge(name, bridge, common))),
        (None, None, Some(wireguard), false) => {
            out.push(Box::new(self::wireguard(name, wireguard, common)?));
        }
        _ => return None,
    }
    dhcp(&link, device.dhcp, device.dhcp_options.as_ref(), &mut out);
    vip(&link, device.vip.as_ref(), &mut out)?;
    for vlan in &device.vlans {
        let vlan = vlan.as_ref()?;
        let name = format!("{}.{}", device.interface, vlan.vlan_id);
        let common = self::common(&vlan.addresses, &vlan.cidr, &vlan.routes, vlan.mtu.into())?;
        out.push(Box::new(VlanConfig {
            name: name.clone(),
            vlan_id: vlan.vlan_id,
            vlan_mode: None,
            parent: device.interface.clone(),
            common,
        }));
        dhcp(&name, vlan.dhcp, vlan.dhcp_options.as_ref(), &mut out);
        vip(&name, vlan.vip.as_ref(), &mut out)?;
    }
    Some(out)
}

/// Another name for the link that a selector finds, when that is certainly one plain link: what is built on it is
/// called after its own name.
fn alias(device: &Device, selector: &DeviceSelector, name: String) -> Option<LinkAliasConfig> {
    let exact = |text: &str| !text.is_empty() && !text.contains(['*', '?', '[', '\\']);
    let unique = exact(&selector.permanent_addr) || exact(&selector.bus_path);
    let plain = device.interface.is_empty()
        && device.vlans.is_empty()
        && device.bond.is_none()
        && device.bridge.is_none()
        && device.wireguard.is_none()
        && !device.dummy.unwrap_or(false);
    if !unique || !plain || selector.physical == Some(false) {
        return None;
    }
    let fields = [
        ("mac(link.permanent_addr)", &selector.permanent_addr),
        ("mac(link.hardware_addr)", &selector.hardware_addr),
        ("link.bus_path", &selector.bus_path),
        ("link.pciid", &selector.pci_id),
        ("link.driver", &selector.driver),
    ];
    let given = fields.into_iter().filter(|(_, pattern)| !pattern.is_empty());
    let parts = given.map(|(field, pattern)| match exact(pattern) {
        true => format!("{field} == {pattern:?}"),
        false => format!("glob({pattern:?}, {field})"),
    });
    let condition = Expression(parts.collect::<Vec<_>>().join(" && "));
    Some(LinkAliasConfig { name, selector: LinkSelector { condition } })
}

/// The items that were made, as a list that is given only when there are some.
fn given<T>(items: Vec<T>) -> List<T> {
    if items.is_empty() { List::default() } else { items.into() }
}

fn common(
    addresses: &[String],
    cidr: &str,
    routes: &[Option<Route>],
    mtu: i64,
) -> Option<CommonLink> {
    let single = (!cidr.is_empty()).then(|| cidr.to_owned());
    let address =
        |text: &String| Some(LinkAddress { address: address(text)?, route_priority: None });
    let addresses: Option<Vec<_>> = addresses.iter().chain(&single).map(address).collect();
    let routes: Option<Vec<_>> = routes.iter().map(|route| self::route(route.as_ref()?)).collect();
    Some(CommonLink {
        up: None,
        mtu: u32::try_from(mtu).ok()?,
        addresses: given(addresses?),
        routes: given(routes?),
        multicast: None,
    })
}

/// An address with its prefix length; one without is a prefix of its own.
fn address(text: &str) -> Option<Prefix> {
    if let Ok(ip) = text.parse::<std::net::IpAddr>() {
        return Prefix::new(ip, if ip.is_ipv4() { 32 } else { 128 });
    }
    text.parse::<Prefix>().ok().filter(|prefix| !prefix.is_unset())
}

fn route(route: &Route) -> Option<LinkRoute> {
    let gateway: Address = route.gateway.parse().ok()?;
    let mut destination: Prefix = route.network.parse().ok()?;
    if destination.bits() == Some(0) {
        // A document says "everything" by naming no destination, for the family of its gateway.
        let family = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.is_ipv4());
        if family(gateway.ip()) != family(destination.ip()) {
            return None;
        }
        destination = Prefix::default();
    }
    Some(LinkRoute {
        destination,
        gateway,
        source: route.source.parse().ok()?,
        metric: route.metric,
        mtu: route.mtu,
        ..LinkRoute::default()
    })
}

fn dhcp(name: &str, on: Option<bool>, options: Option<&DhcpOptions>, out: &mut Documents) {
    if !on.unwrap_or(false) {
        return;
    }
    let options = options.cloned().unwrap_or_default();
    let (name, route_metric) = (name.to_owned(), options.route_metric);
    if options.ipv4.unwrap_or(true) {
        out.push(Box::new(Dhcpv4Config {
            name: name.clone(),
            route_metric,
            ..Dhcpv4Config::default()
        }));
    }
    if options.ipv6.unwrap_or(false) {
        let duid = !options.duidv6.is_empty();
        out.push(Box::new(Dhcpv6Config {
            name,
            route_metric,
            client_identifier: duid.then_some(ClientIdentifier::Duid),
            duid_raw: options.duidv6,
            ..Dhcpv6Config::default()
        }));
    }
}

fn vip(link: &str, vip: Option<&Vip>, out: &mut Documents) -> Option<()> {
    let Some(vip) = vip else { return Some(()) };
    let (name, link) = (vip.ip.clone(), link.to_owned());
    match (&vip.equinix_metal, &vip.hcloud) {
        (None, None) => out.push(Box::new(Layer2VipConfig { name, link })),
        (None, Some(hcloud)) => {
            let api_token = hcloud.api_token.clone();
            out.push(Box::new(HcloudVipConfig { name, link, api_token }));
        }
        (Some(_), _) => return None,
    }
    Some(())
}

fn bridge(name: String, bridge: &Bridge, common: CommonLink) -> BridgeConfig {
    let stp = bridge.stp.as_ref().map(|stp| stp.enabled.unwrap_or(true));
    BridgeConfig {
        name,
        links: bridge.interfaces.clone(),
        stp: BridgeStp { enabled: stp },
        vlan: BridgeVlanFilter {
            filtering: bridge.vlan.as_ref().and_then(|vlan| vlan.vlan_filtering),
        },
        common,
        ..BridgeConfig::default()
    }
}

/// A number of the old form, where zero means that it is not given.
fn number<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// A word of the old form; nothing when no word of the new form is the same.
fn word<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
}

fn bond(name: String, bond: &Bond, common: CommonLink) -> Option<BondConfig> {
    let expressible = bond.device_selectors.is_empty()
        && bond.arp_ip_target.is_empty()
        && bond.ad_actor_system.is_empty()
        && bond.primary.is_empty();
    if !expressible {
        return None;
    }
    let mode = if bond.mode.is_empty() { "balance-rr" } else { bond.mode.as_str() };
    Some(BondConfig {
        name,
        links: bond.interfaces.clone(),
        bond_mode: word(mode)?,
        miimon: number(bond.miimon),
        updelay: number(bond.updelay),
        downdelay: number(bond.downdelay),
        use_carrier: bond.use_carrier,
        xmit_hash_policy: word(&bond.xmit_hash_policy)?,
        arp_interval: number(bond.arp_interval),
        arp_validate: word(&bond.arp_validate)?,
        arp_all_targets: word(&bond.arp_all_targets)?,
        lacp_rate: word(&bond.lacp_rate)?,
        fail_over_mac: word(&bond.fail_over_mac)?,
        ad_select: word(&bond.ad_select)?,
        ad_actor_sys_prio: number(bond.ad_actor_sys_prio),
        ad_user_port_key: number(bond.ad_user_port_key),
        primary_reselect: word(&bond.primary_reselect)?,
        resend_igmp: number(bond.resend_igmp),
        min_links: number(bond.min_links),
        lp_interval: number(bond.lp_interval),
        packets_per_slave: number(bond.packets_per_slave),
        num_peer_notif: number(bond.num_peer_notif),
        tlb_logical_lb: number(bond.tlb_dynamic_lb),
        all_slaves_active: number(bond.all_slaves_active),
        peer_notif_delay: number(bond.peer_notify_delay),
        common,
        ..BondConfig::default()
    })
}

fn wireguard(name: String, old: &Wireguard, common: CommonLink) -> Option<WireguardConfig> {
    let peer = |peer: &crate::v1alpha1::WireguardPeer| {
        let allowed: Result<Vec<Prefix>, _> =
            peer.allowed_ips.iter().map(|text| text.parse()).collect();
        Some(WireguardPeer {
            public_key: peer.public_key.clone(),
            preshared_key: String::new(),
            endpoint: peer.endpoint.parse().ok()?,
            persistent_keepalive_interval: peer.persistent_keepalive_interval,
            allowed_ips: given(allowed.ok()?),
        })
    };
    let peers: Option<Vec<_>> = old.peers.iter().map(peer).collect();
    Some(WireguardConfig {
        name,
        private_key: old.private_key.clone(),
        listen_port: old.listen_port,
        firewall_mark: old.firewall_mark,
        peers: given(peers?),
        common,
    })
}
