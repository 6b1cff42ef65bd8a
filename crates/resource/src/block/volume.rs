//! Disks, volumes and mounts (volumes): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::block::MountSpec;
use crate::enums::{
    EncryptionKeyType, EncryptionProviderType, FilesystemType, VolumePhase, VolumeType,
};
use crate::types::{Duration, Expression};
use crate::{Message, Spec, Timestamp};

/// Stable /dev/disk/by-* links of a block device.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "BlockSymlinks.block.talos.dev", namespace = "runtime")]
pub struct SymlinkSpec {
    #[field(1)]
    pub paths: Vec<String>,
}

/// Desired volume: locator, provisioning, encryption, mount.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "VolumeConfigs.block.talos.dev", namespace = "runtime", sensitive)]
pub struct VolumeConfigSpec {
    #[field(1, yaml = "parentId", omit)]
    pub parent_id: String,
    #[field(2)]
    pub r#type: VolumeType,
    #[field(3)]
    pub provisioning: ProvisioningSpec,
    #[field(6, omit)]
    pub encryption: Option<EncryptionSpec>,
    #[field(4)]
    pub locator: LocatorSpec,
    #[field(5, omit)]
    pub mount: Option<MountSpec>,
    #[field(7, omit)]
    pub symlink: Option<SymlinkProvisioningSpec>,
    #[field(8, yaml = "trimEnabled", omit)]
    pub trim_enabled: bool,
    #[field(9, yaml = "trimInterval", omit)]
    pub trim_interval: Duration,
    #[field(10, yaml = "scrubEnabled", omit)]
    pub scrub_enabled: bool,
    #[field(11, yaml = "scrubInterval", omit)]
    pub scrub_interval: Duration,
}

/// Finalizer anchor used to close all volumes on shutdown; ids: `volumes`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "VolumeLifecycles.block.talos.dev", namespace = "runtime")]
pub struct VolumeLifecycleSpec {}

/// Volume state machine: phase, location, size, error.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "VolumeStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Type", "{.type}"), ("Phase", "{.phase}"), ("Location", "{.location}"), ("Size", "{.prettySize}")],
)]
pub struct VolumeStatusSpec {
    #[field(1)]
    pub phase: VolumePhase,
    #[field(6, yaml = "preFailPhase", omit)]
    pub pre_fail_phase: VolumePhase,
    #[field(16)]
    pub r#type: VolumeType,
    #[field(19, yaml = "parentID", omit)]
    pub parent_id: String,
    #[field(2, omit)]
    pub location: String,
    #[field(11, yaml = "mountLocation", omit)]
    pub mount_location: String,
    #[field(8, yaml = "partitionIndex", omit)]
    pub partition_index: i64,
    #[field(7, yaml = "parentLocation", omit)]
    pub parent_location: String,
    #[field(4, omit)]
    pub uuid: String,
    #[field(5, yaml = "partitionUUID", omit)]
    pub partition_uuid: String,
    #[field(9, omit)]
    pub size: u64,
    #[field(13, yaml = "prettySize", omit)]
    pub pretty_size: String,
    #[field(10, omit)]
    pub filesystem: FilesystemType,
    #[field(12, yaml = "encryptionProvider", omit)]
    pub encryption_provider: EncryptionProviderType,
    #[field(14, yaml = "encryptionFailedSyncs", omit)]
    pub encryption_failed_syncs: Vec<String>,
    #[field(17, yaml = "configuredEncryptionKeys", omit)]
    pub configured_encryption_keys: Vec<String>,
    #[field(20, yaml = "encryptionLockedToState", omit)]
    pub encryption_locked_to_state: bool,
    #[field(21, yaml = "encryptionSlot", omit)]
    pub encryption_slot: i64,
    #[field(22, yaml = "tpmEncryptionOptions", omit)]
    pub tpm_encryption_options: Option<TPMEncryptionOptionsInfo>,
    #[field(23, yaml = "encryptionAllowDiscards", omit)]
    pub encryption_allow_discards: bool,
    #[field(24, yaml = "trimEnabled", omit)]
    pub trim_enabled: bool,
    #[field(25, yaml = "trimInterval", omit)]
    pub trim_interval: Duration,
    #[field(26, yaml = "scrubEnabled", omit)]
    pub scrub_enabled: bool,
    #[field(27, yaml = "scrubInterval", omit)]
    pub scrub_interval: Duration,
    #[field(15, yaml = "mountSpec", omit)]
    pub mount_spec: Option<MountSpec>,
    #[field(18, omit)]
    pub symlink: Option<SymlinkProvisioningSpec>,
    #[field(3, yaml = "errorMessage", omit)]
    pub error_message: String,
}

