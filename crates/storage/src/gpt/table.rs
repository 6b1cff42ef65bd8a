//! A table as values: partitions, gaps, and the changes that keep it valid.

use std::collections::BTreeMap;

use super::{Geometry, GptError, SLOTS};
use crate::Guid;
use crate::bytes::wide;

/// Partitions start and end at multiples of this many bytes, so that no flash page, erase block
/// or RAID stripe is shared by two.
pub const ALIGNMENT: usize = 1 << 20;

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What it is for, as [`EFI_SYSTEM`](super::EFI_SYSTEM).
    pub kind: Guid,
    /// Its own identity.
    pub id: Guid,
    /// First sector.
    pub first: u64,
    /// Last sector.
    pub last: u64,
    /// Attribute bits (UEFI 2.10, chapter 5.3.3); bit 2 is legacy BIOS bootable.
    pub attributes: u64,
    /// Name, at most 36 UTF-16 units.
    pub label: String,
}

/// A wish for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Name, not in use on this disk, at most 36 UTF-16 units.
    pub label: String,
    /// Type.
    pub kind: Guid,
    /// Identity.
    pub id: Guid,
    /// Attribute bits.
    pub attributes: u64,
    /// Bytes that it needs at least; rounded up to [`ALIGNMENT`].
    pub min: u64,
    /// Bytes that it takes at most, rounded up as well; without it, all of the largest gap.
    pub max: Option<u64>,
}

/// A partition table of one disk. Always valid: partitions are within the disk and do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub(super) geometry: Geometry,
    pub(super) disk: Guid,
    pub(super) slots: u32,
    pub(super) array: u64,
    pub(super) first_usable: u64,
    pub(crate) partitions: BTreeMap<u32, Partition>,
}

impl Table {
    /// An empty table with 128 entries.
    #[must_use]
    pub fn new(geometry: Geometry, disk: Guid) -> Self {
        let first_usable = 2 + geometry.array_sectors(SLOTS);
        Self { geometry, disk, slots: SLOTS, array: 2, first_usable, partitions: BTreeMap::new() }
    }

    /// The disk's identity.
    #[must_use]
    pub fn disk(&self) -> Guid {
        self.disk
    }

    /// The disk that the table is for.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The partitions by number; the first has number 1.
    #[must_use]
    pub fn partitions(&self) -> &BTreeMap<u32, Partition> {
        &self.partitions
    }

