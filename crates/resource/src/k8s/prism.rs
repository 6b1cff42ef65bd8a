//! Kubernetes (API server endpoints and the local load balancer): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::types::NetIp;
use crate::{Message, Spec};

/// Upstream candidates for the node-local API balancer; ids: `k8s-cluster`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubePrismEndpoints.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("Hosts", "{.endpoints[*].host}"), ("Ports", "{.endpoints[*].port}")],
)]
pub struct KubePrismEndpointsSpec {
    #[field(1)]
    pub endpoints: Vec<KubePrismEndpoint>,
}

/// Control plane addresses by source; ids: `kube-apiserver` `discovery` `controlplane`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Endpoints.kubernetes.talos.dev",
    namespace = "controlplane",
    columns = [("Addresses", "{.addresses}"), ("Hosts", "{.hosts}")],
)]
pub struct EndpointSpec {
    #[field(1)]
    pub addresses: Vec<NetIp>,
    #[field(2)]
    pub hosts: Vec<String>,
}

/// Listen address and endpoints of KubePrism; ids: `k8s-loadbalancer-config`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubePrismConfigs.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("Host", "{.host}"), ("Port", "{.port}"), ("Endpoints", "{.endpoints}")],
)]
pub struct KubePrismConfigSpec {
    #[field(1)]
    pub host: String,
    #[field(2)]
    pub port: i64,
    #[field(3)]
    pub endpoints: Vec<KubePrismEndpoint>,
}

/// KubePrism health; ids: `k8s-loadbalancer`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "KubePrismStatuses.kubernetes.talos.dev",
    namespace = "k8s",
    columns = [("HOST", "{.host}"), ("HEALTHY", "{.healthy}")],
)]
pub struct KubePrismStatusesSpec {
    #[field(1)]
    pub host: String,
    #[field(2)]
    pub healthy: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct KubePrismEndpoint {
    #[field(1)]
    pub host: String,
    #[field(2)]
    pub port: u32,
}
