//! Network (links): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::sync::LazyLock;

use crate::enums::{
    ADLACPActive, ADSelect, ARPAllTargets, ARPValidate, BondMode, BondXmitHashPolicy, ConfigLayer,
    Duplex, FailOverMAC, LACPRate, LinkFlags, LinkType, OperationalState, Port, PrimaryReselect,
    RoutingTable, VLANProtocol,
};
use crate::types::{Duration, Empty, HardwareAddr, NetIp, NetIpPrefix, Rare};
use crate::{Message, Spec};

/// MAC of the first physical link (id first).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "HardwareAddresses.net.talos.dev", namespace = "network")]
pub struct HardwareAddrSpec {
    #[field(1)]
    pub name: String,
    #[field(2, yaml = "hardwareAddr")]
    pub hardware_addr: HardwareAddr,
}

/// Alias to give to a link.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LinkAliasSpecs.net.talos.dev",
    namespace = "network",
    columns = [("Alias", "{.alias}")],
)]
pub struct LinkAliasSpecSpec {
    #[field(1)]
    pub alias: String,
}

/// Generation bump to force re-reading a link.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "LinkRefreshes.net.talos.dev", namespace = "network")]
pub struct LinkRefreshSpec {
    #[field(1)]
    pub generation: i64,
}

/// Kernel link state with kind-specific data.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LinkStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["link", "links"],
    columns = [("Alias", "{.alias}"), ("Type", "{.type}"), ("Kind", "{.kind}"), ("Hw Addr", "{.hardwareAddr}"), ("Oper State", "{.operationalState}"), ("Link State", "{.linkState}")],
)]
pub struct LinkStatusSpec {
    #[field(flatten)]
    pub names: Rare<LinkNames>,
    #[field(1)]
    pub index: u32,
    #[field(2)]
    pub r#type: LinkType,
    #[field(3, yaml = "linkIndex")]
    pub link_index: u32,
    #[field(4)]
    pub flags: LinkFlags,
    #[field(5, yaml = "hardwareAddr")]
    pub hardware_addr: HardwareAddr,
    #[field(30, yaml = "permanentAddr")]
    pub permanent_addr: HardwareAddr,
    #[field(6, yaml = "broadcastAddr")]
    pub broadcast_addr: HardwareAddr,
    #[field(7)]
    pub mtu: u32,
    #[field(8, yaml = "queueDisc")]
    pub queue_disc: Box<str>,
    #[field(9, yaml = "masterIndex", omit)]
    pub master_index: u32,
    #[field(10, yaml = "operationalState")]
    pub operational_state: OperationalState,
    #[field(11)]
    pub kind: Box<str>,
    #[field(flatten)]
    pub device: Rare<LinkDevice>,
    #[field(22, yaml = "linkState")]
    pub link_state: bool,
    #[field(23, yaml = "speedMbit", omit)]
    pub speed_mbit: i64,
    #[field(24)]
    pub port: Port,
    #[field(25)]
    pub duplex: Duplex,
    #[field(flatten)]
    pub details: Rare<LinkDetails>,
}

/// The other names of a link: part of [`LinkStatusSpec`] itself, not a message of the contract.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct LinkNames {
    #[field(31, omit)]
    pub alias: String,
    #[field(32, yaml = "altNames", omit)]
    pub alt_names: Vec<String>,
}

/// The device behind a link: part of [`LinkStatusSpec`] itself, not a message of the contract.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct LinkDevice {
    #[field(12, yaml = "slaveKind")]
    pub slave_kind: String,
    #[field(13, yaml = "busPath", omit)]
    pub bus_path: String,
    #[field(14, yaml = "pciID", omit)]
    pub pci_id: String,
    #[field(15, omit)]
    pub driver: String,
    #[field(16, yaml = "driverVersion", omit)]
    pub driver_version: String,
    #[field(17, yaml = "firmwareVersion", omit)]
    pub firmware_version: String,
    #[field(18, yaml = "productID", omit)]
    pub product_id: String,
    #[field(19, yaml = "vendorID", omit)]
    pub vendor_id: String,
    #[field(20, omit)]
    pub product: String,
    #[field(21, omit)]
    pub vendor: String,
}

