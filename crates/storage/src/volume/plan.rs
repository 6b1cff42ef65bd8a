//! From wishes and disks to statuses and steps.

use std::collections::BTreeMap;

use resource::block::{PartitionSpec, VolumeConfigSpec, VolumeStatusSpec};
use resource::enums::{FilesystemType, VolumePhase, VolumeType};

use super::observed::{Disk, Observed, Part};
use super::selector::{Selector, SelectorError};
use super::{UNFORMATTED, system};
use crate::Guid;
use crate::bytes::wide;
use crate::gpt::{self, ALIGNMENT, Geometry, GptError, Request, Table};
use crate::probe::{Content, Kind};

/// Something to do to a disk. The one who does it looks at the disks again afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a partition: clear its ends, then write the table, then tell the kernel.
    Create {
        /// The volume.
        volume: String,
        /// The disk's name.
        disk: String,
        /// What is added; its identity is still zero and to be chosen at random.
        request: Request,
        /// The disk is blank and gets a table first.
        new_table: bool,
    },
    /// Let a partition grow to at most this size, and tell the kernel.
    Grow {
        /// The volume.
        volume: String,
        /// The disk's name.
        disk: String,
        /// The partition's number.
        number: u32,
        /// Its limit in bytes; without it, all that is free behind it.
        max: Option<u64>,
    },
    /// Make a file system, then take [`UNFORMATTED`] from the partition.
    Format {
        /// The volume.
        volume: String,
        /// The disk's name.
        disk: String,
        /// The partition's name.
        part: String,
        /// Its number.
        number: u32,
        /// The file system's label.
        label: String,
    },
}

/// Where volumes are, and what can be done about those that are not ready.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The status of each volume by id.
    pub statuses: BTreeMap<String, VolumeStatusSpec>,
    /// What to do now; at most one step for each volume.
    pub steps: Vec<Step>,
    /// What volumes that wait are waiting for, in words.
    pub waits: BTreeMap<String, String>,
}

/// What came out for one volume.
struct Outcome {
    status: VolumeStatusSpec,
    step: Option<Step>,
    wait: Option<String>,
}

/// Why a volume cannot be had, in words for the user.
struct Failure {
    phase: VolumePhase,
    text: String,
}

/// Plans the volumes.
#[must_use]
pub fn plan(wishes: &[(String, VolumeConfigSpec)], observed: &Observed) -> Plan {
    let mut plan = Plan::default();
    let mut order: Vec<_> = wishes.iter().collect();
    // Within a wave, what takes all the rest comes last.
    order.sort_by_key(|(id, spec)| {
        let provisioning = &spec.provisioning;
        let rest = provisioning.partition_spec.as_ref().is_some_and(takes_rest);
        (provisioning.wave, rest, id.clone())
    });
    // The table of a disk changes with a step, so one step at a time is planned for a disk.
    let mut busy: Vec<String> = Vec::new();
    let mut earlier: Option<(i64, String)> = None;
    for (id, spec) in order {
        let blocked = earlier.as_ref().filter(|(wave, _)| *wave < spec.provisioning.wave);
        let blocked = blocked.map(|(_, volume)| volume.as_str());
        let outcome = volume(id, spec, observed, &busy, blocked);
        let is_made = outcome.status.phase.0 >= VolumePhase::PROVISIONED.0;
        if !is_made && spec.provisioning.partition_spec.is_some() && earlier.is_none() {
            earlier = Some((spec.provisioning.wave, id.clone()));
        }
        if let Some(wait) = outcome.wait {
            plan.waits.insert(id.clone(), wait);
        }
        if let Some(step) = outcome.step {
            let (Step::Create { disk, .. } | Step::Grow { disk, .. } | Step::Format { disk, .. }) =
                &step;
            busy.push(disk.clone());
            plan.steps.push(step);
        }
        plan.statuses.insert(id.clone(), outcome.status);
    }
    plan
}

fn takes_rest(partition: &PartitionSpec) -> bool {
    partition.max_size == 0 || partition.negative_max_size
}

fn volume(
    id: &str,
    spec: &VolumeConfigSpec,
    observed: &Observed,
    busy: &[String],
    blocked: Option<&str>,
) -> Outcome {
    let mut status = VolumeStatusSpec {
        r#type: spec.r#type,
        parent_id: spec.parent_id.clone(),
        mount_spec: spec.mount.clone(),
        ..Default::default()
    };
    let result = match spec.r#type {
        VolumeType::PARTITION => partition(id, spec, observed, busy, blocked, &mut status),
        other => Err(Failure {
            phase: VolumePhase::FAILED,
            text: format!("volumes of the type {other} are not supported yet"),
        }),
    };
    match result {
        Ok((step, wait)) => Outcome { status, step, wait },
        Err(failure) => {
            status.pre_fail_phase = status.phase;
            status.phase = failure.phase;
            status.error_message.clone_from(&failure.text);
            let wait = (failure.phase == VolumePhase::FAILED).then_some(failure.text);
            Outcome { status, step: None, wait }
        }
    }
}

