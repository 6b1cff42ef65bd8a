//! LVM and software RAID (LVM): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::enums::LVMLogicalVolumeType;

/// Counter asking for an LVM re-scan; ids: `refresh`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMRefreshRequests.storage.talos.dev",
    namespace = "storage",
    columns = [("Request", "{.request}")],
)]
pub struct LVMRefreshRequestSpec {
    #[field(1)]
    pub request: i64,
}

/// Wanted PV.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMPhysicalVolumeSpecs.storage.talos.dev",
    namespace = "storage",
    columns = [("Device", "{.device}"), ("VG", "{.vgName}")],
)]
pub struct LVMPhysicalVolumeSpecSpec {
    #[field(1)]
    pub device: String,
    #[field(2, yaml = "vgName")]
    pub vg_name: String,
}

/// Wanted LV.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMLogicalVolumeSpecs.storage.talos.dev",
    namespace = "storage",
    columns = [("VG", "{.vgName}"), ("Name", "{.name}"), ("Type", "{.type}")],
)]
pub struct LVMLogicalVolumeSpecSpec {
    #[field(1, yaml = "vgName")]
    pub vg_name: String,
    #[field(2)]
    pub name: String,
    #[field(3)]
    pub r#type: LVMLogicalVolumeType,
    #[field(4, yaml = "sizeBytes")]
    pub size_bytes: u64,
    #[field(5, yaml = "sizePercentVG")]
    pub size_percent_vg: u32,
    #[field(6)]
    pub mirrors: u32,
    #[field(7)]
    pub stripes: u32,
}

/// Observed LV.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMLogicalVolumeStatuses.storage.talos.dev",
    namespace = "storage",
    aliases = ["lvs"],
    columns = [("Path", "{.path}"), ("VG", "{.vgName}"), ("Layout", "{.layout}"), ("Size", "{.prettySize}"), ("Active", "{.active}")],
)]
pub struct LVMLogicalVolumeStatusSpec {
    #[field(1)]
    pub path: String,
    #[field(2, yaml = "dmPath")]
    pub dm_path: String,
    #[field(3)]
    pub name: String,
    #[field(4, yaml = "fullName")]
    pub full_name: String,
    #[field(5, yaml = "vgName")]
    pub vg_name: String,
    #[field(6)]
    pub uuid: String,
    #[field(7)]
    pub layout: String,
    #[field(8)]
    pub role: String,
    #[field(9)]
    pub permissions: String,
    #[field(10, yaml = "allocationPolicy")]
    pub allocation_policy: String,
    #[field(11, yaml = "allocationLocked")]
    pub allocation_locked: String,
    #[field(12, yaml = "fixedMinor")]
    pub fixed_minor: String,
    #[field(13)]
    pub active: String,
    #[field(14, yaml = "activeLocally")]
    pub active_locally: String,
    #[field(15, yaml = "activeRemotely")]
    pub active_remotely: String,
    #[field(16, yaml = "activeExclusively")]
    pub active_exclusively: String,
    #[field(17)]
    pub suspended: String,
    #[field(18, yaml = "deviceOpen")]
    pub device_open: String,
    #[field(19, yaml = "skipActivation")]
    pub skip_activation: String,
    #[field(20)]
    pub merging: String,
    #[field(21)]
    pub converting: String,
    #[field(22)]
    pub size: String,
    #[field(23, yaml = "metadataSize")]
    pub metadata_size: String,
    #[field(24, yaml = "readAhead")]
    pub read_ahead: String,
    #[field(25, yaml = "kernelMajor")]
    pub kernel_major: String,
    #[field(26, yaml = "kernelMinor")]
    pub kernel_minor: String,
    #[field(27)]
    pub origin: String,
    #[field(28, yaml = "originSize")]
    pub origin_size: String,
    #[field(29, yaml = "poolLV")]
    pub pool_lv: String,
    #[field(30, yaml = "dataLV")]
    pub data_lv: String,
    #[field(31, yaml = "metadataLV")]
    pub metadata_lv: String,
    #[field(32, yaml = "movePV")]
    pub move_pv: String,
    #[field(33, yaml = "convertLV")]
    pub convert_lv: String,
    #[field(34, yaml = "whenFull")]
    pub when_full: String,
    #[field(35)]
    pub tags: Vec<String>,
    #[field(36, yaml = "prettySize", omit)]
    pub pretty_size: String,
}

