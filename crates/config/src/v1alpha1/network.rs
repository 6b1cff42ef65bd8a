//! `machine.network` apart from the links.

use config_derive::Section;

use super::Device;
use crate::List;
use crate::scalar::Prefix;

/// Network settings.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Network {
    /// The host name, possibly fully qualified.
    #[field(instead = "HostnameConfig")]
    pub hostname: String,
    /// The links.
    #[field(
        keyed,
        instead = "LinkConfig, DummyLinkConfig, VLANConfig, BridgeConfig, BondConfig, WireguardConfig"
    )]
    pub interfaces: List<Option<Device>>,
    /// The name servers.
    #[field(instead = "ResolverConfig", default = "1.1.1.1, 8.8.8.8")]
    pub nameservers: List<String>,
    /// Domains tried when a short name is looked up.
    #[field(instead = "ResolverConfig")]
    pub search_domains: List<String>,
    /// Lines added to `/etc/hosts`.
    #[field(instead = "StaticHostConfig")]
    pub extra_host_entries: List<HostEntry>,
    /// The encrypted mesh between nodes.
    #[field(instead = "KubeSpanConfig")]
    pub kubespan: Option<KubeSpan>,
    /// Does not make a search domain of the host name's domain.
    #[field(instead = "ResolverConfig", default = "false")]
    pub disable_search_domain: Option<bool>,
}

/// A line of `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct HostEntry {
    /// The address.
    #[field(keep)]
    pub ip: String,
    /// The names.
    #[field(keep)]
    pub aliases: List<String>,
}

/// The encrypted mesh between nodes.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KubeSpan {
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

/// What the mesh leaves out.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KubeSpanFilters {
    /// Endpoints to announce, by subnet; a leading `!` excludes one.
    pub endpoints: List<String>,
    /// Networks that are not announced.
    pub exclude_advertised_networks: List<Prefix>,
}