/// What links of some kinds have: part of [`LinkStatusSpec`] itself, not a message of the
/// contract.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct LinkDetails {
    #[field(26, omit)]
    pub vlan: Option<VLANSpec>,
    #[field(27, yaml = "bridgeMaster", omit)]
    pub bridge_master: Option<BridgeMasterSpec>,
    #[field(28, yaml = "bondMaster", omit)]
    pub bond_master: Option<Box<BondMasterSpec>>,
    #[field(33, yaml = "vrfMaster", omit)]
    pub vrf_master: Option<VRFMasterSpec>,
    #[field(29, omit)]
    pub wireguard: Option<Box<WireguardSpec>>,
    #[field(34, omit)]
    pub veth: Option<VethSpec>,
}

macro_rules! empty {
    ($($group:ty),+) => { $(
        impl Empty for $group {
            fn empty() -> &'static LazyLock<Self> {
                static EMPTY: LazyLock<$group> = LazyLock::new(<$group>::default);
                &EMPTY
            }
        }
    )+ };
}

empty!(LinkNames, LinkDevice, LinkDetails);

/// Wanted link (incl. bond, VLAN, bridge, WireGuard).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "LinkSpecs.net.talos.dev", namespace = "network", sensitive)]
pub struct LinkSpecSpec {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub logical: bool,
    #[field(3)]
    pub up: bool,
    #[field(4)]
    pub mtu: u32,
    #[field(5)]
    pub kind: String,
    #[field(6)]
    pub r#type: LinkType,
    #[field(15, yaml = "hardwareAddr", omit)]
    pub hardware_addr: HardwareAddr,
    #[field(7, yaml = "parentName", omit)]
    pub parent_name: String,
    #[field(8, inline)]
    pub bond_slave: BondSlave,
    #[field(9, yaml = "bridgeSlave", omit)]
    pub bridge_slave: Option<BridgeSlave>,
    #[field(18, yaml = "vrfSlave", omit)]
    pub vrf_slave: Option<VRFSlave>,
    #[field(10, omit)]
    pub vlan: Option<VLANSpec>,
    #[field(11, yaml = "bondMaster", omit)]
    pub bond_master: Option<Box<BondMasterSpec>>,
    #[field(12, yaml = "bridgeMaster", omit)]
    pub bridge_master: Option<BridgeMasterSpec>,
    #[field(17, yaml = "vrfMaster", omit)]
    pub vrf_master: Option<VRFMasterSpec>,
    #[field(13, omit)]
    pub wireguard: Option<Box<WireguardSpec>>,
    #[field(19, omit)]
    pub veth: Option<VethSpec>,
    #[field(14)]
    pub layer: ConfigLayer,
    #[field(16, omit)]
    pub multicast: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BondMasterSpec {
    #[field(1)]
    pub mode: BondMode,
    #[field(2, yaml = "xmitHashPolicy")]
    pub xmit_hash_policy: BondXmitHashPolicy,
    #[field(3, yaml = "lacpRate")]
    pub lacp_rate: LACPRate,
    #[field(4, yaml = "arpValidate")]
    pub arp_validate: ARPValidate,
    #[field(5, yaml = "arpAllTargets")]
    pub arp_all_targets: ARPAllTargets,
    #[field(6, yaml = "primaryIndex", omit)]
    pub primary_index: u32,
    #[field(7, yaml = "primaryReselect")]
    pub primary_reselect: PrimaryReselect,
    #[field(8, yaml = "failOverMac")]
    pub fail_over_mac: FailOverMAC,
    #[field(9, yaml = "adSelect", omit)]
    pub ad_select: ADSelect,
    #[field(10, omit)]
    pub miimon: u32,
    #[field(11, omit)]
    pub updelay: u32,
    #[field(12, omit)]
    pub downdelay: u32,
    #[field(13, yaml = "arpInterval", omit)]
    pub arp_interval: u32,
    #[field(14, yaml = "resendIgmp", omit)]
    pub resend_igmp: u32,
    #[field(15, yaml = "minLinks", omit)]
    pub min_links: u32,
    #[field(16, yaml = "lpInterval", omit)]
    pub lp_interval: u32,
    #[field(17, yaml = "packetsPerSlave", omit)]
    pub packets_per_slave: u32,
    #[field(18, yaml = "numPeerNotif", omit)]
    pub num_peer_notif: u32,
    #[field(19, yaml = "tlbLogicalLb", omit)]
    pub tlb_logical_lb: u32,
    #[field(20, yaml = "allSlavesActive", omit)]
    pub all_slaves_active: u32,
    #[field(21, yaml = "useCarrier", omit)]
    pub use_carrier: bool,
    #[field(22, yaml = "adActorSysPrio", omit)]
    pub ad_actor_sys_prio: u32,
    #[field(23, yaml = "adUserPortKey", omit)]
    pub ad_user_port_key: u32,
    #[field(24, yaml = "peerNotifyDelay", omit)]
    pub peer_notify_delay: u32,
    #[field(25, yaml = "arpIpTargets", omit)]
    pub arp_ip_targets: Vec<NetIp>,
    #[field(26, yaml = "nsIp6Targets", omit)]
    pub ns_ip6_targets: Vec<NetIp>,
    #[field(27, yaml = "adLacpActive", omit)]
    pub ad_lacp_active: ADLACPActive,
    #[field(28, yaml = "missedMax", omit)]
    pub missed_max: u32,
    #[field(29, omit)]
    pub primary: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BondSlave {
    #[field(1, yaml = "masterName", omit)]
    pub master_name: String,
    #[field(2, yaml = "slaveIndex", omit)]
    pub slave_index: i64,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BridgeMasterSpec {
    #[field(1, omit)]
    pub stp: Option<STPSpec>,
    #[field(2, omit)]
    pub vlan: Option<BridgeVLANSpec>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BridgeSlave {
    #[field(1, yaml = "masterName", omit)]
    pub master_name: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BridgeVLANSpec {
    #[field(1, yaml = "filteringEnabled")]
    pub filtering_enabled: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct STPSpec {
    #[field(1)]
    pub enabled: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VLANSpec {
    #[field(1, yaml = "vlanID")]
    pub vlan_id: u32,
    #[field(2, yaml = "vlanProtocol")]
    pub vlan_protocol: VLANProtocol,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VRFMasterSpec {
    #[field(1)]
    pub table: RoutingTable,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VRFSlave {
    #[field(1, yaml = "masterName", omit)]
    pub master_name: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VethSpec {
    #[field(1, yaml = "peerName", omit)]
    pub peer_name: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct WireguardPeer {
    #[field(1, yaml = "publicKey")]
    pub public_key: String,
    #[field(2, yaml = "presharedKey")]
    pub preshared_key: String,
    #[field(3)]
    pub endpoint: String,
    #[field(4, yaml = "persistentKeepaliveInterval")]
    pub persistent_keepalive_interval: Duration,
    #[field(5, yaml = "allowedIPs")]
    pub allowed_ips: Vec<NetIpPrefix>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct WireguardSpec {
    #[field(1, yaml = "privateKey", omit)]
    pub private_key: String,
    #[field(2, yaml = "publicKey", omit)]
    pub public_key: String,
    #[field(3, yaml = "listenPort")]
    pub listen_port: i64,
    #[field(4, yaml = "firewallMark")]
    pub firewall_mark: i64,
    #[field(5)]
    pub peers: Vec<WireguardPeer>,
}
