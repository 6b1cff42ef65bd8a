//! The system's own volumes as wishes: META, STATE and EPHEMERAL (contract, `machine.md` 2.1).

use config::Config;
use config::kinds::storage::{Provisioning, VolumeConfig};
use resource::block::{
    DiskSelector, FilesystemSpec, LocatorSpec, MountSpec, PartitionSpec, ProvisioningSpec,
    VolumeConfigSpec,
};
use resource::enums::{FilesystemType, VolumeType};
use resource::types::Expression;

use super::wave;
use crate::gpt;

/// Values by number.
pub const META: &str = "META";
/// What the machine is: configuration and identity.
pub const STATE: &str = "STATE";
/// What it works on.
pub const EPHEMERAL: &str = "EPHEMERAL";

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The wishes of a machine, by id. Without a complete configuration no volume is made, and STATE
/// counts only with a file system: a machine in maintenance changes no disk.
#[must_use]
pub fn configs(config: Option<&Config>) -> Vec<(&'static str, VolumeConfigSpec)> {
    let config = config.filter(|config| config.is_complete());
    let mut wishes = vec![(META, meta()), (STATE, state(config.is_some()))];
    if let Some(config) = config {
        wishes.push((EPHEMERAL, ephemeral(config)));
    }
    wishes
}

fn expression(text: String) -> Expression {
    Expression { text, checked: Vec::new() }
}

fn labelled(label: &str, more: &str) -> LocatorSpec {
    let text = format!("volume.partition_label == '{label}'{more}");
    LocatorSpec { r#match: expression(text), disk_match: Expression::default() }
}

fn meta() -> VolumeConfigSpec {
    let more = " && volume.size == 1048576u && volume.name in ['', 'talosmeta']";
    VolumeConfigSpec {
        r#type: VolumeType::PARTITION,
        locator: labelled(META, more),
        ..Default::default()
    }
}

fn provisioning(label: &str, partition: PartitionSpec, disk: &str) -> ProvisioningSpec {
    ProvisioningSpec {
        wave: wave::SYSTEM,
        disk_selector: Some(DiskSelector {
            r#match: expression(disk.to_owned()),
            external: String::new(),
        }),
        partition_spec: Some(PartitionSpec {
            label: label.to_owned(),
            type_uuid: gpt::LINUX_DATA.to_string().to_uppercase(),
            ..partition
        }),
        filesystem_spec: Some(FilesystemSpec {
            r#type: FilesystemType::EXT4,
            label: label.to_owned(),
            min_allocation_group_size: 0,
        }),
    }
}

fn state(configured: bool) -> VolumeConfigSpec {
    let partition =
        PartitionSpec { min_size: 100 * MIB, max_size: 100 * MIB, ..Default::default() };
    let made = configured.then(|| provisioning(STATE, partition, "system_disk"));
    VolumeConfigSpec {
        r#type: VolumeType::PARTITION,
        locator: labelled(STATE, if configured { "" } else { " && volume.name != ''" }),
        provisioning: made.unwrap_or_default(),
        mount: Some(MountSpec {
            target_path: "/system/state".to_owned(),
            selinux_label: "system_u:object_r:system_state_t:s0".to_owned(),
            file_mode: 0o700,
            secure: true,
            no_exec: true,
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn ephemeral(config: &Config) -> VolumeConfigSpec {
    let document = config.named::<VolumeConfig>(EPHEMERAL);
    let given = document.map(|document| &document.provisioning);
    let disk = given.map(|given| given.disk_selector.condition.as_str()).unwrap_or_default();
    let disk = if disk.is_empty() { "system_disk" } else { disk };
    VolumeConfigSpec {
        r#type: VolumeType::PARTITION,
        locator: labelled(EPHEMERAL, ""),
        provisioning: provisioning(EPHEMERAL, sizes(given), disk),
        mount: Some(MountSpec {
            target_path: "/var".to_owned(),
            selinux_label: "system_u:object_r:ephemeral_t:s0".to_owned(),
            file_mode: 0o755,
            secure: document.and_then(|document| document.mount.secure).unwrap_or(true),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The size of EPHEMERAL: at least 2 GiB, and all there is unless the configuration says less.
fn sizes(given: Option<&Provisioning>) -> PartitionSpec {
    let least = given.filter(|given| !given.min_size.is_unset());
    let most = given.map(|given| &given.max_size).filter(|most| !most.is_unset());
    PartitionSpec {
        min_size: least.map_or(2 * GIB, |given| given.min_size.bytes()),
        max_size: most.and_then(|most| most.absolute()).map_or(0, |most| most.bytes()),
        relative_max_size: most.and_then(|most| most.percent()).unwrap_or(0),
        negative_max_size: most.is_some_and(|most| most.is_negative()),
        grow: given.and_then(|given| given.grow).unwrap_or(true),
        ..Default::default()
    }
}
