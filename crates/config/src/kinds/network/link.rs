//! Links.

use config_derive::Section;

use crate::scalar::{
    Address, Duration, Expression, HardwareAddress, Prefix, RoutingTable, SocketAddress, choice,
};
use crate::{List, Map};

/// What all links have in common.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct CommonLink {
    /// Sets the link up or down.
    #[field(default = "true")]
    pub up: Option<bool>,
    /// The MTU.
    pub mtu: u32,
    /// Addresses of the link.
    pub addresses: List<LinkAddress>,
    /// Routes through the link.
    pub routes: List<LinkRoute>,
    /// Takes part in multicast.
    pub multicast: Option<bool>,
}

/// An address of a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct LinkAddress {
    /// The address with the length of its prefix.
    #[field(required)]
    pub address: Prefix,
    /// The priority of the route to the prefix.
    pub route_priority: Option<u32>,
}

/// A route through a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct LinkRoute {
    /// The destination; without it every address of the gateway's family.
    pub destination: Prefix,
    /// The next hop.
    pub gateway: Address,
    /// The source address of packets sent this way.
    pub source: Address,
    /// The priority, lower wins.
    pub metric: u32,
    /// The MTU of the route.
    pub mtu: u32,
    /// The routing table.
    #[field(default = "main")]
    pub table: RoutingTable,
}

