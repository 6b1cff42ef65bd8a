//! BGP.

use config_derive::Section;

use crate::List;
use crate::scalar::{Address, Duration, Prefix};

/// A BGP speaker.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "BGPInstanceConfig", group = "network", since = "1.14", named)]
pub struct BgpInstanceConfig {
    /// A name for the speaker.
    #[field(keep, required)]
    pub name: String,
    /// The routing domain.
    pub vrf: String,
    /// The number of the own autonomous system.
    #[field(name = "localASN", required)]
    pub local_asn: u32,
    /// The identity of the speaker, an IPv4 address.
    #[field(name = "routerID")]
    pub router_id: Address,
    /// The source address of learned routes.
    pub route_source: Address,
    /// The prefixes that are announced.
    #[field(replace)]
    pub advertise: List<Prefix>,
    /// Uses several paths at once.
    #[field(default = "false")]
    pub multipath: Option<bool>,
    /// The most paths used at once.
    pub max_paths: u8,
    /// Puts learned routes into the kernel.
    #[field(default = "true")]
    pub install_routes: Option<bool>,
    /// Routes taken over from other speakers of this machine.
    #[field(replace)]
    pub import_routes: List<BgpImport>,
    /// The neighbours.
    #[field(replace)]
    pub neighbors: List<BgpNeighbor>,
}

/// Routes taken over from another speaker.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BgpImport {
    /// The other speaker.
    #[field(required)]
    pub bgp_instance: String,
    /// The prefixes taken.
    #[field(required)]
    pub prefixes: List<Prefix>,
}

/// A neighbour.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BgpNeighbor {
    /// Its address.
    pub address: Address,
    /// The link behind which it is.
    pub link: String,
    /// The number of its autonomous system.
    #[field(name = "peerASN")]
    pub peer_asn: u32,
    /// The number of the own autonomous system towards it.
    #[field(name = "localASN")]
    pub local_asn: u32,
    /// Waits for it to connect.
    pub passive: bool,
    /// How long it may be silent.
    pub hold_time: Duration,
    /// Fast detection of failures.
    pub bfd: Option<BgpBfd>,
}

/// Fast detection of failures.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct BgpBfd {
    /// How often a packet is sent.
    pub transmit_interval: Duration,
    /// How often a packet is wanted.
    pub receive_interval: Duration,
    /// How many packets may be missed.
    pub detect_multiplier: u8,
}
