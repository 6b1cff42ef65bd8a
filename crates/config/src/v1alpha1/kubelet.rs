//! `machine.kubelet` and `machine.controlPlane`.

use config_derive::Section;

use crate::scalar::Args;
use crate::{Free, List};

/// Turns control-plane components of this machine off.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ControlPlaneToggles {
    /// The controller manager of this machine.
    #[field(
        instead = "KubeControllerManagerConfig",
        effect = "the component stops or starts on this machine"
    )]
    pub controller_manager: Option<Toggle>,
    /// The scheduler of this machine.
    #[field(
        instead = "KubeSchedulerConfig",
        effect = "the component stops or starts on this machine"
    )]
    pub scheduler: Option<Toggle>,
}

/// A component that can be turned off.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Toggle {
    /// Turns the component off on this machine.
    #[field(default = "false")]
    pub disabled: Option<bool>,
}

/// Settings of the kubelet.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Kubelet {
    /// The kubelet image.
    #[field(instead = "KubeletConfig")]
    pub image: String,
    /// The addresses that pods ask for names; by default taken from the service subnets.
    #[field(name = "clusterDNS", instead = "KubeletConfig")]
    pub cluster_dns: List<String>,
    /// Further command-line arguments.
    #[field(instead = "KubeletConfig")]
    pub extra_args: Args,
    /// Further mounts in the kubelet's container.
    pub extra_mounts: List<ExtraMount>,
    /// Changes to the kubelet's configuration file.
    #[field(instead = "KubeletConfig")]
    pub extra_config: Free,
    /// Programs that give the kubelet credentials for image registries.
    #[field(instead = "KubeCredentialProviderConfig")]
    pub credential_provider_config: Free,
    /// Runs pods without a profile under the runtime's default seccomp profile.
    #[field(instead = "KubeletConfig", default = "false")]
    pub default_runtime_seccomp_profile_enabled: Option<bool>,
    /// Registers the node by its fully qualified name.
    #[field(name = "registerWithFQDN", instead = "KubeNodeConfig", default = "false")]
    pub register_with_fqdn: Option<bool>,
    /// Which addresses of the machine may become the node's address.
    #[field(name = "nodeIP", instead = "KubeNodeConfig")]
    pub node_ip: Option<NodeIp>,
    /// Runs the kubelet without registering a node.
    #[field(instead = "KubeNodeConfig", default = "false")]
    pub skip_node_registration: Option<bool>,
    /// Ignores `/etc/kubernetes/manifests`.
    #[field(instead = "KubeletConfig", default = "false")]
    pub disable_manifests_directory: Option<bool>,
}

/// A further mount in the kubelet's container.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ExtraMount {
    /// Where it appears.
    #[field(keep)]
    pub destination: String,
    /// The mount type.
    #[field(name = "type")]
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// Mount options.
    pub options: List<String>,
    /// User id mappings.
    pub uid_mappings: List<IdMapping>,
    /// Group id mappings.
    pub gid_mappings: List<IdMapping>,
}

/// A range of ids and where it maps to.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct IdMapping {
    /// The first id in the container.
    #[field(name = "containerID", keep)]
    pub container_id: u32,
    /// The first id on the machine.
    #[field(name = "hostID", keep)]
    pub host_id: u32,
    /// How many ids.
    #[field(keep)]
    pub size: u32,
}

/// Which addresses of the machine may become the node's address.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct NodeIp {
    /// Subnets to choose from; a leading `!` excludes one.
    pub valid_subnets: List<String>,
}
