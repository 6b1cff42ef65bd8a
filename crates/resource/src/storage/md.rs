//! LVM and software RAID (software RAID): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::Spec;
use crate::enums::{MDArrayPhase, MDLevel, MDMetadata};
use crate::types::Expression;

/// Wanted software RAID array.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MDArraySpecs.storage.talos.dev",
    namespace = "storage",
    columns = [("Level", "{.level}")],
)]
pub struct MDArraySpecSpec {
    #[field(1)]
    pub level: MDLevel,
    #[field(2, yaml = "volumeSelector")]
    pub volume_selector: Expression,
    #[field(3)]
    pub metadata: MDMetadata,
}

/// Observed software RAID array.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MDArrayStatuses.storage.talos.dev",
    namespace = "storage",
    columns = [("Level", "{.level}"), ("Status", "{.status}"), ("Sync", "{.syncAction}"), ("Device", "{.device}")],
)]
pub struct MDArrayStatusSpec {
    #[field(1)]
    pub level: MDLevel,
    #[field(2)]
    pub device: String,
    #[field(3)]
    pub members: Vec<String>,
    #[field(4, omit)]
    pub error: String,
    #[field(5)]
    pub status: MDArrayPhase,
    #[field(6, yaml = "raidDevices")]
    pub raid_devices: i64,
    #[field(7, omit)]
    pub uuid: String,
    #[field(8, omit)]
    pub name: String,
    #[field(9, omit)]
    pub metadata: String,
    #[field(10, yaml = "arrayState", omit)]
    pub array_state: String,
    #[field(11, yaml = "syncAction", omit)]
    pub sync_action: String,
}

/// Counter asking for an MD re-scan; ids: `refresh`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "MDRefreshRequests.storage.talos.dev",
    namespace = "storage",
    columns = [("Request", "{.request}")],
)]
pub struct MDRefreshRequestSpec {
    #[field(1)]
    pub request: i64,
}
