//! Checks of the kinds about disks and volumes.

use std::collections::BTreeSet;

use super::{at_least, expression, named};
use crate::cel::{Environment, Type};
use crate::document::Validate;
use crate::field::Field;
use crate::finding::Findings;
use crate::kinds::storage::{
    Encryption, ExistingVolumeConfig, ExternalFilesystem, ExternalVolumeConfig,
    FilesystemScrubConfig, FilesystemTrimConfig, FilesystemType, LogicalVolumeType,
    LvmLogicalVolumeConfig, LvmVolumeGroupConfig, MemberProvisioning, Provisioning,
    RaidArrayConfig, RawVolumeConfig, SwapVolumeConfig, UserVolumeConfig, VolumeConfig, VolumeType,
    VolumeUpkeep, ZswapConfig,
};
use crate::scalar::{ByteSize, Duration, Size};
use crate::v1alpha1::V1Alpha1;

/// The shortest time between two checks of a file system.
const SCRUB: Duration = Duration::from_secs(10);

fn sizes(min: &ByteSize, max: &Size, path: &str, findings: &mut Findings) {
    if min.is_negative() {
        findings.error(&format!("{path}.minSize"), "min size is negative");
    }
    if let Some(absolute) = max.absolute()
        && !absolute.is_negative()
        && !min.is_unset()
        && min.bytes() > absolute.bytes()
    {
        findings.error(path, "min size is greater than max size");
    }
}

impl Provisioning {
    fn check(&self, findings: &mut Findings) {
        let path = "provisioning.diskSelector.match";
        expression(&self.disk_selector.condition, Environment::Disk, Type::Bool, path, findings);
        sizes(&self.min_size, &self.max_size, "provisioning", findings);
    }

    /// The checks of volumes that are made of a disk's free space.
    fn check_required(&self, findings: &mut Findings) {
        if self.disk_selector.condition.0.is_empty() {
            findings.error("provisioning.diskSelector.match", "disk selector is required");
        }
        if self.min_size.is_unset() && self.max_size.is_unset() {
            findings.error("provisioning", "min size or max size is required");
        }
    }
}

impl Encryption {
    fn check(&self, findings: &mut Findings) {
        if self.provider.is_empty() && self.keys.is_empty() {
            return;
        }
        if self.provider != "luks2" {
            findings.error(
                "encryption.provider",
                format!("unsupported encryption provider {:?}: want luks2", self.provider),
            );
        }
        if self.keys.is_empty() {
            findings.error("encryption.keys", "encryption keys are required");
        }
        let mut slots = BTreeSet::new();
        for (number, key) in self.keys.iter().enumerate() {
            let path = format!("encryption.keys.{number}");
            if !slots.insert(key.slot) {
                findings.error(&path, format!("duplicate encryption key slot: {}", key.slot));
            }
            let method = key.fixed.is_some()
                || key.node_id.is_some()
                || key.kms.is_some()
                || key.tpm.is_some();
            if !method {
                findings.error(
                    &path,
                    format!(
                        "at least one encryption key type must be specified for slot {}",
                        key.slot
                    ),
                );
            }
            let pcrs = key.tpm.iter().filter_map(|tpm| tpm.options.as_ref());
            for pcr in pcrs.flat_map(|options| &options.pcrs).filter(|pcr| !(0..=23).contains(*pcr))
            {
                findings.error(
                    &path,
                    format!("TPM PCR {pcr} of slot {} must be from 0 to 23", key.slot),
                );
            }
        }
    }
}

fn upkeep(upkeep: Option<&VolumeUpkeep>, bound: Duration, name: &str, findings: &mut Findings) {
    let interval = upkeep.and_then(|upkeep| upkeep.interval);
    at_least(interval, bound, &format!("{name}.interval"), findings);
}

/// The longest name of a volume: a partition label without its prefix of two.
const NAME: usize = 34;

fn volume_name(name: &str, most: usize, findings: &mut Findings) {
    if name.is_empty() {
        named(name, findings);
        return;
    }
    if name.chars().count() > most {
        findings.error("name", format!("name {name:?} must be at most {most} characters long"));
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        findings.error("name", format!("name {name:?} can only contain letters, digits and '-'"));
    }
}

/// The volumes of the system.
const SYSTEM: [&str; 7] = ["STATE", "EPHEMERAL", "IMAGECACHE", "ETCD", "CRI", "KUBELET", "LOG"];

