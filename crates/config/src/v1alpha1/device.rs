//! `machine.network.interfaces[]`, the links as one list.

use config_derive::Section;

use crate::List;
use crate::list::Keyed;

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Device {
    /// The name of the link.
    pub interface: String,
    /// Finds the link by what it is.
    pub device_selector: Option<DeviceSelector>,
    /// Addresses, as `address/bits` or a bare address.
    pub addresses: List<String>,
    /// A single address; `addresses` takes several.
    #[field(instead = "addresses")]
    pub cidr: String,
    /// Routes through the link.
    pub routes: List<Option<Route>>,
    /// Makes the link a bond.
    pub bond: Option<Bond>,
    /// Makes the link a bridge.
    pub bridge: Option<Bridge>,
    /// Makes the link a port of a bridge.
    pub bridge_port: Option<BridgePort>,
    /// VLANs on the link.
    #[field(keyed)]
    pub vlans: List<Option<Vlan>>,
    /// The MTU.
    pub mtu: i64,
    /// Asks for addresses by DHCP.
    #[field(default = "false")]
    pub dhcp: Option<bool>,
    /// Leaves the link alone.
    #[field(default = "false")]
    pub ignore: Option<bool>,
    /// Makes the link a dummy.
    #[field(default = "false")]
    pub dummy: Option<bool>,
    /// How DHCP is done.
    pub dhcp_options: Option<DhcpOptions>,
    /// Makes the link a WireGuard tunnel.
    pub wireguard: Option<Wireguard>,
    /// A shared address that one of the control planes holds.
    pub vip: Option<Vip>,
}

impl Keyed for Device {
    fn same_key(&self, patch: &Self) -> bool {
        if patch.interface.is_empty() {
            match (&self.device_selector, &patch.device_selector) {
                // The contract never takes two selectors with `physical` for the same one.
                (Some(own), Some(other)) => {
                    own.physical.is_none() && other.physical.is_none() && own == other
                }
                _ => false,
            }
        } else {
            self.interface == patch.interface
        }
    }
}

/// Finds a link by what it is; all given conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct DeviceSelector {
    /// Pattern of the bus path.
    pub bus_path: String,
    /// Pattern of the hardware address.
    pub hardware_addr: String,
    /// Pattern of the permanent hardware address.
    pub permanent_addr: String,
    /// Pattern of the PCI vendor and product, `vvvv:pppp`.
    #[field(name = "pciID")]
    pub pci_id: String,
    /// Pattern of the driver name.
    pub driver: String,
    /// Whether the link is a physical device.
    pub physical: Option<bool>,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Route {
    /// The destination; empty means every address.
    #[field(keep)]
    pub network: String,
    /// The next hop.
    #[field(keep)]
    pub gateway: String,
    /// The source address of packets sent this way.
    pub source: String,
    /// The priority, lower wins.
    pub metric: u32,
    /// The MTU of the route.
    pub mtu: u32,
}

/// A bond.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Bond {
    /// The links that make the bond.
    #[field(keep)]
    pub interfaces: List<String>,
    /// Finds the links that make the bond.
    pub device_selectors: List<DeviceSelector>,
    /// Addresses probed to see whether a link works; not supported.
    #[field(name = "arpIPTarget")]
    pub arp_ip_target: List<String>,
    /// How traffic is spread.
    #[field(keep, default = "balance-rr")]
    pub mode: String,
    /// How a link is chosen for a packet.
    pub xmit_hash_policy: String,
    /// How often LACP packets are wanted.
    pub lacp_rate: String,
    /// The system address in LACP; not supported.
    pub ad_actor_system: String,
    /// Which ARP probes are checked.
    pub arp_validate: String,
    /// How many probed addresses must answer.
    pub arp_all_targets: String,
    /// The preferred link.
    pub primary: String,
    /// When the preferred link takes over again.
    pub primary_reselect: String,
    /// Whose hardware address the bond has after a failover.
    pub fail_over_mac: String,
    /// How an aggregator is chosen.
    pub ad_select: String,
    /// Milliseconds between checks of the links.
    pub miimon: u32,
    /// Milliseconds before a link counts as up.
    pub updelay: u32,
    /// Milliseconds before a link counts as down.
    pub downdelay: u32,
    /// Milliseconds between ARP probes.
    pub arp_interval: u32,
    /// How many IGMP reports follow a failover.
    pub resend_igmp: u32,
    /// How many links must be up.
    pub min_links: u32,
    /// Seconds between learning packets.
    pub lp_interval: u32,
    /// Packets per link before the next one is used.
    pub packets_per_slave: u32,
    /// How many peer notifications follow a failover.
    pub num_peer_notif: u8,
    /// Moves flows between links by load.
    pub tlb_dynamic_lb: u8,
    /// Delivers duplicates received on inactive links.
    pub all_slaves_active: u8,
    /// Takes the link state from the driver.
    #[field(default = "true")]
    pub use_carrier: Option<bool>,
    /// The system priority in LACP.
    pub ad_actor_sys_prio: u16,
    /// The upper part of the port key in LACP.
    pub ad_user_port_key: u16,
    /// Milliseconds between peer notifications.
    pub peer_notify_delay: u32,
}

