//! Volumes: the system's own, the user's, raw, swap, existing and external ones.

use config_derive::Section;

use super::{Encryption, VolumeUpkeep};
use crate::scalar::{ByteSize, Expression, Size, choice};

/// Finds a disk.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct DiskSelector {
    /// Condition on `disk` and `system_disk`.
    #[field(name = "match")]
    pub condition: Expression,
}

/// Finds a volume.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VolumeSelector {
    /// Condition on `volume` and `disk`.
    #[field(name = "match")]
    pub condition: Expression,
}

/// Where a volume is made and how large it is.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Provisioning {
    /// Finds the disk.
    pub disk_selector: DiskSelector,
    /// Lets the volume grow to its largest size at every start.
    pub grow: Option<bool>,
    /// The smallest size.
    pub min_size: ByteSize,
    /// The largest size, in bytes or percent of the disk; below zero, what is left free.
    pub max_size: Size,
}

/// The file system of a system volume.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct SystemFilesystem {
    /// Settings of XFS.
    pub xfs: Option<Xfs>,
}

/// Settings of XFS.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Xfs {
    /// The smallest allocation group; zero leaves it to the formatter.
    #[field(default = "64GiB")]
    pub min_allocation_group_size: ByteSize,
}

/// How a system volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct SystemMount {
    /// Refuses programs with special rights and device files.
    #[field(default = "true")]
    pub secure: Option<bool>,
    /// Does not note when a file was read.
    #[field(default = "false")]
    pub disable_access_time: Option<bool>,
}

/// One of the system's own volumes.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "VolumeConfig", group = "storage", since = "1.8", named)]
pub struct VolumeConfig {
    /// The volume.
    #[field(keep, required, values = "STATE, EPHEMERAL, IMAGECACHE, ETCD, CRI, KUBELET, LOG")]
    pub name: String,
    /// Where the volume is made and how large it is.
    #[field(effect = "used when the volume is made, and when it grows")]
    pub provisioning: Provisioning,
    /// Its file system.
    #[field(since = "1.14", effect = "used when the volume is made")]
    pub filesystem: Option<SystemFilesystem>,
    /// How it is encrypted.
    #[field(effect = "used when the volume is made")]
    pub encryption: Encryption,
    /// How it is mounted.
    pub mount: SystemMount,
    /// Regular trimming.
    pub trim: Option<VolumeUpkeep>,
    /// Regular checking.
    pub scrub: Option<VolumeUpkeep>,
}

choice! {
    /// What a user volume is made of.
    VolumeType {
        /// A partition.
        Partition = "partition",
        /// A whole disk.
        Disk = "disk",
        /// A directory of the EPHEMERAL volume.
        Directory = "directory",
    }
}

choice! {
    /// A file system.
    FilesystemType {
        /// XFS.
        Xfs = "xfs",
        /// ext4.
        Ext4 = "ext4",
        /// btrfs.
        Btrfs = "btrfs",
    }
}

/// The file system of a user volume.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct UserFilesystem {
    /// Which one.
    #[field(name = "type", default = "xfs")]
    pub kind: FilesystemType,
    /// Counts and limits the space by project.
    #[field(default = "false")]
    pub project_quota_support: Option<bool>,
    /// Settings of XFS.
    pub xfs: Option<Xfs>,
}

/// How a user volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct UserMount {
    /// Does not note when a file was read.
    #[field(default = "false")]
    pub disable_access_time: Option<bool>,
    /// Refuses programs with special rights and device files.
    #[field(default = "true")]
    pub secure: Option<bool>,
}

/// A volume for workloads, mounted below `/var/mnt`.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "UserVolumeConfig", group = "storage", since = "1.10", named)]
pub struct UserVolumeConfig {
    /// The name of the volume.
    #[field(keep, required)]
    pub name: String,
    /// What it is made of.
    #[field(default = "partition", since = "1.11")]
    pub volume_type: Option<VolumeType>,
    /// Where it is made and how large it is.
    #[field(effect = "used when the volume is made, and when it grows")]
    pub provisioning: Provisioning,
    /// Its file system.
    #[field(effect = "used when the volume is made")]
    pub filesystem: UserFilesystem,
    /// How it is encrypted.
    #[field(effect = "used when the volume is made")]
    pub encryption: Encryption,
    /// How it is mounted.
    pub mount: UserMount,
    /// Regular trimming.
    pub trim: Option<VolumeUpkeep>,
    /// Regular checking.
    pub scrub: Option<VolumeUpkeep>,
}

/// A volume without a file system.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "RawVolumeConfig", group = "storage", since = "1.11", named)]
pub struct RawVolumeConfig {
    /// The name of the volume.
    #[field(keep, required)]
    pub name: String,
    /// Where it is made and how large it is.
    #[field(effect = "used when the volume is made, and when it grows")]
    pub provisioning: Provisioning,
    /// How it is encrypted.
    #[field(effect = "used when the volume is made")]
    pub encryption: Encryption,
}

/// A volume for swap.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "SwapVolumeConfig", group = "storage", since = "1.11", named)]
pub struct SwapVolumeConfig {
    /// The name of the volume.
    #[field(keep, required)]
    pub name: String,
    /// Where it is made and how large it is.
    #[field(effect = "used when the volume is made, and when it grows")]
    pub provisioning: Provisioning,
    /// How it is encrypted.
    #[field(effect = "used when the volume is made")]
    pub encryption: Encryption,
}

/// How an existing volume is found.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct VolumeDiscovery {
    /// Finds the volume.
    #[field(required)]
    pub volume_selector: VolumeSelector,
}

/// How an existing volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ExistingMount {
    /// Refuses writes.
    #[field(default = "false")]
    pub read_only: Option<bool>,
    /// Does not note when a file was read.
    #[field(default = "false")]
    pub disable_access_time: Option<bool>,
    /// Refuses programs with special rights and device files.
    #[field(default = "true")]
    pub secure: Option<bool>,
}

/// A volume that exists already.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ExistingVolumeConfig", group = "storage", since = "1.11", named)]
pub struct ExistingVolumeConfig {
    /// The name of the volume.
    #[field(keep, required)]
    pub name: String,
    /// How it is found.
    #[field(required)]
    pub discovery: VolumeDiscovery,
    /// How it is mounted.
    pub mount: ExistingMount,
    /// Regular trimming.
    pub trim: Option<VolumeUpkeep>,
    /// Regular checking.
    pub scrub: Option<VolumeUpkeep>,
}

choice! {
    /// A file system that comes from outside the machine.
    ExternalFilesystem {
        /// A directory shared by the hypervisor.
        Virtiofs = "virtiofs",
    }
}

/// How an external volume is mounted.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct ExternalMount {
    /// Refuses writes.
    #[field(default = "false")]
    pub read_only: Option<bool>,
    /// Does not note when a file was read.
    #[field(default = "false")]
    pub disable_access_time: Option<bool>,
    /// Refuses programs with special rights and device files.
    #[field(default = "true")]
    pub secure: Option<bool>,
    /// Settings of virtiofs.
    pub virtiofs: Option<Virtiofs>,
}

/// Settings of virtiofs.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct Virtiofs {
    /// The tag that the hypervisor gave the directory.
    #[field(required)]
    pub tag: String,
}

/// A volume that comes from outside the machine.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "ExternalVolumeConfig", group = "storage", since = "1.13", named)]
pub struct ExternalVolumeConfig {
    /// The name of the volume.
    #[field(keep, required)]
    pub name: String,
    /// Which file system.
    #[field(required)]
    pub filesystem_type: ExternalFilesystem,
    /// How it is mounted.
    pub mount: ExternalMount,
}
