//! Disks, volumes and mounts (block devices and disks): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::{Message, Spec};

/// Kernel block device (disk or partition) as seen in sysfs.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "BlockDevices.block.talos.dev",
    namespace = "runtime",
    columns = [("Type", "{.type}"), ("PartitionName", "{.partitionName}"), ("Generation", "{.generation}")],
)]
pub struct DeviceSpec {
    #[field(1)]
    pub r#type: String,
    #[field(2)]
    pub major: i64,
    #[field(3)]
    pub minor: i64,
    #[field(4, yaml = "partitionName", omit)]
    pub partition_name: String,
    #[field(5, yaml = "partitionNumber", omit)]
    pub partition_number: i64,
    #[field(7, yaml = "devicePath")]
    pub device_path: String,
    #[field(6)]
    pub generation: i64,
    #[field(8, omit)]
    pub parent: String,
    #[field(9, omit)]
    pub secondaries: Vec<String>,
}

/// Result of probing a disk/partition for filesystems, tables and labels.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "DiscoveredVolumes.block.talos.dev",
    namespace = "runtime",
    columns = [("Type", "{.type}"), ("Size", "{.pretty_size}"), ("Discovered", "{.name}"), ("Label", "{.label}"), ("PartitionLabel", "{.partition_label}")],
)]
pub struct DiscoveredVolumeSpec {
    #[field(17)]
    pub dev_path: String,
    #[field(14)]
    pub r#type: String,
    #[field(15)]
    pub device_path: String,
    #[field(16, omit)]
    pub parent: String,
    #[field(18, omit)]
    pub parent_dev_path: String,
    #[field(20)]
    pub offset: u64,
    #[field(1)]
    pub size: u64,
    #[field(19)]
    pub pretty_size: String,
    #[field(2, omit)]
    pub sector_size: u64,
    #[field(3, omit)]
    pub io_size: u64,
    #[field(4)]
    pub name: String,
    #[field(5, omit)]
    pub uuid: String,
    #[field(6, omit)]
    pub label: String,
    #[field(7, omit)]
    pub block_size: u32,
    #[field(8, omit)]
    pub filesystem_block_size: u32,
    #[field(9, omit)]
    pub probed_size: u64,
    #[field(10, omit)]
    pub partition_uuid: String,
    #[field(11, omit)]
    pub partition_type: String,
    #[field(12, omit)]
    pub partition_label: String,
    #[field(13, omit)]
    pub partition_index: u64,
}

/// Counter asking the prober to re-scan (id refresh); ids: `refresh`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "DiscoveryRefreshRequests.block.talos.dev",
    namespace = "runtime",
    columns = [("Request", "{.request}")],
)]
pub struct DiscoveryRefreshRequestSpec {
    #[field(1)]
    pub request: i64,
}

/// Last request counter that was served; ids: `refresh`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "DiscoveryRefreshStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Request", "{.request}")],
)]
pub struct DiscoveryRefreshStatusSpec {
    #[field(1)]
    pub request: i64,
}

/// Whole disks with size, transport, model, serial, ids.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "Disks.block.talos.dev",
    namespace = "runtime",
    columns = [("Size", "{.pretty_size}"), ("Read Only", "{.readonly}"), ("Transport", "{.transport}"), ("Rotational", "{.rotational}"), ("WWID", "{.wwid}"), ("Model", "{.model}"), ("Serial", "{.serial}")],
)]
pub struct DiskSpec {
    #[field(14)]
    pub dev_path: String,
    #[field(1)]
    pub size: u64,
    #[field(15)]
    pub pretty_size: String,
    #[field(2)]
    pub io_size: u64,
    #[field(3)]
    pub sector_size: u64,
    #[field(4)]
    pub readonly: bool,
    #[field(13)]
    pub cdrom: bool,
    #[field(5, omit)]
    pub model: String,
    #[field(19, omit)]
    pub firmware_version: String,
    #[field(6, omit)]
    pub serial: String,
    #[field(7, omit)]
    pub modalias: String,
    #[field(8, omit)]
    pub wwid: String,
    #[field(17, omit)]
    pub uuid: String,
    #[field(9, omit)]
    pub bus_path: String,
    #[field(10, omit)]
    pub sub_system: String,
    #[field(11, omit)]
    pub transport: String,
    #[field(12, omit)]
    pub rotational: bool,
    #[field(16, omit)]
    pub secondary_disks: Vec<String>,
    #[field(18, omit)]
    pub symlinks: Vec<String>,
}

/// Which disk holds Talos; ids: `system-disk`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SystemDisks.block.talos.dev",
    namespace = "runtime",
    columns = [("Disk", "{.diskID}")],
)]
pub struct SystemDiskSpec {
    #[field(1, yaml = "diskID")]
    pub disk_id: String,
    #[field(2, yaml = "devPath")]
    pub dev_path: String,
}

/// Legacy machine.disks processed or torn down; ids: `user-disks`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "UserDiskConfigStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Ready", "{.ready}")],
)]
pub struct UserDiskConfigStatusSpec {
    #[field(1)]
    pub ready: bool,
    #[field(2, yaml = "tornDown")]
    pub torn_down: bool,
}

/// One component asks for one volume to be mounted.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "VolumeMountRequests.block.talos.dev",
    namespace = "runtime",
    columns = [("Volume ID", "{.volumeID}"), ("Requester", "{.requester}")],
)]
pub struct VolumeMountRequestSpec {
    #[field(1, yaml = "volumeID")]
    pub volume_id: String,
    #[field(2)]
    pub requester: String,
    #[field(3, yaml = "readOnly")]
    pub read_only: bool,
    #[field(4)]
    pub detached: bool,
    #[field(5, yaml = "disableAccessTime")]
    pub disable_access_time: bool,
    #[field(6)]
    pub secure: bool,
    #[field(7, yaml = "noExec")]
    pub no_exec: bool,
}

/// Answer to a volume mount request (target path).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "VolumeMountStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Volume ID", "{.volumeID}"), ("Requester", "{.requester}"), ("Target", "{.target}")],
)]
pub struct VolumeMountStatusSpec {
    #[field(1, yaml = "volumeID")]
    pub volume_id: String,
    #[field(2)]
    pub requester: String,
    #[field(3)]
    pub target: String,
    #[field(4, yaml = "readOnly")]
    pub read_only: bool,
    #[field(5)]
    pub detached: bool,
    #[field(6, yaml = "disableAccessTime")]
    pub disable_access_time: bool,
    #[field(7)]
    pub secure: bool,
    #[field(8, yaml = "noExec")]
    pub no_exec: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct DiscoveredVolumesStatusSpec {
    #[field(1)]
    pub ready: bool,
}