/// A bridge.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Bridge {
    /// The links that are ports of the bridge.
    #[field(keep)]
    pub interfaces: List<String>,
    /// The spanning tree protocol.
    pub stp: Option<Stp>,
    /// VLANs on the bridge.
    pub vlan: Option<BridgeVlan>,
}

/// The spanning tree protocol.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Stp {
    /// Runs the protocol.
    #[field(default = "true")]
    pub enabled: Option<bool>,
}

/// VLANs on a bridge.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BridgeVlan {
    /// Keeps VLANs apart on the bridge.
    #[field(default = "false")]
    pub vlan_filtering: Option<bool>,
}

/// A port of a bridge.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BridgePort {
    /// The bridge.
    pub master: String,
}

/// A VLAN on a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Vlan {
    /// Addresses, as `address/bits` or a bare address.
    pub addresses: List<String>,
    /// A single address; `addresses` takes several.
    #[field(instead = "addresses")]
    pub cidr: String,
    /// Routes through the VLAN.
    #[field(keep)]
    pub routes: List<Option<Route>>,
    /// Asks for addresses by DHCP.
    #[field(default = "false")]
    pub dhcp: Option<bool>,
    /// The VLAN's number.
    #[field(keep)]
    pub vlan_id: u16,
    /// The MTU.
    pub mtu: u32,
    /// A shared address that one of the control planes holds.
    pub vip: Option<Vip>,
    /// How DHCP is done.
    pub dhcp_options: Option<DhcpOptions>,
}

impl Keyed for Vlan {
    fn same_key(&self, patch: &Self) -> bool {
        self.vlan_id == patch.vlan_id
    }
}

/// How DHCP is done.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct DhcpOptions {
    /// The priority of routes learned by DHCP.
    #[field(keep, default = "1024")]
    pub route_metric: u32,
    /// Asks for an IPv4 address.
    #[field(default = "true")]
    pub ipv4: Option<bool>,
    /// Asks for an IPv6 address.
    #[field(default = "false")]
    pub ipv6: Option<bool>,
    /// The identifier given to DHCPv6 servers, in hexadecimal.
    pub duidv6: String,
}

/// A WireGuard tunnel.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Wireguard {
    /// The key of this end.
    #[field(secret)]
    pub private_key: String,
    /// The port on which this end listens.
    pub listen_port: i64,
    /// The mark of the tunnel's own packets.
    pub firewall_mark: i64,
    /// The other ends.
    pub peers: List<WireguardPeer>,
}

/// Another end of a WireGuard tunnel.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct WireguardPeer {
    /// The key of the other end.
    pub public_key: String,
    /// Where the other end listens.
    pub endpoint: String,
    /// How often a packet keeps the path open.
    pub persistent_keepalive_interval: crate::scalar::Duration,
    /// The addresses behind the other end.
    #[field(name = "allowedIPs")]
    pub allowed_ips: List<String>,
}

/// A shared address that one of the control planes holds.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Vip {
    /// The address.
    pub ip: String,
    /// Moves the address through the Equinix Metal API.
    pub equinix_metal: Option<VipProvider>,
    /// Moves the address through the Hetzner Cloud API.
    pub hcloud: Option<VipProvider>,
}

/// Access to the API of a provider.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VipProvider {
    /// The token for the provider's API.
    #[field(keep, secret)]
    pub api_token: String,
}