impl Validate for VolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        let name = self.name.as_str();
        if !SYSTEM.contains(&name) {
            findings.error(
                "name",
                format!("volume name {name:?} is unknown: want one of {}", SYSTEM.join(", ")),
            );
        }
        self.provisioning.check(findings);
        self.encryption.check(findings);
        upkeep(self.trim.as_ref(), Duration::default(), "trim", findings);
        upkeep(self.scrub.as_ref(), SCRUB, "scrub", findings);
        let provisioned = !Field::is_empty(&self.provisioning);
        let mounted = !Field::is_empty(&self.mount);
        match name {
            "STATE" => {
                if provisioned {
                    findings.error(
                        "provisioning",
                        "provisioning config is not allowed for the STATE volume",
                    );
                }
                if mounted {
                    findings.error("mount", "mount config is not allowed for the STATE volume");
                }
                if self.encryption.keys.iter().any(|key| key.lock_to_state.unwrap_or(false)) {
                    findings.error(
                        "encryption.keys",
                        "a key of the STATE volume can't be locked to the STATE volume",
                    );
                }
            }
            "IMAGECACHE" => {
                if mounted {
                    findings
                        .error("mount", "mount config is not allowed for the IMAGECACHE volume");
                }
                if self.filesystem.is_some() {
                    findings.error(
                        "filesystem",
                        "filesystem config is not allowed for the IMAGECACHE volume",
                    );
                }
            }
            "ETCD" | "CRI" | "KUBELET" | "LOG" if mounted && !provisioned => {
                findings.error(
                    "mount",
                    format!("mount config of the {name} volume needs provisioning"),
                );
            }
            _ => {}
        }
    }

    fn conflicts(&self, legacy: &V1Alpha1, findings: &mut Findings) {
        let encryption = legacy.machine.as_ref().and_then(|m| m.system_disk_encryption.as_ref());
        let (Some(legacy), false) = (encryption, Field::is_empty(&self.encryption)) else { return };
        let field = match self.name.as_str() {
            "STATE" if legacy.state.is_some() => "state",
            "EPHEMERAL" if legacy.ephemeral.is_some() => "ephemeral",
            _ => return,
        };
        findings.error("", format!("encryption of volume {} conflicts with .machine.systemDiskEncryption.{field} of the v1alpha1 document: keep one of them", self.name));
    }
}

impl Validate for UserVolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        volume_name(&self.name, NAME, findings);
        let unset = |empty: bool, field: &str, findings: &mut Findings| {
            if !empty {
                findings.error(
                    field,
                    format!("{field} config is not allowed for volumeType directory"),
                );
            }
        };
        match self.volume_type {
            Some(VolumeType::Directory) => {
                unset(Field::is_empty(&self.provisioning), "provisioning", findings);
                unset(Field::is_empty(&self.encryption), "encryption", findings);
                unset(Field::is_empty(&self.filesystem), "filesystem", findings);
                unset(Field::is_empty(&self.mount), "mount", findings);
            }
            Some(VolumeType::Disk) => {
                if self.provisioning.disk_selector.condition.0.is_empty() {
                    findings.error("provisioning.diskSelector.match", "disk selector is required");
                }
                let sized = !self.provisioning.min_size.is_unset()
                    || !self.provisioning.max_size.is_unset()
                    || self.provisioning.grow.is_some();
                if sized {
                    findings.error(
                        "provisioning",
                        "minSize, maxSize and grow are not allowed for volumeType disk",
                    );
                }
                self.provisioning.check(findings);
            }
            _ => {
                self.provisioning.check_required(findings);
                self.provisioning.check(findings);
            }
        }
        if !matches!(self.filesystem.kind, FilesystemType::Unset | FilesystemType::Xfs) {
            if self.filesystem.project_quota_support.unwrap_or(false) {
                findings.error(
                    "filesystem.projectQuotaSupport",
                    format!(
                        "project quota support is only available for xfs, not for {}",
                        self.filesystem.kind
                    ),
                );
            }
            if self.filesystem.xfs.is_some() {
                findings.error(
                    "filesystem.xfs",
                    format!(
                        "xfs options are only available for xfs, not for {}",
                        self.filesystem.kind
                    ),
                );
            }
        }
        self.encryption.check(findings);
        upkeep(self.trim.as_ref(), Duration::default(), "trim", findings);
        upkeep(self.scrub.as_ref(), SCRUB, "scrub", findings);
    }
}

impl Validate for RawVolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        volume_name(&self.name, NAME, findings);
        self.provisioning.check_required(findings);
        self.provisioning.check(findings);
        self.encryption.check(findings);
    }
}