/// Observed PV.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMPhysicalVolumeStatuses.storage.talos.dev",
    namespace = "storage",
    aliases = ["pvs"],
    columns = [("Device", "{.device}"), ("VG", "{.vgName}"), ("Size", "{.prettySize}"), ("Free", "{.prettyFree}"), ("Allocatable", "{.allocatable}")],
)]
pub struct LVMPhysicalVolumeStatusSpec {
    #[field(1)]
    pub device: String,
    #[field(2, yaml = "vgName")]
    pub vg_name: String,
    #[field(3)]
    pub uuid: String,
    #[field(4)]
    pub format: String,
    #[field(5)]
    pub allocatable: String,
    #[field(6)]
    pub exported: String,
    #[field(7)]
    pub missing: String,
    #[field(8, yaml = "inUse")]
    pub in_use: String,
    #[field(9)]
    pub size: String,
    #[field(10, yaml = "deviceSize")]
    pub device_size: String,
    #[field(11)]
    pub free: String,
    #[field(12)]
    pub used: String,
    #[field(13, yaml = "peCount")]
    pub pe_count: String,
    #[field(14, yaml = "peAllocCount")]
    pub pe_alloc_count: String,
    #[field(15)]
    pub major: String,
    #[field(16)]
    pub minor: String,
    #[field(17)]
    pub tags: Vec<String>,
    #[field(18, yaml = "prettySize", omit)]
    pub pretty_size: String,
    #[field(19, yaml = "prettyDeviceSize", omit)]
    pub pretty_device_size: String,
    #[field(20, yaml = "prettyFree", omit)]
    pub pretty_free: String,
}

/// LVM config that cannot be applied.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMValidationErrors.storage.talos.dev",
    namespace = "storage",
    columns = [("VG", "{.vgName}"), ("Message", "{.message}")],
)]
pub struct LVMValidationErrorSpec {
    #[field(1, yaml = "vgName")]
    pub vg_name: String,
    #[field(2)]
    pub message: String,
}

/// Wanted VG.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMVolumeGroupSpecs.storage.talos.dev",
    namespace = "storage",
    columns = [("Name", "{.name}")],
)]
pub struct LVMVolumeGroupSpecSpec {
    #[field(1)]
    pub name: String,
    #[field(2, yaml = "physicalVolumes")]
    pub physical_volumes: Vec<String>,
}

/// Observed VG.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "LVMVolumeGroupStatuses.storage.talos.dev",
    namespace = "storage",
    aliases = ["vgs"],
    columns = [("Name", "{.name}"), ("Permissions", "{.permissions}"), ("Size", "{.prettySize}"), ("Free", "{.prettyFree}"), ("PVs", "{.pvCount}"), ("LVs", "{.lvCount}")],
)]
pub struct LVMVolumeGroupStatusSpec {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub uuid: String,
    #[field(3)]
    pub format: String,
    #[field(4)]
    pub permissions: String,
    #[field(5)]
    pub extendable: String,
    #[field(6)]
    pub exported: String,
    #[field(7)]
    pub partial: String,
    #[field(8, yaml = "allocationPolicy")]
    pub allocation_policy: String,
    #[field(9)]
    pub clustered: String,
    #[field(10)]
    pub shared: String,
    #[field(11)]
    pub size: String,
    #[field(12)]
    pub free: String,
    #[field(13, yaml = "extentSize")]
    pub extent_size: String,
    #[field(14, yaml = "extentCount")]
    pub extent_count: String,
    #[field(15, yaml = "freeExtentCount")]
    pub free_extent_count: String,
    #[field(16, yaml = "maxLV")]
    pub max_lv: String,
    #[field(17, yaml = "maxPV")]
    pub max_pv: String,
    #[field(18, yaml = "lvCount")]
    pub lv_count: String,
    #[field(19, yaml = "pvCount")]
    pub pv_count: String,
    #[field(20, yaml = "snapCount")]
    pub snap_count: String,
    #[field(21, yaml = "missingPVCount")]
    pub missing_pv_count: String,
    #[field(22, yaml = "seqNo")]
    pub seq_no: String,
    #[field(23, yaml = "lockType")]
    pub lock_type: String,
    #[field(24, yaml = "systemID")]
    pub system_id: String,
    #[field(25)]
    pub tags: Vec<String>,
    #[field(26, yaml = "prettySize", omit)]
    pub pretty_size: String,
    #[field(27, yaml = "prettyFree", omit)]
    pub pretty_free: String,
}