type Progress = Result<(Option<Step>, Option<String>), Failure>;

fn partition(
    id: &str,
    spec: &VolumeConfigSpec,
    observed: &Observed,
    busy: &[String],
    blocked: Option<&str>,
    status: &mut VolumeStatusSpec,
) -> Progress {
    let waits = |text: String| Ok((None, Some(text)));
    if let Some((disk, part)) = locate(id, spec, observed)? {
        describe(status, disk, part);
        status.phase = VolumePhase::PROVISIONED;
        if busy.contains(&disk.name) {
            return waits(format!("another change of {}", disk.spec.dev_path));
        }
        return located(id, spec, disk, part, status);
    }
    if !observed.settled {
        return waits("the machine's disks to be found".to_owned());
    }
    let Some(wanted) = &spec.provisioning.partition_spec else {
        let text = String::new();
        return Err(Failure { phase: VolumePhase::MISSING, text });
    };
    if let Some(other) = blocked {
        return waits(format!("volume {other}, which is made first"));
    }
    let (disk, request, new_table) = place(id, spec, wanted, observed)?;
    if busy.contains(&disk.name) {
        return waits(format!("another change of {}", disk.spec.dev_path));
    }
    let disk = disk.name.clone();
    Ok((Some(Step::Create { volume: id.to_owned(), disk, request, new_table }), None))
}

/// The partition that a volume is, if there is one.
fn locate<'a>(
    id: &str,
    spec: &VolumeConfigSpec,
    observed: &'a Observed,
) -> Result<Option<(&'a Disk, &'a Part)>, Failure> {
    let selector = Selector::on_volume(&spec.locator.r#match.text).map_err(failed)?;
    let mut found = Vec::new();
    for disk in &observed.disks {
        for part in &disk.parts {
            if selector.volume(&part.volume, &disk.spec).map_err(failed)? {
                found.push((disk, part));
            }
        }
    }
    // An old disk in the machine may have the same volumes.
    if found.len() > 1
        && let Some(system) = &observed.system_disk
        && [system::META, system::STATE, system::EPHEMERAL].contains(&id)
        && found.iter().any(|(disk, _)| disk.name == *system)
    {
        found.retain(|(disk, _)| disk.name == *system);
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let devices: Vec<&str> =
                several.iter().map(|(_, part)| part.volume.dev_path.as_str()).collect();
            Err(Failure {
                phase: VolumePhase::FAILED,
                text: format!(
                    "several partitions are volume {id}: {}; remove or wipe all but one",
                    devices.join(", ")
                ),
            })
        }
    }
}

fn failed(error: SelectorError) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Failure { phase: VolumePhase::FAILED, text }
}

fn describe(status: &mut VolumeStatusSpec, disk: &Disk, part: &Part) {
    let volume = &part.volume;
    status.location.clone_from(&volume.dev_path);
    status.mount_location.clone_from(&volume.dev_path);
    status.parent_location.clone_from(&disk.spec.dev_path);
    status.partition_index = i64::from(part.number);
    status.partition_uuid.clone_from(&volume.partition_uuid);
    status.uuid.clone_from(&volume.uuid);
    status.size = volume.size;
    status.pretty_size.clone_from(&volume.pretty_size);
}

/// What is left to do for a partition that exists: grow, format.
fn located(
    id: &str,
    spec: &VolumeConfigSpec,
    disk: &Disk,
    part: &Part,
    status: &mut VolumeStatusSpec,
) -> Progress {
    if let Some(wanted) = &spec.provisioning.partition_spec
        && wanted.grow
        && let Some(table) = &disk.table
    {
        let max = limit(wanted, disk.spec.size);
        if table.clone().grow(part.number, max) >= wide(ALIGNMENT) {
            let (volume, number) = (id.to_owned(), part.number);
            return Ok((Some(Step::Grow { volume, disk: disk.name.clone(), number, max }), None));
        }
    }
    status.phase = VolumePhase::PREPARED;
    let unformatted = disk
        .table
        .as_ref()
        .and_then(|table| table.partitions().get(&part.number))
        .is_some_and(|partition| partition.attributes & UNFORMATTED != 0);
    match (&spec.provisioning.filesystem_spec, part.content.first().map(|found| found.kind)) {
        (Some(filesystem), _) if unformatted || part.content == Content::Blank => {
            return Ok((
                Some(Step::Format {
                    volume: id.to_owned(),
                    disk: disk.name.clone(),
                    part: part.name.clone(),
                    number: part.number,
                    label: filesystem.label.clone(),
                }),
                None,
            ));
        }
        (_, Some(Kind::Ext4)) if part.volume.uuid.is_empty() => {
            return Err(foreign(id, part, "a damaged ext4 file system"));
        }
        (_, Some(Kind::Ext4)) => status.filesystem = FilesystemType::EXT4,
        (_, Some(Kind::Xfs)) => status.filesystem = FilesystemType::XFS,
        // META has its own format, and none before its first value.
        (None, Some(Kind::Meta)) => {}
        (None, None) if part.content == Content::Blank || spec.mount.is_none() => {}
        (_, Some(other)) => return Err(foreign(id, part, other.name())),
        (_, None) => return Err(foreign(id, part, "data of an unknown kind")),
    }
    status.phase = VolumePhase::READY;
    Ok((None, None))
}

