//! The WireGuard mesh: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::PeerState;
use crate::types::{NetIp, NetIpPort, NetIpPrefix};
use crate::{Spec, Timestamp};

/// KubeSpan settings; ids: `kubespan`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "KubeSpanConfigs.kubespan.talos.dev", namespace = "config", sensitive)]
pub struct ConfigSpec {
    #[field(1)]
    pub enabled: bool,
    #[field(2, yaml = "clusterId")]
    pub cluster_id: String,
    #[field(3, yaml = "sharedSecret")]
    pub shared_secret: String,
    #[field(4, yaml = "forceRouting")]
    pub force_routing: bool,
    #[field(5, yaml = "advertiseKubernetesNetworks")]
    pub advertise_kubernetes_networks: bool,
    #[field(6, omit)]
    pub mtu: u32,
    #[field(7, yaml = "endpointFilters", omit)]
    pub endpoint_filters: Vec<String>,
    #[field(8, yaml = "harvestExtraEndpoints")]
    pub harvest_extra_endpoints: bool,
    #[field(9, yaml = "extraEndpoints", omit)]
    pub extra_endpoints: Vec<NetIpPort>,
    #[field(10, yaml = "excludeAdvertisedNetworks", omit)]
    pub exclude_advertised_networks: Vec<NetIpPrefix>,
}

/// Endpoint learned from a working peer.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubeSpanEndpoints.kubespan.talos.dev",
    namespace = "kubespan",
    columns = [("Endpoint", "{.endpoint}"), ("Affiliate ID", "{.affiliateID}")],
)]
pub struct EndpointSpec {
    #[field(1, yaml = "affiliateID")]
    pub affiliate_id: String,
    #[field(2)]
    pub endpoint: NetIpPort,
}

/// Own WireGuard keys and ULA address (id local).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubeSpanIdentities.kubespan.talos.dev",
    namespace = "kubespan",
    columns = [("Address", "{.address}"), ("PublicKey", "{.publicKey}")],
    sensitive,
)]
pub struct IdentitySpec {
    #[field(1)]
    pub address: NetIpPrefix,
    #[field(2)]
    pub subnet: NetIpPrefix,
    #[field(3, yaml = "privateKey")]
    pub private_key: String,
    #[field(4, yaml = "publicKey")]
    pub public_key: String,
}

/// Wanted WireGuard peer (id = public key).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubeSpanPeerSpecs.kubespan.talos.dev",
    namespace = "kubespan",
    columns = [("Label", "{.label}"), ("Endpoints", "{.endpoints}")],
)]
pub struct PeerSpecSpec {
    #[field(1)]
    pub address: NetIp,
    #[field(2, yaml = "allowedIPs")]
    pub allowed_ips: Vec<NetIpPrefix>,
    #[field(3)]
    pub endpoints: Vec<NetIpPort>,
    #[field(4)]
    pub label: String,
}

/// State and counters of a WireGuard peer.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubeSpanPeerStatuses.kubespan.talos.dev",
    namespace = "kubespan",
    columns = [("Label", "{.label}"), ("Endpoint", "{.endpoint}"), ("State", "{.state}"), ("Rx", "{.receiveBytes}"), ("Tx", "{.transmitBytes}")],
)]
pub struct PeerStatusSpec {
    #[field(1)]
    pub endpoint: NetIpPort,
    #[field(2)]
    pub label: String,
    #[field(3)]
    pub state: PeerState,
    #[field(4, yaml = "receiveBytes")]
    pub receive_bytes: i64,
    #[field(5, yaml = "transmitBytes")]
    pub transmit_bytes: i64,
    #[field(6, yaml = "lastHandshakeTime")]
    pub last_handshake_time: Timestamp,
    #[field(7, yaml = "lastUsedEndpoint")]
    pub last_used_endpoint: NetIpPort,
    #[field(8, yaml = "lastEndpointChange")]
    pub last_endpoint_change: Timestamp,
}
