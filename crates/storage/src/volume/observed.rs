//! What is on the machine's disks, as it was read.

use resource::block::{DiscoveredVolumeSpec, DiskSpec};

use crate::gpt::Table;
use crate::probe::Content;

/// Everything that a plan is made from, apart from the wishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The whole disks, in the order of their names.
    pub disks: Vec<Disk>,
    /// Whether all devices that the machine has were seen: what is missing then is missing.
    pub settled: bool,
    /// The name of the disk that the machine's image was written to.
    pub system_disk: Option<String>,
}

/// A whole disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// The kernel's name, as `vda`.
    pub name: String,
    /// What the kernel says about it.
    pub spec: DiskSpec,
    /// It as a volume, for conditions on volumes.
    pub volume: DiscoveredVolumeSpec,
    /// What it holds.
    pub content: Content,
    /// Its partition table.
    pub table: Option<Table>,
    /// Its partitions that the kernel knows.
    pub parts: Vec<Part>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The kernel's name, as `vda3`.
    pub name: String,
    /// Its number in the table.
    pub number: u32,
    /// It as a volume.
    pub volume: DiscoveredVolumeSpec,
    /// What it holds.
    pub content: Content,
}

impl Observed {
    /// The disk that holds META: where an image was written to. When several do, the one with the
    /// partition `booted` that the boot loader was read from; else none, as it cannot be known.
    #[must_use]
    pub fn find_system_disk(disks: &[Disk], booted: Option<&str>) -> Option<String> {
        let with_meta: Vec<&Disk> = disks
            .iter()
            .filter(|disk| disk.parts.iter().any(|part| part.volume.partition_label == "META"))
            .collect();
        match with_meta.as_slice() {
            [] => None,
            [disk] => Some(disk.name.clone()),
            several => {
                let booted = booted?;
                let found = several.iter().find(|disk| {
                    let mut ids = disk.parts.iter().map(|part| &part.volume.partition_uuid);
                    ids.any(|id| id.eq_ignore_ascii_case(booted))
                });
                found.map(|disk| disk.name.clone())
            }
        }
    }
}