/// A physical link, or any link that exists already.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "LinkConfig", group = "network", since = "1.12", named)]
pub struct LinkConfig {
    /// The name or alias of the link.
    #[field(keep, required)]
    pub name: String,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// A dummy link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "DummyLinkConfig", group = "network", since = "1.12", named)]
pub struct DummyLinkConfig {
    /// The name of the link.
    #[field(keep, required)]
    pub name: String,
    /// The hardware address.
    pub hardware_addr: HardwareAddress,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

choice! {
    /// How VLAN tags are written.
    VlanMode {
        /// The common form.
        Dot1Q = "802.1q",
        /// The form of provider bridges.
        Dot1Ad = "802.1ad",
    }
}

/// A VLAN on a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "VLANConfig", group = "network", since = "1.12", named)]
pub struct VlanConfig {
    /// The name of the link.
    #[field(keep, required)]
    pub name: String,
    /// The VLAN's number.
    #[field(name = "vlanID", required)]
    pub vlan_id: u16,
    /// How tags are written.
    #[field(default = "802.1q")]
    pub vlan_mode: Option<VlanMode>,
    /// The link below.
    #[field(required)]
    pub parent: String,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// A bridge.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "BridgeConfig", group = "network", since = "1.12", named)]
pub struct BridgeConfig {
    /// The name of the link.
    #[field(keep, required)]
    pub name: String,
    /// The hardware address.
    pub hardware_addr: HardwareAddress,
    /// The links that are ports of the bridge.
    pub links: List<String>,
    /// The spanning tree protocol.
    pub stp: BridgeStp,
    /// VLANs on the bridge.
    pub vlan: BridgeVlanFilter,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// The spanning tree protocol.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BridgeStp {
    /// Runs the protocol.
    pub enabled: Option<bool>,
}

/// VLANs on a bridge.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BridgeVlanFilter {
    /// Keeps VLANs apart on the bridge.
    pub filtering: Option<bool>,
}

/// A routing domain of its own.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "VRFConfig", group = "network", since = "1.13", named)]
pub struct VrfConfig {
    /// The name of the link.
    #[field(keep, required)]
    pub name: String,
    /// The hardware address.
    pub hardware_addr: HardwareAddress,
    /// The links in the domain.
    pub links: List<String>,
    /// The routing table of the domain.
    #[field(required)]
    pub table: RoutingTable,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// A pair of links joined end to end.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "VethConfig", group = "network", since = "1.14", named)]
pub struct VethConfig {
    /// The name of this end.
    #[field(keep, required)]
    pub name: String,
    /// The other end.
    #[field(required)]
    pub peer: VethPeer,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// The other end of a pair.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VethPeer {
    /// The name of the other end.
    #[field(required)]
    pub name: String,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// A WireGuard tunnel.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "WireguardConfig", group = "network", since = "1.12", named)]
pub struct WireguardConfig {
    /// The name of the link.
    #[field(keep, required)]
    pub name: String,
    /// The key of this end.
    #[field(required, secret)]
    pub private_key: String,
    /// The port on which this end listens.
    pub listen_port: i64,
    /// The mark of the tunnel's own packets.
    pub firewall_mark: i64,
    /// The other ends.
    pub peers: List<WireguardPeer>,
    /// What all links have in common.
    #[field(inline)]
    pub common: CommonLink,
}

/// Another end of a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct WireguardPeer {
    /// The key of the other end.
    #[field(required)]
    pub public_key: String,
    /// A key that both ends share.
    #[field(secret)]
    pub preshared_key: String,
    /// Where the other end listens.
    pub endpoint: SocketAddress,
    /// How often a packet keeps the path open.
    pub persistent_keepalive_interval: Duration,
    /// The addresses behind the other end.
    #[field(name = "allowedIPs")]
    pub allowed_ips: List<Prefix>,
}

/// Another name for a link, found by what it is.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "LinkAliasConfig", group = "network", since = "1.12", named)]
pub struct LinkAliasConfig {
    /// The alias; a trailing `%d` numbers the links found.
    #[field(keep, required)]
    pub name: String,
    /// Finds the link.
    #[field(required)]
    pub selector: LinkSelector,
}

/// Finds a link.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct LinkSelector {
    /// Condition on `link`.
    #[field(name = "match", required)]
    pub condition: Expression,
}

choice! {
    /// What wakes a sleeping machine.
    WakeOnLan {
        /// Activity on the line.
        Phy = "phy",
        /// Packets for this machine.
        Unicast = "unicast",
        /// Packets for a group.
        Multicast = "multicast",
        /// Packets for everyone.
        Broadcast = "broadcast",
        /// ARP packets.
        Arp = "arp",
        /// The magic packet.
        Magic = "magic",
        /// The magic packet with a password.
        MagicSecure = "magicsecure",
        /// Packets that a filter takes.
        Filter = "filter",
    }
}

/// Settings of an Ethernet link's hardware.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "EthernetConfig", group = "network", since = "1.10", named)]
pub struct EthernetConfig {
    /// The link.
    #[field(keep, required)]
    pub name: String,
    /// Features by name, on or off.
    pub features: Map<bool>,
    /// The sizes of the rings.
    pub rings: Option<EthernetRings>,
    /// The numbers of channels.
    pub channels: Option<EthernetChannels>,
    /// What wakes the machine; an empty list turns it off.
    pub wake_on_lan: List<WakeOnLan>,
}

/// The sizes of a link's rings.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct EthernetRings {
    /// Received packets.
    pub rx: Option<u32>,
    /// Sent packets.
    pub tx: Option<u32>,
    /// Received small packets.
    #[field(name = "rx-mini")]
    pub rx_mini: Option<u32>,
    /// Received large packets.
    #[field(name = "rx-jumbo")]
    pub rx_jumbo: Option<u32>,
    /// The length of a receive buffer.
    #[field(name = "rx-buf-len")]
    pub rx_buf_len: Option<u32>,
    /// The size of a completion event.
    #[field(name = "cqe-size")]
    pub cqe_size: Option<u32>,
    /// Pushes descriptors of sent packets to the device.
    #[field(name = "tx-push")]
    pub tx_push: Option<bool>,
    /// Pushes descriptors of received packets to the device.
    #[field(name = "rx-push")]
    pub rx_push: Option<bool>,
    /// The length of the buffer for pushed descriptors.
    #[field(name = "tx-push-buf-len")]
    pub tx_push_buf_len: Option<u32>,
    /// Keeps headers and data of TCP packets apart.
    #[field(name = "tcp-data-split")]
    pub tcp_data_split: Option<bool>,
}

/// The numbers of a link's channels.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct EthernetChannels {
    /// For received packets.
    pub rx: Option<u32>,
    /// For sent packets.
    pub tx: Option<u32>,
    /// For other events.
    pub other: Option<u32>,
    /// For both directions.
    pub combined: Option<u32>,
}
