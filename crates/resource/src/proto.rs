//! OCI mounts as the kubelet's configuration carries them.

use crate::Message;

/// A mount into a container.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct Mount {
    /// Where it is mounted.
    #[field(1)]
    pub destination: String,
    /// The kind of file system, or `bind`.
    #[field(2, omit)]
    pub r#type: String,
    /// What is mounted.
    #[field(3, omit)]
    pub source: String,
    /// Options like `ro` or `rbind`.
    #[field(4, omit)]
    pub options: Vec<String>,
    /// User ids inside and outside.
    #[field(5, yaml = "uidMappings", omit)]
    pub uid_mappings: Vec<LinuxIDMapping>,
    /// Group ids inside and outside.
    #[field(6, yaml = "gidMappings", omit)]
    pub gid_mappings: Vec<LinuxIDMapping>,
}

/// A run of ids that are other ids outside of the container.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct LinuxIDMapping {
    /// First id inside.
    #[field(1, yaml = "containerID")]
    pub container_id: u32,
    /// First id outside.
    #[field(2, yaml = "hostID")]
    pub host_id: u32,
    /// How many.
    #[field(3)]
    pub size: u32,
}
