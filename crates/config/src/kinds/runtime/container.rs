//! Containers that the system runs itself, outside Kubernetes.

use config_derive::Section;

use crate::List;
use crate::scalar::{ByteSize, choice};

/// A container that the system runs, outside Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ContainerConfig", group = "runtime", since = "1.14", named)]
pub struct ContainerConfig {
    /// The name of the container.
    #[field(keep, required)]
    pub name: String,
    /// The image, best with a digest.
    #[field(required)]
    pub image: String,
    /// Replaces the program of the image.
    pub entrypoint: List<String>,
    /// Replaces the arguments of the image.
    pub args: List<String>,
    /// The directory in which the program starts.
    pub working_dir: String,
    /// The user of the program.
    pub run_as: Option<RunAs>,
    /// Environment variables, as `NAME=value`.
    pub environment: List<String>,
    /// What the container sees of the machine's storage.
    pub mounts: List<ContainerMount>,
    /// What the program may do.
    pub security: Option<ContainerSecurity>,
    /// The network of the container.
    pub network: Option<ContainerNetwork>,
    /// Processor and memory.
    pub resources: Option<ContainerResources>,
    /// What must be there before the container starts.
    pub depends_on: Option<ContainerDependencies>,
}

/// The user of a container's program.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct RunAs {
    /// The user id.
    pub uid: Option<i64>,
    /// The group id.
    pub gid: Option<i64>,
}

/// One mount, of exactly one sort.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerMount {
    /// A user volume.
    pub user_volume: Option<UserVolumeMount>,
    /// Memory.
    pub tmpfs: Option<TmpfsMount>,
    /// A path of the machine.
    pub host_path: Option<HostPathMount>,
}

/// A user volume in a container.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct UserVolumeMount {
    /// The volume.
    #[field(required)]
    pub name: String,
    /// The path in the container.
    #[field(required)]
    pub destination: String,
    /// Mount options.
    pub options: List<String>,
}

/// Memory in a container.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct TmpfsMount {
    /// The path in the container.
    #[field(required)]
    pub destination: String,
    /// The most it takes.
    pub size: ByteSize,
    /// Mount options.
    pub options: List<String>,
}

/// A path of the machine in a container.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct HostPathMount {
    /// The path on the machine.
    #[field(required)]
    pub source: String,
    /// The path in the container.
    #[field(required)]
    pub destination: String,
    /// Mount options.
    pub options: List<String>,
}

choice! {
    /// How much a container may do.
    ContainerProfile {
        /// No privileges.
        Restricted = "restricted",
        /// Every privilege.
        Privileged = "privileged",
    }
}

/// What a container's program may do.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerSecurity {
    /// Where the capabilities start from.
    #[field(default = "restricted")]
    pub profile: ContainerProfile,
    /// Capabilities that differ from the profile's.
    pub capabilities: Option<ContainerCapabilities>,
}

/// Capabilities, in upper case and without `CAP_`.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerCapabilities {
    /// Capabilities that the program gets.
    pub add: List<String>,
    /// Capabilities that the program loses; `ALL` for every one.
    pub drop: List<String>,
}

choice! {
    /// The network that a container sees.
    ContainerNetworkMode {
        /// No network.
        None = "none",
        /// The machine's network.
        Host = "host",
    }
}

/// The network of a container.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerNetwork {
    /// What it sees.
    #[field(default = "none")]
    pub mode: ContainerNetworkMode,
}

/// Processor and memory of a container.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerResources {
    /// The most it gets.
    pub limits: Option<ContainerLimits>,
}

/// The most a container gets.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerLimits {
    /// Thousandths of a processor, as `500m`.
    pub cpu: String,
    /// Memory.
    pub memory: ByteSize,
}

/// What must be there before a container starts.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ContainerDependencies {
    /// Paths that must exist.
    pub paths: List<String>,
    /// Network conditions.
    #[field(values = "addresses, connectivity, hostname, etcfiles")]
    pub networks: List<String>,
    /// A synchronised clock.
    #[field(default = "false")]
    pub time: Option<bool>,
    /// Containers that must run.
    pub containers: List<String>,
}
