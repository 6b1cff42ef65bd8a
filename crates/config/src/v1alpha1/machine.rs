//! `machine:`, the settings of one machine.

use config_derive::Section;

use super::{
    ControlPlaneToggles, Disk, Features, Install, Kubelet, Network, Registries,
    SystemDiskEncryption,
};
use crate::scalar::{Certificate, Duration, FileMode, Identity, Url};
use crate::{Free, List, Map};

/// The settings of one machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Machine {
    /// The role of the machine in the cluster.
    #[field(
        name = "type",
        keep,
        default = "worker",
        values = "controlplane, worker, init, join",
        effect = "a node keeps its role until it is reset"
    )]
    pub kind: String,
    /// The token with which a machine asks trustd for its certificates.
    #[field(keep, secret)]
    pub token: String,
    /// The authority that issues the certificates of the node API; the key stays on control planes.
    pub ca: Option<Identity>,
    /// Further authorities whose certificates the node API accepts, for rotation.
    #[field(name = "acceptedCAs")]
    pub accepted_cas: List<Certificate>,
    /// Further names and addresses for the certificate of the node API.
    #[field(name = "certSANs", keep)]
    pub cert_sans: List<String>,
    /// Turns control-plane components of this machine off.
    pub control_plane: Option<ControlPlaneToggles>,
    /// Settings of the kubelet.
    #[field(instead = "KubeletConfig", effect = "the kubelet restarts")]
    pub kubelet: Option<Kubelet>,
    /// Static pods run by the kubelet of this machine.
    #[field(instead = "KubeStaticPodConfig")]
    pub pods: List<Free>,
    /// Network settings.
    pub network: Option<Network>,
    /// Further disks to partition and mount.
    #[field(instead = "UserVolumeConfig", effect = "disks are partitioned at the next start")]
    pub disks: List<Option<Disk>>,
    /// How the system is written to disk.
    #[field(
        instead = "UnattendedInstallConfig",
        effect = "used when the system is installed or upgraded"
    )]
    pub install: Option<Install>,
    /// Files written by the system.
    #[field(
        instead = "EtcFileConfig, CRICustomizationConfig",
        effect = "written at the next start"
    )]
    pub files: List<Option<File>>,
    /// Environment variables of the system and its services.
    #[field(instead = "EnvironmentConfig", effect = "processes see it when they start again")]
    pub env: Map<String>,
    /// Time synchronisation.
    #[field(instead = "TimeSyncConfig")]
    pub time: Option<Time>,
    /// Kernel parameters below `/proc/sys`.
    #[field(instead = "SysctlConfig")]
    pub sysctls: Map<String>,
    /// Kernel parameters below `/sys`.
    #[field(instead = "SysfsConfig")]
    pub sysfs: Map<String>,
    /// Mirrors, credentials and trust of image registries.
    #[field(instead = "RegistryMirrorConfig, RegistryAuthConfig, RegistryTLSConfig")]
    pub registries: Option<Registries>,
    /// Encryption of the system's own partitions.
    #[field(instead = "VolumeConfig", effect = "used when the partition is made")]
    pub system_disk_encryption: Option<SystemDiskEncryption>,
    /// Switches of the system.
    pub features: Option<Features>,
    /// Rules for device events.
    #[field(instead = "UdevRulesConfig")]
    pub udev: Option<Udev>,
    /// Where service logs are sent.
    pub logging: Option<Logging>,
    /// Kernel modules.
    #[field(instead = "KernelModuleConfig")]
    pub kernel: Option<Kernel>,
    /// Seccomp profiles that pods may name.
    pub seccomp_profiles: List<Option<SeccompProfile>>,
    /// Changes to the default runtime specification of containers.
    #[field(instead = "CRIBaseRuntimeSpecConfig")]
    pub base_runtime_spec_overrides: Free,
    /// Labels of the Kubernetes node.
    #[field(instead = "KubeNodeConfig")]
    pub node_labels: Map<String>,
    /// Annotations of the Kubernetes node.
    #[field(instead = "KubeNodeConfig")]
    pub node_annotations: Map<String>,
    /// Taints of the Kubernetes node, as `value:Effect` or `Effect`.
    #[field(instead = "KubeNodeConfig")]
    pub node_taints: Map<String>,
}

/// A file written by the system.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct File {
    /// What the file holds.
    #[field(keep)]
    pub content: String,
    /// The mode of the file.
    #[field(keep)]
    pub permissions: FileMode,
    /// Where the file appears.
    #[field(keep)]
    pub path: String,
    /// `create` only below `/var`; `append` and `overwrite` show a changed copy in place.
    #[field(keep, values = "create, append, overwrite")]
    pub op: String,
}

/// Time synchronisation.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Time {
    /// Leaves the clock alone.
    #[field(default = "false", instead = "TimeSyncConfig")]
    pub disabled: Option<bool>,
    /// Time servers, or a PTP device such as `/dev/ptp0`.
    #[field(default = "time.cloudflare.com", instead = "TimeSyncConfig")]
    pub servers: List<String>,
    /// How long the start waits for the first synchronisation; without it, forever.
    #[field(instead = "TimeSyncConfig")]
    pub boot_timeout: Duration,
}

/// Rules for device events.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Udev {
    /// One rule per item.
    #[field(instead = "UdevRulesConfig")]
    pub rules: List<String>,
}

/// Where service logs are sent.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Logging {
    /// The receivers.
    pub destinations: List<LogDestination>,
}

/// A receiver of service logs.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct LogDestination {
    /// Where it listens: `tcp://host:port` or `udp://host:port`.
    #[field(keep, required)]
    pub endpoint: Option<Url>,
    /// How a line is written.
    #[field(keep, required, values = "json_lines")]
    pub format: String,
    /// Keys added to every line.
    pub extra_tags: Map<String>,
}

/// Kernel modules.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Kernel {
    /// Modules loaded at start.
    #[field(instead = "KernelModuleConfig")]
    pub modules: List<Option<KernelModule>>,
}

/// A kernel module.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct KernelModule {
    /// The module.
    #[field(keep, required)]
    pub name: String,
    /// Its parameters.
    pub parameters: List<String>,
}

/// A seccomp profile that pods may name.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct SeccompProfile {
    /// The file name.
    #[field(keep, required)]
    pub name: String,
    /// The profile.
    #[field(keep, required)]
    pub value: Option<Free>,
}
