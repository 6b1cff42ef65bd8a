//! `machine.features`, the switches of the system.

use config_derive::Section;

use crate::List;

/// Switches of the system.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Features {
    /// Has no effect any more: roles are always checked.
    #[field(ignored)]
    pub rbac: Option<bool>,
    /// Makes the host name of the machine's identity instead of its address.
    #[field(instead = "HostnameConfig", default = "false")]
    pub stable_hostname: Option<bool>,
    /// Gives pods access to the node API.
    #[field(name = "kubernetesTalosAPIAccess", instead = "KubeTalosAPIAccessConfig")]
    pub kubernetes_api_access: Option<KubernetesApiAccess>,
    /// Has no effect any more: client certificates are always checked for their use.
    #[field(ignored)]
    pub apid_check_ext_key_usage: Option<bool>,
    /// Counts and limits the disk space of pods.
    #[field(default = "false", effect = "used when the volume is mounted, at the next start")]
    pub disk_quota_support: Option<bool>,
    /// The local load balancer of API servers.
    #[field(instead = "KubePrismConfig")]
    pub kube_prism: Option<KubePrism>,
    /// The local name server.
    #[field(name = "hostDNS", instead = "ResolverConfig")]
    pub host_dns: Option<HostDns>,
    /// The local image cache.
    #[field(instead = "ImageCacheConfig")]
    pub image_cache: Option<ImageCache>,
    /// How the addresses of the node are ordered.
    #[field(default = "v1", values = "v1, v2")]
    pub node_address_sort_algorithm: String,
}

/// Gives pods access to the node API.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KubernetesApiAccess {
    /// Turns the access on.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// The roles that pods may get.
    pub allowed_roles: List<String>,
    /// The namespaces whose pods may ask.
    pub allowed_kubernetes_namespaces: List<String>,
}

/// The local load balancer of API servers.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KubePrism {
    /// Turns it on.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// The port on the loopback address.
    #[field(default = "7445")]
    pub port: i64,
}

/// The local name server.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct HostDns {
    /// Turns it on.
    #[field(default = "false")]
    pub enabled: Option<bool>,
    /// Lets the cluster's name server ask the local one.
    #[field(name = "forwardKubeDNSToHost", default = "false")]
    pub forward_kube_dns_to_host: Option<bool>,
    /// Answers for the names of cluster members.
    #[field(default = "false")]
    pub resolve_member_names: Option<bool>,
}

/// The local image cache.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ImageCache {
    /// Turns it on.
    #[field(default = "false")]
    pub local_enabled: Option<bool>,
}
