//! The encrypted mesh between nodes.

use config_derive::Section;

use crate::List;
use crate::scalar::SocketAddress;
use crate::v1alpha1::KubeSpanFilters;

/// The encrypted mesh between nodes.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeSpanConfig", group = "network", since = "1.13")]
pub struct KubeSpanConfig {
    /// Turns the mesh on.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// Routes pod and service networks over the mesh.
    #[field(default = "false")]
    pub advertise_kubernetes_networks: Option<bool>,
    /// Sends traffic for an unreachable peer around the mesh.
    #[field(default = "false")]
    pub allow_down_peer_bypass: Option<bool>,
    /// Learns further endpoints of peers from the mesh itself.
    #[field(default = "false")]
    pub harvest_extra_endpoints: Option<bool>,
    /// The MTU of the mesh link.
    #[field(default = "1420")]
    pub mtu: Option<u32>,
    /// What is left out.
    pub filters: Option<KubeSpanFilters>,
}

/// Further endpoints that this machine announces to the mesh.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeSpanEndpointsConfig", group = "network", since = "1.8")]
pub struct KubeSpanEndpointsConfig {
    /// The endpoints.
    pub extra_announced_endpoints: List<SocketAddress>,
}