/// Next fstrim time per volume.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "VolumeTrimSchedules.block.talos.dev",
    namespace = "runtime",
    columns = [("Filesystem", "{.filesystem}"), ("Interval", "{.interval}"), ("Next Trim", "{.nextTrim}")],
)]
pub struct VolumeTrimScheduleSpec {
    #[field(1)]
    pub filesystem: FilesystemType,
    #[field(2)]
    pub interval: Duration,
    #[field(3, yaml = "nextTrim")]
    pub next_trim: Timestamp,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct DiskSelector {
    #[field(1, omit)]
    pub r#match: Expression,
    #[field(2, omit)]
    pub external: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EncryptionKey {
    #[field(1)]
    pub slot: i64,
    #[field(2)]
    pub r#type: EncryptionKeyType,
    #[field(6, yaml = "lockToState", omit)]
    pub lock_to_state: bool,
    #[field(3, yaml = "staticPassphrase", omit)]
    pub static_passphrase: Vec<u8>,
    #[field(4, yaml = "kmsEndpoint", omit)]
    pub kms_endpoint: String,
    #[field(5, yaml = "tpmCheckSecurebootStatusOnEnroll", omit)]
    pub tpm_check_secureboot_status_on_enroll: bool,
    #[field(7, omit)]
    pub pcrs: Vec<i64>,
    #[field(8, yaml = "pubKeyPcrs", omit)]
    pub pub_key_pcrs: Vec<i64>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EncryptionSpec {
    #[field(1)]
    pub provider: EncryptionProviderType,
    #[field(2)]
    pub keys: Vec<EncryptionKey>,
    #[field(3, omit)]
    pub cipher: String,
    #[field(4, yaml = "keySize", omit)]
    pub key_size: u64,
    #[field(5, yaml = "blockSize", omit)]
    pub block_size: u64,
    #[field(6, yaml = "perfOptions", omit)]
    pub perf_options: Vec<String>,
    #[field(7, yaml = "allowDiscards", omit)]
    pub allow_discards: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct FilesystemSpec {
    #[field(1)]
    pub r#type: FilesystemType,
    #[field(2, omit)]
    pub label: String,
    #[field(3, yaml = "minAllocationGroupSize", omit)]
    pub min_allocation_group_size: u64,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct LocatorSpec {
    #[field(1, omit)]
    pub r#match: Expression,
    #[field(2, yaml = "diskMatch", omit)]
    pub disk_match: Expression,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct PartitionSpec {
    #[field(1, yaml = "minSize")]
    pub min_size: u64,
    #[field(2, yaml = "maxSize", omit)]
    pub max_size: u64,
    #[field(6, yaml = "relativeMaxSize")]
    pub relative_max_size: u64,
    #[field(7, yaml = "negativeMaxSize")]
    pub negative_max_size: bool,
    #[field(3)]
    pub grow: bool,
    #[field(4, omit)]
    pub label: String,
    #[field(5, yaml = "typeUUID", omit)]
    pub type_uuid: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ProvisioningSpec {
    #[field(3, omit)]
    pub wave: i64,
    #[field(1, yaml = "diskSelector", omit)]
    pub disk_selector: Option<DiskSelector>,
    #[field(2, yaml = "partitionSpec", omit)]
    pub partition_spec: Option<PartitionSpec>,
    #[field(4, yaml = "filesystemSpec", omit)]
    pub filesystem_spec: Option<FilesystemSpec>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct SymlinkProvisioningSpec {
    #[field(1, yaml = "symlinkTargetPath")]
    pub symlink_target_path: String,
    #[field(2)]
    pub force: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct TPMEncryptionOptionsInfo {
    #[field(1, omit)]
    pub pcrs: Vec<i64>,
    #[field(2, yaml = "pubKeyPcrs", omit)]
    pub pub_key_pcrs: Vec<i64>,
}