impl Validate for SwapVolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        volume_name(&self.name, NAME, findings);
        self.provisioning.check_required(findings);
        self.provisioning.check(findings);
        self.encryption.check(findings);
    }
}

impl Validate for ExistingVolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        volume_name(&self.name, usize::MAX, findings);
        let condition = &self.discovery.volume_selector.condition;
        let path = "discovery.volumeSelector.match";
        if condition.0.is_empty() {
            findings.error(path, "volume selector is required");
        }
        expression(condition, Environment::Volume, Type::Bool, path, findings);
        upkeep(self.trim.as_ref(), Duration::default(), "trim", findings);
        upkeep(self.scrub.as_ref(), SCRUB, "scrub", findings);
    }
}

impl Validate for ExternalVolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        volume_name(&self.name, NAME, findings);
        if self.filesystem_type == ExternalFilesystem::Unset {
            findings.error("filesystemType", "filesystemType must be specified: virtiofs");
        } else if self.mount.virtiofs.as_ref().is_none_or(|virtiofs| virtiofs.tag.is_empty()) {
            findings.error("mount.virtiofs.tag", "mount.virtiofs.tag must be specified");
        }
    }
}

impl Validate for FilesystemTrimConfig {
    fn validate(&self, findings: &mut Findings) {
        at_least(self.interval, Duration::default(), "interval", findings);
    }
}

impl Validate for FilesystemScrubConfig {
    fn validate(&self, findings: &mut Findings) {
        at_least(self.interval, SCRUB, "interval", findings);
    }
}

impl Validate for ZswapConfig {
    fn validate(&self, findings: &mut Findings) {
        if self.max_pool_percent.is_some_and(|percent| !(0..=100).contains(&percent)) {
            findings.error("maxPoolPercent", "maxPoolPercent must be from 0 to 100");
        }
    }
}

impl MemberProvisioning {
    fn check(&self, findings: &mut Findings) {
        let path = "provisioning.volumeSelector.match";
        if self.volume_selector.condition.0.is_empty() {
            findings.error(path, "provisioning.volumeSelector.match must be specified");
        }
        expression(
            &self.volume_selector.condition,
            Environment::Volume,
            Type::Bool,
            path,
            findings,
        );
    }
}

/// Names of groups, logical volumes and arrays.
fn device_name(name: &str, most: usize, findings: &mut Findings) {
    if name.is_empty() {
        named(name, findings);
        return;
    }
    let good = name.len() <= most
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !good {
        findings.error(
            "name",
            format!("name {name:?} must be 1 to {most} letters, digits, '_' and '-'"),
        );
    }
}

impl Validate for LvmVolumeGroupConfig {
    fn validate(&self, findings: &mut Findings) {
        device_name(&self.name, 63, findings);
        self.provisioning.check(findings);
    }
}

impl Validate for LvmLogicalVolumeConfig {
    fn validate(&self, findings: &mut Findings) {
        device_name(&self.name, 63, findings);
        let mirrored = matches!(self.kind, LogicalVolumeType::Raid1 | LogicalVolumeType::Raid10);
        if let Some(mirrors) = self.mirrors {
            if !mirrored {
                findings.error("mirrors", "mirrors are only allowed for types raid1 and raid10");
            } else if mirrors < 1 {
                findings.error("mirrors", "mirrors must be at least 1");
            }
        }
        let striped = matches!(self.kind, LogicalVolumeType::Raid0 | LogicalVolumeType::Raid10);
        if let Some(stripes) = self.stripes {
            if !striped {
                findings.error("stripes", "stripes are only allowed for types raid0 and raid10");
            } else if stripes < 2 {
                findings.error("stripes", "stripes must be at least 2");
            }
        }
        let provisioning = &self.provisioning;
        if provisioning.volume_group.is_empty() {
            findings
                .error("provisioning.volumeGroup", "provisioning.volumeGroup must be specified");
        }
        if provisioning.max_size.is_unset() {
            findings.error("provisioning.maxSize", "provisioning.maxSize must be specified");
        } else if provisioning.max_size.is_negative() {
            findings.error("provisioning.maxSize", "provisioning.maxSize must not be negative");
        }
        sizes(&provisioning.min_size, &provisioning.max_size, "provisioning", findings);
    }
}

impl Validate for RaidArrayConfig {
    fn validate(&self, findings: &mut Findings) {
        device_name(&self.name, 32, findings);
        self.provisioning.check(findings);
    }
}
