//! The cluster as a whole: name, endpoint, networks, the local load balancer, access for pods.

use config_derive::Section;

use crate::List;
use crate::scalar::Url;

/// The name of the cluster and where its API is reached.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeClusterConfig", group = "kubernetes", since = "1.14")]
pub struct KubeClusterConfig {
    /// The name of the cluster.
    #[field(keep, required)]
    pub cluster_name: String,
    /// The URL of the Kubernetes API.
    #[field(keep, required)]
    pub endpoint: Url,
}

/// The networks of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeNetworkConfig", group = "kubernetes", since = "1.14")]
pub struct KubeNetworkConfig {
    /// The domain of cluster names.
    #[field(default = "cluster.local")]
    pub dns_domain: String,
    /// The subnets of pods, one per family.
    #[field(replace, required)]
    pub pod_subnets: List<String>,
    /// The subnets of services, one per family.
    #[field(replace, required)]
    pub service_subnets: List<String>,
    /// The length of the IPv4 pod subnet of one node.
    #[field(name = "nodeCIDRMaskSizeIPv4", default = "24")]
    pub node_cidr_mask_size_ipv4: Option<i64>,
    /// The length of the IPv6 pod subnet of one node.
    #[field(name = "nodeCIDRMaskSizeIPv6", default = "64")]
    pub node_cidr_mask_size_ipv6: Option<i64>,
}

/// The local load balancer of API servers; without this document it is off.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubePrismConfig", group = "kubernetes", since = "1.14")]
pub struct KubePrismConfig {
    /// The port on the loopback address.
    #[field(keep, required)]
    pub port: i64,
    /// The name that clients expect in the certificate of an API server.
    pub tls_server_name: String,
}

/// Gives pods access to the node API.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "KubeTalosAPIAccessConfig", group = "kubernetes", since = "1.14", control_plane)]
pub struct KubeTalosApiAccessConfig {
    /// The roles that pods may get.
    pub allowed_roles: List<String>,
    /// The namespaces whose pods may ask.
    pub allowed_kubernetes_namespaces: List<String>,
}
