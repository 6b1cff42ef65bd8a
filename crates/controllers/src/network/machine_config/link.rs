//! Links, addresses and routes of the machine configuration: its documents, and the old list of
//! interfaces.

use std::net::IpAddr;

use ::config::Config;
use ::config::kinds::network::{
    BondConfig, BridgeConfig, CommonLink, DummyLinkConfig, LinkConfig, LinkRoute, VethConfig,
    VlanConfig, VlanMode, VrfConfig, WireguardConfig,
};
use ::config::v1alpha1::{Device, Route};
use ::network::id;
use resource::enums::{
    AddressFlags, ConfigLayer, Family, LinkType, RouteProtocol, RouteType, RoutingTable, Scope,
    VLANProtocol,
};
use resource::network::{
    AddressSpecSpec, BridgeMasterSpec, BridgeSlave, BridgeVLANSpec, LinkSpecSpec, RouteSpecSpec,
    STPSpec, VLANSpec, VRFMasterSpec, VRFSlave,
};
use resource::types::{HardwareAddr, NetIp, NetIpPrefix};

use super::{Wanted, kind};

const LAYER: ConfigLayer = ConfigLayer::MACHINE_CONFIGURATION;
/// The priority of a route that has none.
const METRIC: u32 = 1024;

/// Adds all links, addresses and routes. `devices` is the old list, of which each has a name.
pub(super) fn collect(config: &Config, devices: &[Device], wanted: &mut Wanted) {
    for document in config.documents::<LinkConfig>() {
        physical(wanted, &document.name);
        common(wanted, &document.name, &document.common);
    }
    for document in config.documents::<DummyLinkConfig>() {
        let link = logical(wanted, &document.name, "dummy");
        link.hardware_addr = HardwareAddr::from(document.hardware_addr.bytes().to_vec());
        common(wanted, &document.name, &document.common);
    }
    for document in config.documents::<VlanConfig>() {
        let link = logical(wanted, &document.name, "vlan");
        link.parent_name.clone_from(&document.parent);
        let provider = document.vlan_mode == Some(VlanMode::Dot1Ad);
        link.vlan = Some(vlan(document.vlan_id, provider));
        common(wanted, &document.name, &document.common);
    }
    for document in config.documents::<BridgeConfig>() {
        let link = logical(wanted, &document.name, "bridge");
        link.hardware_addr = HardwareAddr::from(document.hardware_addr.bytes().to_vec());
        let filtering_enabled = document.vlan.filtering.unwrap_or(false);
        link.bridge_master = Some(BridgeMasterSpec {
            stp: Some(STPSpec { enabled: document.stp.enabled.unwrap_or(false) }),
            vlan: Some(BridgeVLANSpec { filtering_enabled }),
        });
        for port in &document.links {
            physical(wanted, port).bridge_slave =
                Some(BridgeSlave { master_name: document.name.clone() });
        }
        common(wanted, &document.name, &document.common);
    }
    for document in config.documents::<VrfConfig>() {
        let link = logical(wanted, &document.name, "vrf");
        link.hardware_addr = HardwareAddr::from(document.hardware_addr.bytes().to_vec());
        let table = RoutingTable(i32::from(document.table.0));
        link.vrf_master = Some(VRFMasterSpec { table });
        for port in &document.links {
            physical(wanted, port).vrf_slave =
                Some(VRFSlave { master_name: document.name.clone() });
        }
        common(wanted, &document.name, &document.common);
    }
    for document in config.documents::<BondConfig>() {
        kind::bond(wanted, document);
    }
    for document in config.documents::<VethConfig>() {
        kind::veth(wanted, document);
    }
    for document in config.documents::<WireguardConfig>() {
        kind::wireguard(wanted, document);
    }
    for device in devices {
        old_device(wanted, device);
    }
}

/// The wish for a link that may exist already; what others said about it stays.
pub(super) fn physical<'a>(wanted: &'a mut Wanted, name: &str) -> &'a mut LinkSpecSpec {
    wanted.links.entry(name.to_owned()).or_insert_with(|| LinkSpecSpec {
        name: name.to_owned(),
        up: true,
        layer: LAYER,
        ..LinkSpecSpec::default()
    })
}

pub(super) fn logical<'a>(wanted: &'a mut Wanted, name: &str, kind: &str) -> &'a mut LinkSpecSpec {
    let link = physical(wanted, name);
    link.logical = true;
    kind.clone_into(&mut link.kind);
    link.r#type = LinkType::ETHER;
    link
}

fn vlan(id: u16, provider: bool) -> VLANSpec {
    let vlan_protocol = if provider { VLANProtocol::DOT1AD } else { VLANProtocol::DOT1Q };
    VLANSpec { vlan_id: u32::from(id), vlan_protocol }
}

pub(super) fn common(wanted: &mut Wanted, name: &str, common: &CommonLink) {
    let link = physical(wanted, name);
    link.up = common.up.unwrap_or(true);
    link.mtu = common.mtu;
    link.multicast = common.multicast.unwrap_or(false);
    for address in &common.addresses {
        let prefix = address.address.ip().zip(address.address.bits());
        add_address(wanted, name, NetIpPrefix(prefix), address.route_priority.unwrap_or(0));
    }
    for route in &common.routes {
        add_route(wanted, name, &from_document(route));
    }
}