fn foreign(id: &str, part: &Part, what: &str) -> Failure {
    let device = &part.volume.dev_path;
    Failure {
        phase: VolumePhase::FAILED,
        text: format!(
            "partition {device} is volume {id}, but holds {what}; it is not overwritten: wipe the partition to have it made anew"
        ),
    }
}

/// The most bytes that a partition takes; `None` for all there are.
fn limit(wanted: &PartitionSpec, disk: u64) -> Option<u64> {
    let most = match wanted.relative_max_size {
        0 => wanted.max_size,
        percent => disk / 100 * percent,
    };
    match (most, wanted.negative_max_size) {
        (0, _) => None,
        (less, true) => Some(disk.saturating_sub(less)),
        (most, false) => Some(most),
    }
}

/// A disk for a volume that does not exist yet.
fn place<'a>(
    id: &str,
    spec: &VolumeConfigSpec,
    wanted: &PartitionSpec,
    observed: &'a Observed,
) -> Result<(&'a Disk, Request, bool), Failure> {
    let text = spec.provisioning.disk_selector.as_ref().map(|selector| &selector.r#match.text);
    let selector = Selector::on_disk(text.map_or("", String::as_str)).map_err(failed)?;
    let mut reasons = Vec::new();
    for disk in &observed.disks {
        let system = observed.system_disk.as_deref() == Some(disk.name.as_str());
        if !selector.disk(&disk.spec, system).map_err(failed)? {
            continue;
        }
        match fits(disk, wanted) {
            Ok((request, new_table)) => return Ok((disk, request, new_table)),
            Err(reason) => reasons.push(format!("{}: {reason}", disk.spec.dev_path)),
        }
    }
    let text = if reasons.is_empty() {
        let known: Vec<&str> =
            observed.disks.iter().map(|disk| disk.spec.dev_path.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!(
            "no disk for volume {id}: none meets {:?} (disks of this machine: {known})",
            text.map_or("", String::as_str)
        )
    } else {
        format!("no disk for volume {id}: {}", reasons.join("; "))
    };
    Err(Failure { phase: VolumePhase::FAILED, text })
}

/// Whether a partition can be made on a disk without touching anybody's data.
fn fits(disk: &Disk, wanted: &PartitionSpec) -> Result<(Request, bool), String> {
    if disk.spec.readonly || disk.spec.cdrom {
        return Err("it is read-only".to_owned());
    }
    let holds = |what: &str| {
        format!(
            "it holds {what} and no partition table of its own; it is not overwritten: wipe the disk to use it"
        )
    };
    let (mut table, new_table) = match (&disk.table, &disk.content) {
        (Some(table), content) if content.is_only(Kind::Gpt) => (table.clone(), false),
        (Some(_), _) => return Err(holds("a partition table together with a file system")),
        (None, Content::Blank) => {
            let sector = u32::try_from(disk.spec.sector_size).unwrap_or(0);
            let geometry = Geometry::new(sector, disk.spec.size).map_err(|e| e.to_string())?;
            (Table::new(geometry, Guid::ZERO), true)
        }
        (None, Content::DamagedTable(error)) => {
            return Err(format!(
                "{error}; it is not overwritten: repair the table or wipe the disk"
            ));
        }
        (None, Content::Found(found)) => {
            return Err(holds(found.first().map_or("data", |found| found.kind.name())));
        }
        (None, Content::Unknown) => return Err(holds("data of an unknown kind")),
    };
    let request = Request {
        label: wanted.label.clone(),
        kind: wanted.type_uuid.parse().unwrap_or(gpt::LINUX_DATA),
        id: Guid::ZERO,
        attributes: UNFORMATTED,
        min: wanted.min_size,
        max: limit(wanted, disk.spec.size),
    };
    match table.add(request.clone()) {
        Ok(_) => Ok((request, new_table)),
        Err(GptError::NoSpace { needed, largest, .. }) => Err(format!(
            "{} MiB are needed in one piece, {} MiB are free",
            needed >> 20,
            largest >> 20
        )),
        Err(error) => Err(error.to_string()),
    }
}
