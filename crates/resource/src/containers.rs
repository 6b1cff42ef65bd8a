//! Long-lived containers of the machine configuration: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::ContainerImagePhase;
use crate::{Message, Spec};

/// Desired long-lived container from config.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ContainerSpecs.containers.talos.dev",
    namespace = "containers",
    aliases = ["containerspec", "containerspecs"],
    columns = [("Image", "{.image.ref}")],
)]
pub struct ContainerSpecSpec {
    #[field(1)]
    pub image: ContainerImageSpec,
    #[field(2, omit)]
    pub entrypoint: Vec<String>,
    #[field(3, omit)]
    pub args: Vec<String>,
    #[field(4, yaml = "workingDir", omit)]
    pub working_dir: String,
    #[field(5, yaml = "runAs", omit)]
    pub run_as: Option<ContainerRunAsSpec>,
    #[field(6, omit)]
    pub environment: Vec<String>,
    #[field(7, omit)]
    pub mounts: Vec<ContainerMountSpec>,
    #[field(8, omit)]
    pub security: Option<ContainerSecuritySpec>,
    #[field(9, omit)]
    pub network: Option<ContainerNetworkSpec>,
    #[field(10, omit)]
    pub resources: Option<ContainerResourcesSpec>,
    #[field(11, yaml = "dependsOn", omit)]
    pub depends_on: Option<ContainerDependsOnSpec>,
}

/// Image pull phase for a container.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ContainerImageStatuses.containers.talos.dev",
    namespace = "containers",
    aliases = ["containerimagestatus", "containerimagestatuses"],
    columns = [("Phase", "{.phase}"), ("Digest", "{.digest}")],
)]
pub struct ContainerImageStatusSpec {
    #[field(1)]
    pub phase: ContainerImagePhase,
    #[field(2)]
    pub image: String,
    #[field(3, omit)]
    pub digest: String,
    #[field(4, omit)]
    pub error: String,
}

/// One run attempt of a container.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ContainerInstanceSpecs.containers.talos.dev",
    namespace = "containers",
    aliases = ["containerinstancespec", "containerinstancespecs"],
    columns = [("Container", "{.containerID}"), ("Generation", "{.generation}"), ("Image", "{.image}")],
)]
pub struct ContainerInstanceSpecSpec {
    #[field(1, yaml = "containerID")]
    pub container_id: String,
    #[field(2)]
    pub generation: u64,
    #[field(3)]
    pub image: String,
    #[field(4, omit)]
    pub entrypoint: Vec<String>,
    #[field(5, omit)]
    pub args: Vec<String>,
    #[field(6, yaml = "workingDir", omit)]
    pub working_dir: String,
    #[field(7, yaml = "runAs", omit)]
    pub run_as: Option<ContainerRunAsSpec>,
    #[field(8, omit)]
    pub environment: Vec<String>,
    #[field(9, omit)]
    pub mounts: Vec<ResolvedMountSpec>,
    #[field(10, omit)]
    pub security: Option<ContainerSecuritySpec>,
    #[field(11, omit)]
    pub network: Option<ContainerNetworkSpec>,
    #[field(12, omit)]
    pub resources: Option<ContainerResourcesSpec>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerDependsOnSpec {
    #[field(1, omit)]
    pub paths: Vec<String>,
    #[field(2, omit)]
    pub networks: Vec<String>,
    #[field(3, omit)]
    pub time: bool,
    #[field(4, omit)]
    pub containers: Vec<String>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerImageSpec {
    #[field(1, omit)]
    pub r#ref: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerMountSpec {
    #[field(1)]
    pub kind: String,
    #[field(2, yaml = "volumeID", omit)]
    pub volume_id: String,
    #[field(3, omit)]
    pub source: String,
    #[field(4)]
    pub destination: String,
    #[field(5, omit)]
    pub size: u64,
    #[field(6, omit)]
    pub options: Vec<String>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerNetworkSpec {
    #[field(1, yaml = "hostNetwork", omit)]
    pub host_network: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerResourcesSpec {
    #[field(1, yaml = "memoryLimit", omit)]
    pub memory_limit: u64,
    #[field(2, yaml = "cpuLimit", omit)]
    pub cpu_limit: u64,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerRunAsSpec {
    #[field(1, omit)]
    pub uid: i32,
    #[field(2, omit)]
    pub gid: i32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ContainerSecuritySpec {
    #[field(1, omit)]
    pub privileged: bool,
    #[field(2, yaml = "capabilitiesAdd", omit)]
    pub capabilities_add: Vec<String>,
    #[field(3, yaml = "capabilitiesDrop", omit)]
    pub capabilities_drop: Vec<String>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ResolvedMountSpec {
    #[field(1)]
    pub kind: String,
    #[field(2, omit)]
    pub source: String,
    #[field(3)]
    pub destination: String,
    #[field(4, omit)]
    pub size: u64,
    #[field(5, omit)]
    pub options: Vec<String>,
}
