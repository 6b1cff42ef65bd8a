//! Disks, volumes and mounts (mounts, swap and scrubs): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{EncryptionProviderType, FSParameterType, FilesystemType};
use crate::types::Duration;
use crate::{Message, Spec, Timestamp};

/// Merged mount wish for a volume, derived from all requesters.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MountRequests.block.talos.dev",
    namespace = "runtime",
    columns = [("Volume", "{.volumeID}"), ("Parent", "{.parentID}"), ("Requesters", "{.requesters}")],
)]
pub struct MountRequestSpec {
    #[field(1, yaml = "volumeID")]
    pub volume_id: String,
    #[field(2, yaml = "parentID")]
    pub parent_id: String,
    #[field(5, yaml = "readOnly")]
    pub read_only: bool,
    #[field(6)]
    pub detached: bool,
    #[field(7, yaml = "disableAccessTime", omit)]
    pub disable_access_time: bool,
    #[field(8, omit)]
    pub secure: bool,
    #[field(9, yaml = "noExec", omit)]
    pub no_exec: bool,
    #[field(3)]
    pub requesters: Vec<String>,
    #[field(4, yaml = "requesterIDs")]
    pub requester_ids: Vec<String>,
}

/// Volume that is mounted now (source, target, fs, encryption).
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MountStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Source", "{.source}"), ("Target", "{.target}"), ("Filesystem", "{.filesystem}"), ("Volume", "{.spec.volumeID}")],
)]
pub struct MountStatusSpec {
    #[field(1)]
    pub spec: MountRequestSpec,
    #[field(3)]
    pub source: String,
    #[field(2)]
    pub target: String,
    #[field(4)]
    pub filesystem: FilesystemType,
    #[field(7, yaml = "encryptionProvider", omit)]
    pub encryption_provider: EncryptionProviderType,
    #[field(5, yaml = "readOnly")]
    pub read_only: bool,
    #[field(6, yaml = "projectQuotaSupport")]
    pub project_quota_support: bool,
    #[field(8)]
    pub detached: bool,
}

/// Active swap device and use.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "SwapStatuses.block.talos.dev",
    namespace = "runtime",
    aliases = ["swap", "swaps"],
    columns = [("Device", "{.device}"), ("Size", "{.sizeHuman}"), ("Used", "{.usedHuman}"), ("Priority", "{.priority}")],
)]
pub struct SwapStatusSpec {
    #[field(1)]
    pub device: String,
    #[field(7)]
    pub r#type: String,
    #[field(2)]
    pub size: u64,
    #[field(3, yaml = "sizeHuman")]
    pub size_human: String,
    #[field(4)]
    pub used: u64,
    #[field(5, yaml = "usedHuman")]
    pub used_human: String,
    #[field(6)]
    pub priority: i32,
}

/// Zswap counters; ids: `zswap`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "ZswapStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Total Size", "{.totalSizeHuman}"), ("Stored Pages", "{.storedPages}"), ("Written Back", "{.writtenBackPages}"), ("Pool Limit Hit", "{.poolLimitHit}")],
)]
pub struct ZswapStatusSpec {
    #[field(1, yaml = "totalSize")]
    pub total_size: u64,
    #[field(2, yaml = "totalSizeHuman")]
    pub total_size_human: String,
    #[field(3, yaml = "storedPages")]
    pub stored_pages: u64,
    #[field(4, yaml = "poolLimitHit")]
    pub pool_limit_hit: u64,
    #[field(5, yaml = "rejectReclaimFail")]
    pub reject_reclaim_fail: u64,
    #[field(6, yaml = "rejectAllocFail")]
    pub reject_alloc_fail: u64,
    #[field(7, yaml = "rejectKmemcacheFail")]
    pub reject_kmemcache_fail: u64,
    #[field(8, yaml = "rejectCompressFail")]
    pub reject_compress_fail: u64,
    #[field(9, yaml = "rejectCompressPoor")]
    pub reject_compress_poor: u64,
    #[field(10, yaml = "writtenBackPages")]
    pub written_back_pages: u64,
}

/// Next filesystem scrub per volume.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "FSScrubSchedules.block.talos.dev",
    namespace = "runtime",
    columns = [("Filesystem", "{.filesystem}"), ("Interval", "{.interval}"), ("Next Scrub", "{.nextScrub}")],
)]
pub struct FSScrubScheduleSpec {
    #[field(1)]
    pub filesystem: FilesystemType,
    #[field(2)]
    pub interval: Duration,
    #[field(3, yaml = "nextScrub")]
    pub next_scrub: Timestamp,
}

/// Outcome of the last scrub per volume.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "FSScrubStatuses.block.talos.dev",
    namespace = "runtime",
    columns = [("Mountpoint", "{.mountpoint}"), ("Interval", "{.interval}"), ("Latest start time", "{.time}"), ("Latest run duration", "{.duration}"), ("Latest status", "{.status}")],
)]
pub struct FSScrubStatusSpec {
    #[field(1)]
    pub mountpoint: String,
    #[field(2)]
    pub interval: Duration,
    #[field(3)]
    pub time: Timestamp,
    #[field(4)]
    pub duration: Duration,
    #[field(5)]
    pub status: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct MountSpec {
    #[field(1, yaml = "targetPath")]
    pub target_path: String,
    #[field(2, yaml = "selinuxLabel")]
    pub selinux_label: String,
    #[field(3, yaml = "projectQuotaSupport")]
    pub project_quota_support: bool,
    #[field(4, yaml = "parentId", omit)]
    pub parent_id: String,
    #[field(5, yaml = "fileMode", omit)]
    pub file_mode: u32,
    #[field(6, omit)]
    pub uid: i64,
    #[field(7, omit)]
    pub gid: i64,
    #[field(8, yaml = "recursiveRelabel", omit)]
    pub recursive_relabel: bool,
    #[field(9, yaml = "bindTarget", omit)]
    pub bind_target: String,
    #[field(10, omit)]
    pub parameters: Vec<ParameterSpec>,
    #[field(11, omit)]
    pub secure: bool,
    #[field(12, yaml = "noExec", omit)]
    pub no_exec: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ParameterSpec {
    #[field(1)]
    pub r#type: FSParameterType,
    #[field(2)]
    pub name: String,
    #[field(3, omit)]
    pub string: String,
    #[field(5, omit)]
    pub binary: Vec<u8>,
}
