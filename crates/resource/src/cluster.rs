//! Cluster membership: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::MachineType;
use crate::types::{NetIp, NetIpPort, NetIpPrefix};
use crate::{Message, Spec};

/// Potential cluster member found by discovery; also in namespace cluster-raw with id prefix k8s/ or service/.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Affiliates.cluster.talos.dev",
    namespace = "cluster",
    columns = [("Hostname", "{.hostname}"), ("Machine Type", "{.machineType}"), ("Addresses", "{.addresses}")],
)]
pub struct AffiliateSpec {
    #[field(1, yaml = "nodeId")]
    pub node_id: String,
    #[field(2)]
    pub addresses: Vec<NetIp>,
    #[field(3)]
    pub hostname: String,
    #[field(4, omit)]
    pub nodename: String,
    #[field(5, yaml = "operatingSystem")]
    pub operating_system: String,
    #[field(6, yaml = "machineType")]
    pub machine_type: MachineType,
    #[field(7, omit)]
    pub kubespan: Option<KubeSpanAffiliateSpec>,
    #[field(8, yaml = "controlPlane", omit)]
    pub control_plane: Option<ControlPlane>,
}

/// Effective discovery settings and keys; ids: `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "DiscoveryConfigs.cluster.talos.dev", namespace = "config", sensitive)]
pub struct ConfigSpec {
    #[field(1, yaml = "discoveryEnabled")]
    pub discovery_enabled: bool,
    #[field(2, yaml = "registryKubernetesEnabled")]
    pub registry_kubernetes_enabled: bool,
    #[field(3, yaml = "registryServiceEnabled")]
    pub registry_service_enabled: bool,
    #[field(4, yaml = "serviceEndpoint")]
    pub service_endpoint: String,
    #[field(5, yaml = "serviceEndpointInsecure", omit)]
    pub service_endpoint_insecure: bool,
    #[field(6, yaml = "serviceEncryptionKey")]
    pub service_encryption_key: Vec<u8>,
    #[field(7, yaml = "serviceClusterID")]
    pub service_cluster_id: String,
    #[field(8, yaml = "serviceEndpoints")]
    pub service_endpoints: Vec<ServiceEndpoint>,
}

/// This node's random cluster identity (id local).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Identities.cluster.talos.dev",
    namespace = "cluster",
    columns = [("ID", "{.nodeId}")],
)]
pub struct IdentitySpec {
    #[field(1, yaml = "nodeId")]
    pub node_id: String,
}

/// Cluster id and name; ids: `current`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Infos.cluster.talos.dev",
    namespace = "cluster",
    columns = [("Cluster ID", "{.clusterId}"), ("Cluster Name", "{.clusterName}")],
)]
pub struct InfoSpec {
    #[field(1, yaml = "clusterId")]
    pub cluster_id: String,
    #[field(2, yaml = "clusterName")]
    pub cluster_name: String,
}

/// Accepted cluster members (id = node name).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Members.cluster.talos.dev",
    namespace = "cluster",
    columns = [("Hostname", "{.hostname}"), ("Machine Type", "{.machineType}"), ("OS", "{.operatingSystem}"), ("Addresses", "{.addresses}")],
)]
pub struct MemberSpec {
    #[field(1, yaml = "nodeId")]
    pub node_id: String,
    #[field(2)]
    pub addresses: Vec<NetIp>,
    #[field(3)]
    pub hostname: String,
    #[field(4, yaml = "machineType")]
    pub machine_type: MachineType,
    #[field(5, yaml = "operatingSystem")]
    pub operating_system: String,
    #[field(6, yaml = "controlPlane", omit)]
    pub control_plane: Option<ControlPlane>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ControlPlane {
    #[field(1)]
    pub port: i64,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct KubeSpanAffiliateSpec {
    #[field(1, yaml = "publicKey")]
    pub public_key: String,
    #[field(2)]
    pub address: NetIp,
    #[field(3, yaml = "additionalAddresses")]
    pub additional_addresses: Vec<NetIpPrefix>,
    #[field(4)]
    pub endpoints: Vec<NetIpPort>,
    #[field(5, yaml = "excludeAdvertisedNetworks")]
    pub exclude_advertised_networks: Vec<NetIpPrefix>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ServiceEndpoint {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub endpoint: String,
    #[field(3)]
    pub insecure: bool,
}