    /// The partition with this label.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Option<(u32, &Partition)> {
        let mut all = self.partitions.iter();
        all.find(|(_, partition)| partition.label == label)
            .map(|(number, partition)| (*number, partition))
    }

    /// Where a partition begins, in bytes from the start of the disk.
    #[must_use]
    pub fn offset(&self, partition: &Partition) -> u64 {
        self.geometry.offset(partition.first)
    }

    /// How many bytes a partition has.
    #[must_use]
    pub fn size(&self, partition: &Partition) -> u64 {
        self.geometry.offset(partition.last.saturating_sub(partition.first).saturating_add(1))
    }

    /// Sectors of the array of entries.
    pub(super) fn array_sectors(&self) -> u64 {
        self.geometry.array_sectors(self.slots)
    }

    /// The last sector that a partition can have.
    pub(super) fn last_usable(&self) -> u64 {
        self.geometry.sectors.saturating_sub(self.array_sectors() + 2)
    }

    /// Adds a partition: in the first gap that has the most it takes, else in the largest gap if
    /// that has the least it needs. Gives its number.
    ///
    /// # Errors
    /// When the label does not fit or is taken, no gap is large enough, or all entries are used.
    pub fn add(&mut self, request: Request) -> Result<u32, GptError> {
        let Request { label, kind, id, attributes, min, max } = request;
        if label.encode_utf16().count() > 36 {
            return Err(GptError::Label(label));
        }
        if self.labelled(&label).is_some() {
            return Err(GptError::LabelTaken(label));
        }
        if kind == Guid::ZERO {
            return Err(GptError::Kind(label));
        }
        let free = (1..=self.slots).find(|number| !self.partitions.contains_key(number));
        let Some(number) = free else { return Err(GptError::NoEntry { label }) };
        let unit = self.geometry.aligned();
        let sectors = |bytes: u64| bytes.div_ceil(wide(ALIGNMENT)).max(1).saturating_mul(unit);
        let least = sectors(min);
        let most = max.map(|max| sectors(max).max(least));
        let gaps = self.gaps();
        // Of gaps of the same size the first counts.
        let largest = gaps.iter().rev().max_by_key(|(_, length)| *length);
        let exact = most.and_then(|most| gaps.iter().find(|(_, length)| *length >= most));
        let Some((first, length)) = exact.or(largest).filter(|(_, length)| *length >= least) else {
            return Err(GptError::NoSpace {
                label,
                needed: self.geometry.offset(least),
                largest: self.geometry.offset(largest.map_or(0, |(_, length)| *length)),
            });
        };
        let length = most.map_or(*length, |most| most.min(*length));
        let last = first + length - 1;
        let partition = Partition { kind, id, first: *first, last, attributes, label };
        self.partitions.insert(number, partition);
        Ok(number)
    }

    /// Takes a partition out of the table; its content stays where it is.
    pub fn remove(&mut self, number: u32) -> Option<Partition> {
        self.partitions.remove(&number)
    }

    /// Lets a partition have the free space after it, up to `max` bytes in all. Gives how many
    /// bytes it gained, which is 0 for a number without partition.
    pub fn grow(&mut self, number: u32, max: Option<u64>) -> u64 {
        let Some(partition) = self.partitions.get(&number) else { return 0 };
        let (first, old) = (partition.first, partition.last);
        let mut after = self.partitions.values().map(|other| other.first).filter(|at| *at > old);
        let next = after.by_ref().min().unwrap_or(self.last_usable() + 1);
        let unit = self.geometry.aligned();
        let mut end = next / unit * unit;
        if let Some(max) = max {
            let most = max.div_ceil(wide(ALIGNMENT)).saturating_mul(unit);
            end = end.min(first.saturating_add(most));
        }
        let gained = end.saturating_sub(old + 1);
        if let Some(partition) = self.partitions.get_mut(&number) {
            partition.last = old + gained;
        }
        self.geometry.offset(gained)
    }

    /// Makes the table one for a disk of another size, as after writing an image to a larger disk.
    ///
    /// # Errors
    /// When the sector size differs, the table does not fit, or a partition would be cut off.
    pub fn resize(&mut self, geometry: Geometry) -> Result<(), GptError> {
        if geometry.sector_size != self.geometry.sector_size {
            return Err(GptError::SectorSize(geometry.sector_size));
        }
        let resized = Self { geometry, ..self.clone() };
        let end = resized.last_usable();
        if end < self.first_usable {
            return Err(GptError::TooSmall { bytes: geometry.bytes() });
        }
        for (index, partition) in &self.partitions {
            if partition.last > end {
                return Err(GptError::Shrunk { index: *index, last: partition.last });
            }
        }
        self.geometry = geometry;
        Ok(())
    }

    /// Free space as (first sector, sectors), aligned, in the order of the disk.
    fn gaps(&self) -> Vec<(u64, u64)> {
        let unit = self.geometry.aligned();
        let mut used: Vec<_> = self.partitions.values().map(|p| (p.first, p.last)).collect();
        used.sort_unstable();
        let mut gaps = Vec::new();
        let mut from = self.first_usable;
        let stop = self.last_usable() + 1;
        for (first, last) in used.into_iter().chain([(stop, stop)]) {
            let start = from.div_ceil(unit) * unit;
            let end = first / unit * unit;
            if end > start {
                gaps.push((start, end - start));
            }
            from = from.max(last + 1);
        }
        gaps
    }
}
