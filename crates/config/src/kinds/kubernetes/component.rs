//! Controller manager, scheduler, proxy, flannel, CoreDNS and the kubelet.

use config_derive::Section;

use crate::scalar::Args;
use crate::v1alpha1::Resources;
use crate::{Free, List, Map};

/// The controller manager of this control plane.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeControllerManagerConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the component restarts on this machine",
    control_plane
)]
pub struct KubeControllerManagerConfig {
    /// Runs the controller manager.
    #[field(default = "true")]
    pub enabled: Option<bool>,
    /// The image.
    #[field(required)]
    pub image: String,
    /// Further command-line arguments; a list repeats an argument.
    pub extra_args: Args,
    /// Environment variables.
    pub env: Map<String>,
    /// Processor and memory of the pod.
    pub resources: Option<Resources>,
}

/// The scheduler of this control plane.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeSchedulerConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the component restarts on this machine",
    control_plane
)]
pub struct KubeSchedulerConfig {
    /// Runs the scheduler.
    #[field(default = "true")]
    pub enabled: Option<bool>,
    /// The image.
    #[field(required)]
    pub image: String,
    /// The scheduler's configuration.
    #[field(keep)]
    pub config: Free,
    /// Further command-line arguments; a list repeats an argument.
    pub extra_args: Args,
    /// Environment variables.
    pub env: Map<String>,
    /// Processor and memory of the pod.
    pub resources: Option<Resources>,
}

/// The service proxy of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeProxyConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "Kubernetes rolls the pods out anew",
    control_plane
)]
pub struct KubeProxyConfig {
    /// Runs the proxy.
    #[field(default = "true")]
    pub enabled: Option<bool>,
    /// The image.
    #[field(required)]
    pub image: String,
    /// How services are implemented.
    #[field(default = "nftables", values = "nftables, iptables, ipvs")]
    pub mode: String,
    /// Changes to the proxy's configuration.
    #[field(keep)]
    pub config: Free,
    /// Further command-line arguments; a list repeats an argument.
    pub extra_args: Args,
    /// Processor and memory of the pods.
    pub resources: Option<Resources>,
}

/// The flannel pod network of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeFlannelCNIConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "Kubernetes rolls the pods out anew",
    control_plane
)]
pub struct KubeFlannelCniConfig {
    /// The backend that carries packets between nodes.
    #[field(keep, required)]
    pub backend_type: String,
    /// The port of the backend.
    pub backend_port: u16,
    /// The MTU of the backend.
    #[field(name = "backendMTU")]
    pub backend_mtu: u32,
    /// Further settings of the backend.
    pub backend_extra_config: Free,
    /// Processor and memory of the pods.
    pub resources: Option<Resources>,
    /// Further command-line arguments.
    pub extra_args: List<String>,
    /// Runs the network policy controller beside flannel.
    #[field(default = "false")]
    pub kube_network_policies_enabled: Option<bool>,
}

/// The name server of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeCoreDNSConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "Kubernetes rolls the pods out anew",
    control_plane
)]
pub struct KubeCoreDnsConfig {
    /// Runs the name server.
    #[field(default = "true")]
    pub enabled: Option<bool>,
    /// The image; by default the one this release was made for.
    pub image: String,
}

/// The kubelet of this machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeletConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the kubelet restarts"
)]
pub struct KubeletConfig {
    /// The image.
    #[field(keep, required)]
    pub image: String,
    /// Changes to the kubelet's configuration; some keys belong to the system.
    #[field(keep)]
    pub config: Free,
    /// Further command-line arguments; a list repeats an argument.
    pub extra_args: Args,
    /// The addresses that pods ask for names; by default taken from the service subnets.
    #[field(name = "clusterDNS")]
    pub cluster_dns: List<String>,
    /// Runs pods without a profile under the runtime's default seccomp profile.
    #[field(default = "false")]
    pub default_runtime_seccomp_profile_enabled: Option<bool>,
}

/// Programs that give the kubelet credentials for image registries.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(
    kind = "KubeCredentialProviderConfig",
    group = "kubernetes",
    since = "1.14",
    effect = "the kubelet restarts"
)]
pub struct KubeCredentialProviderConfig {
    /// The credential provider configuration.
    #[field(replace)]
    pub configuration: Free,
}