fn add_address(wanted: &mut Wanted, link: &str, address: NetIpPrefix, priority: u32) {
    let Some(ip) = address.address() else { return };
    let spec = AddressSpecSpec {
        address,
        link_name: link.to_owned(),
        family: family(ip),
        scope: Scope::GLOBAL,
        flags: AddressFlags::PERMANENT,
        priority,
        layer: LAYER,
        ..AddressSpecSpec::default()
    };
    wanted.addresses.insert(id::address(link, address), spec);
}

fn family(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::INET4 } else { Family::INET6 }
}

/// A route of either kind of configuration.
#[derive(Default)]
struct Path {
    destination: NetIpPrefix,
    gateway: NetIp,
    source: NetIp,
    metric: u32,
    mtu: u32,
    table: RoutingTable,
}

fn from_document(route: &LinkRoute) -> Path {
    Path {
        destination: NetIpPrefix(route.destination.ip().zip(route.destination.bits())),
        gateway: NetIp(route.gateway.ip()),
        source: NetIp(route.source.ip()),
        metric: route.metric,
        mtu: route.mtu,
        table: RoutingTable(i32::from(route.table.0)),
    }
}

/// Texts that are no addresses were refused when the configuration was checked.
fn from_old(route: &Route) -> Path {
    Path {
        destination: prefix(&route.network).unwrap_or_default(),
        gateway: route.gateway.parse().unwrap_or_default(),
        source: route.source.parse().unwrap_or_default(),
        metric: route.metric,
        mtu: route.mtu,
        ..Path::default()
    }
}

fn add_route(wanted: &mut Wanted, link: &str, path: &Path) {
    let known = [path.destination.address(), path.gateway.0, path.source.0];
    let Some(family) = known.into_iter().flatten().next().map(family) else { return };
    // A destination of no bits is every address, which a route says by naming none.
    let destination = path.destination.0.filter(|(_, bits)| *bits > 0);
    let direct = path.gateway.0.is_none();
    let spec = RouteSpecSpec {
        family,
        dst: NetIpPrefix(destination).masked(),
        src: path.source,
        gateway: path.gateway,
        out_link_name: link.to_owned(),
        table: match path.table {
            RoutingTable::UNSPEC => RoutingTable::MAIN,
            table => table,
        },
        priority: if path.metric == 0 { METRIC } else { path.metric },
        scope: if direct { Scope::LINK } else { Scope::GLOBAL },
        r#type: RouteType::UNICAST,
        protocol: RouteProtocol::STATIC,
        layer: LAYER,
        mtu: path.mtu,
        ..RouteSpecSpec::default()
    };
    wanted.routes.insert(id::route(&spec), spec);
}

/// An address with its prefix length; one without is a prefix of its own.
pub(super) fn prefix(text: &str) -> Option<NetIpPrefix> {
    if text.contains('/') {
        return text.parse().ok();
    }
    let ip: IpAddr = text.parse().ok()?;
    NetIpPrefix::new(ip, if ip.is_ipv4() { 32 } else { 128 })
}

fn old_device(wanted: &mut Wanted, device: &Device) {
    let name = device.interface.as_str();
    let mtu = u32::try_from(device.mtu).unwrap_or(0);
    if let Some(bridge) = &device.bridge {
        let enabled = bridge.stp.as_ref().is_some_and(|stp| stp.enabled.unwrap_or(true));
        let vlan = bridge
            .vlan
            .as_ref()
            .map(|vlan| BridgeVLANSpec { filtering_enabled: vlan.vlan_filtering.unwrap_or(false) });
        logical(wanted, name, "bridge").bridge_master =
            Some(BridgeMasterSpec { stp: Some(STPSpec { enabled }), vlan });
        for port in &bridge.interfaces {
            physical(wanted, port).bridge_slave =
                Some(BridgeSlave { master_name: name.to_owned() });
        }
    } else if let Some(bond) = &device.bond {
        kind::old_bond(wanted, name, bond);
    } else if let Some(wireguard) = &device.wireguard {
        kind::old_wireguard(wanted, name, wireguard);
    } else if device.dummy.unwrap_or(false) {
        logical(wanted, name, "dummy");
    }
    physical(wanted, name).mtu = mtu;
    if let Some(port) = &device.bridge_port {
        physical(wanted, name).bridge_slave =
            Some(BridgeSlave { master_name: port.master.clone() });
    }
    old_addresses(wanted, name, device.addresses.iter().chain([&device.cidr]), &device.routes);
    for old in device.vlans.iter().flatten() {
        let vlan_name = format!("{name}.{}", old.vlan_id);
        let link = logical(wanted, &vlan_name, "vlan");
        name.clone_into(&mut link.parent_name);
        link.vlan = Some(vlan(old.vlan_id, false));
        link.mtu = old.mtu;
        let addresses = old.addresses.iter().chain([&old.cidr]);
        old_addresses(wanted, &vlan_name, addresses, &old.routes);
    }
}

fn old_addresses<'a>(
    wanted: &mut Wanted,
    link: &str,
    addresses: impl Iterator<Item = &'a String>,
    routes: &[Option<Route>],
) {
    for address in addresses.filter_map(|text| prefix(text)) {
        add_address(wanted, link, address, 0);
    }
    for route in routes.iter().flatten() {
        add_route(wanted, link, &from_old(route));
    }
}
