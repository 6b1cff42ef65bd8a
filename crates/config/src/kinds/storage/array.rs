//! LVM and software RAID.

use config_derive::Section;

use super::VolumeSelector;
use crate::scalar::{ByteSize, Size, choice};

/// What an array or a volume group is made of.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct MemberProvisioning {
    /// Finds the members.
    #[field(required)]
    pub volume_selector: VolumeSelector,
}

/// An LVM volume group.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "LVMVolumeGroupConfig", group = "storage", since = "1.14", named)]
pub struct LvmVolumeGroupConfig {
    /// The name of the group.
    #[field(keep, required)]
    pub name: String,
    /// What it is made of.
    #[field(required)]
    pub provisioning: MemberProvisioning,
}

choice! {
    /// The layout of a logical volume.
    LogicalVolumeType {
        /// One piece after another.
        Linear = "linear",
        /// Striped.
        Raid0 = "raid0",
        /// Mirrored.
        Raid1 = "raid1",
        /// Striped and mirrored.
        Raid10 = "raid10",
    }
}

/// An LVM logical volume.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "LVMLogicalVolumeConfig", group = "storage", since = "1.14", named)]
pub struct LvmLogicalVolumeConfig {
    /// The name of the volume.
    #[field(keep, required)]
    pub name: String,
    /// Its layout.
    #[field(name = "type", default = "linear")]
    pub kind: LogicalVolumeType,
    /// How many copies besides the first.
    pub mirrors: Option<i64>,
    /// How many stripes.
    pub stripes: Option<i64>,
    /// Where it is made and how large it is.
    #[field(required)]
    pub provisioning: LogicalVolumeProvisioning,
}

/// Where a logical volume is made and how large it is.
#[derive(Clone, Debug, Default, PartialEq, Section)]
pub struct LogicalVolumeProvisioning {
    /// The volume group.
    #[field(required)]
    pub volume_group: String,
    /// The smallest size.
    pub min_size: ByteSize,
    /// The largest size, in bytes or percent of the group.
    #[field(required)]
    pub max_size: Size,
}

choice! {
    /// The layout of an array.
    RaidLevel {
        /// Mirrored.
        Raid1 = "raid1",
    }
}

choice! {
    /// Where an array keeps its own data.
    RaidMetadata {
        /// At the end of the members.
        V1_0 = "1.0",
        /// Near the beginning of the members.
        V1_2 = "1.2",
    }
}

/// A software RAID array.
#[derive(Clone, Debug, Default, PartialEq, Section)]
#[document(kind = "RAIDArrayConfig", group = "storage", since = "1.14", named)]
pub struct RaidArrayConfig {
    /// The name of the array.
    #[field(keep, required)]
    pub name: String,
    /// Its layout.
    #[field(required)]
    pub level: RaidLevel,
    /// Where it keeps its own data.
    #[field(default = "1.0")]
    pub metadata: RaidMetadata,
    /// What it is made of.
    #[field(required)]
    pub provisioning: MemberProvisioning,
}
