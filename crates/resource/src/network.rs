//! Network: specs of the contract.

mod address;
mod bgp;
mod ethernet;
mod firewall;
mod link;
mod name;
mod operator;
mod route;
mod status;

pub use address::{
    AddressSpecSpec, AddressStatusSpec, NodeAddressFilterSpec, NodeAddressSortAlgorithmSpec,
    NodeAddressSpec,
};
pub use bgp::{
    BGPBFDConfigSpec, BGPImportRouteSpec, BGPInstanceConfigSpec, BGPNeighborConfigSpec,
    BGPPeerStatusSpec,
};
pub use ethernet::{
    EthernetChannelsSpec, EthernetChannelsStatus, EthernetFeatureStatus, EthernetRingsSpec,
    EthernetRingsStatus, EthernetSpecSpec, EthernetStatusSpec,
};
pub use firewall::{
    NfTablesAddressMatch, NfTablesChainSpec, NfTablesClampMSS, NfTablesConntrackStateMatch,
    NfTablesICMPTypeMatch, NfTablesIfNameMatch, NfTablesLayer4Match, NfTablesLimitMatch,
    NfTablesMark, NfTablesPortMatch, NfTablesRule, PortRange,
};
pub use link::{
    BondMasterSpec, BondSlave, BridgeMasterSpec, BridgeSlave, BridgeVLANSpec, HardwareAddrSpec,
    LinkAliasSpecSpec, LinkDetails, LinkDevice, LinkNames, LinkRefreshSpec, LinkSpecSpec,
    LinkStatusSpec, STPSpec, VLANSpec, VRFMasterSpec, VRFSlave, VethSpec, WireguardPeer,
    WireguardSpec,
};
pub use name::{
    DNSResolveCacheSpec, DNSUpstreamSpec, HostDNSConfigSpec, HostnameSpecSpec, HostnameStatusSpec,
    NameServerSpec, ResolverSpecSpec, ResolverStatusSpec, StaticHostSpec,
};
pub use operator::{
    ClientIdentifierSpec, DHCP4OperatorSpec, DHCP6OperatorSpec, OperatorSpecSpec,
    VIPEquinixMetalSpec, VIPHCloudSpec, VIPOperatorSpec,
};
pub use route::{
    RouteNextHop, RouteSpecSpec, RouteStatusSpec, RoutingRuleSpecSpec, RoutingRuleStatusSpec,
};
pub use status::{
    DeviceConfigSpecSpec, HTTPProbeSpec, PlatformConfigSpec, ProbeSpecSpec, ProbeStatusSpec,
    StatusSpec, TCPProbeSpec, TimeServerSpecSpec, TimeServerStatusSpec,
};
