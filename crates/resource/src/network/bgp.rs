//! Network (BGP): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{BGPSessionState, RoutingTable};
use crate::types::{Duration, NetIp, NetIpPrefix};
use crate::{Message, Spec, Timestamp};

/// Resolved BGP instance.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "BGPInstanceConfigs.net.talos.dev",
    namespace = "network",
    columns = [("Local ASN", "{.localASN}"), ("Router ID", "{.routerID}"), ("VRF", "{.vrf}"), ("Neighbors", "{.neighbors}")],
)]
pub struct BGPInstanceConfigSpec {
    #[field(1, yaml = "localASN")]
    pub local_asn: u32,
    #[field(2, yaml = "routerID", omit)]
    pub router_id: NetIp,
    #[field(3, yaml = "routeSource", omit)]
    pub route_source: NetIp,
    #[field(4, yaml = "advertiseLinks", omit)]
    pub advertise_links: Vec<String>,
    #[field(5, omit)]
    pub multipath: bool,
    #[field(6, yaml = "maxPaths", omit)]
    pub max_paths: u32,
    #[field(7, omit)]
    pub neighbors: Vec<BGPNeighborConfigSpec>,
    #[field(8, omit)]
    pub vrf: String,
    #[field(9, yaml = "vrfTable", omit)]
    pub vrf_table: RoutingTable,
    #[field(10, yaml = "importRoutes", omit)]
    pub import_routes: Vec<BGPImportRouteSpec>,
    #[field(11, yaml = "installRoutes")]
    pub install_routes: bool,
}

/// BGP session state.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "BGPPeerStatuses.net.talos.dev",
    namespace = "network",
    columns = [("Instance", "{.instance}"), ("Peer", "{.peer}"), ("Peer AS", "{.peerASN}"), ("State", "{.state}"), ("Since", "{.since}"), ("Received", "{.received}")],
)]
pub struct BGPPeerStatusSpec {
    #[field(1)]
    pub peer: String,
    #[field(2, yaml = "localASN")]
    pub local_asn: u32,
    #[field(3, yaml = "peerASN")]
    pub peer_asn: u32,
    #[field(4)]
    pub state: BGPSessionState,
    #[field(5, yaml = "routerID", omit)]
    pub router_id: NetIp,
    #[field(6, omit)]
    pub since: Timestamp,
    #[field(7)]
    pub received: u32,
    #[field(8)]
    pub advertised: u32,
    #[field(9)]
    pub accepted: u32,
    #[field(10, yaml = "bfdState", omit)]
    pub bfd_state: String,
    #[field(11)]
    pub instance: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BGPBFDConfigSpec {
    #[field(1, yaml = "transmitInterval", omit)]
    pub transmit_interval: Duration,
    #[field(2, yaml = "receiveInterval", omit)]
    pub receive_interval: Duration,
    #[field(3, yaml = "detectMultiplier", omit)]
    pub detect_multiplier: u32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BGPImportRouteSpec {
    #[field(1, yaml = "bgpInstance")]
    pub bgp_instance: String,
    #[field(2)]
    pub prefixes: Vec<NetIpPrefix>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct BGPNeighborConfigSpec {
    #[field(1, omit)]
    pub address: NetIp,
    #[field(2, omit)]
    pub link: String,
    #[field(3, yaml = "peerASN", omit)]
    pub peer_asn: u32,
    #[field(4, yaml = "holdTime", omit)]
    pub hold_time: Duration,
    #[field(5, omit)]
    pub bfd: Option<BGPBFDConfigSpec>,
    #[field(6, yaml = "localASN", omit)]
    pub local_asn: u32,
    #[field(7, omit)]
    pub passive: bool,
}
