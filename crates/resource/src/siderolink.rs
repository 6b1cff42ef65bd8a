//! The management link: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::types::NetIpPort;

/// SideroLink API endpoint and join token; ids: `siderolink`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SiderolinkConfigs.siderolink.talos.dev",
    namespace = "config",
    columns = [("API Endpoint", "{.apiEndpoint}"), ("Tunnel", "{.tunnel}")],
    sensitive,
)]
pub struct ConfigSpec {
    #[field(1, yaml = "apiEndpoint")]
    pub api_endpoint: String,
    #[field(2)]
    pub host: String,
    #[field(3, yaml = "joinToken")]
    pub join_token: String,
    #[field(4)]
    pub insecure: bool,
    #[field(5)]
    pub tunnel: bool,
}

/// SideroLink connection state; ids: `siderolink-status`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SiderolinkStatuses.siderolink.talos.dev",
    namespace = "config",
    columns = [("Host", "{.host}"), ("Connected", "{.connected}")],
)]
pub struct StatusSpec {
    #[field(1)]
    pub host: String,
    #[field(2)]
    pub connected: bool,
    #[field(3, yaml = "linkName")]
    pub link_name: String,
    #[field(4, yaml = "grpcTunnel")]
    pub grpc_tunnel: bool,
}

/// WireGuard-over-gRPC tunnel settings; ids: `siderolink-tunnel`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SiderolinkTunnels.siderolink.talos.dev",
    namespace = "config",
    columns = [("API Endpoint", "{.apiEndpoint}"), ("Link name", "{.linkName}"), ("MTU", "{.mtu}"), ("Node address", "{.nodeAddress}")],
    sensitive,
)]
pub struct TunnelSpec {
    #[field(1, yaml = "apiEndpoint")]
    pub api_endpoint: String,
    #[field(2, yaml = "linkName")]
    pub link_name: String,
    #[field(3)]
    pub mtu: i64,
    #[field(4, yaml = "nodeAddress")]
    pub node_address: NetIpPort,
}
