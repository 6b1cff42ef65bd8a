//! What a disk or partition holds, from the bytes at its two ends. Recognises; never mounts,
//! opens or repairs.
//!
//! Several answers at once are normal: a stick with an installation image is a partition table
//! and an ISO file system. Whoever wants to write must see [`Content::Blank`] or know all of them.

mod container;
mod filesystem;

use crate::bytes::narrow;
use crate::gpt::{self, Geometry, GptError, Table};

/// The bytes that are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// The first [`gpt::EDGE`] bytes, or all of a smaller device.
    pub first: &'a [u8],
    /// The last [`gpt::EDGE`] bytes, or all of a smaller device.
    pub last: &'a [u8],
    /// Bytes of the whole device.
    pub size: u64,
    /// Bytes of a sector.
    pub sector_size: u32,
}

/// What something is recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// GUID partition table.
    Gpt,
    /// LUKS, either version.
    Luks,
    /// META.
    Meta,
    /// XFS.
    Xfs,
    /// ext4, or its elders, which the same driver mounts.
    Ext4,
    /// Btrfs.
    Btrfs,
    /// A read-only root image.
    Squashfs,
    /// Swap space.
    Swap,
    /// Physical volume of a volume group.
    Lvm,
    /// Member of a software RAID array.
    Raid,
    /// Optical media.
    Iso9660,
    /// FAT of any width.
    Vfat,
    /// The old partition table of PCs.
    Mbr,
}

impl Kind {
    /// The name in resources (`DiscoveredVolumes`, `name`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gpt => "gpt",
            Self::Luks => "luks",
            Self::Meta => "talosmeta",
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
            Self::Btrfs => "btrfs",
            Self::Squashfs => "squashfs",
            Self::Swap => "swap",
            Self::Lvm => "lvm2-pv",
            Self::Raid => "linux_raid_member",
            Self::Iso9660 => "iso9660",
            Self::Vfat => "vfat",
            Self::Mbr => "mbr",
        }
    }
}

/// Something that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its identity as the usual tools write it; empty without one.
    pub uuid: String,
    /// Its label; empty without one.
    pub label: String,
    /// Bytes of a block; 0 when it has none.
    pub block_size: u32,
    /// Bytes that it says it has; 0 when it does not say.
    pub size: u64,
}

impl Found {
    fn new(kind: Kind) -> Self {
        Self { kind, uuid: String::new(), label: String::new(), block_size: 0, size: 0 }
    }
}

/// All that is known about the content of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Both ends are zero: nobody's data.
    Blank,
    /// Data of a kind that is not known here.
    Unknown,
    /// A partition table that cannot be trusted, so that everything may be on the disk.
    DamagedTable(GptError),
    /// What was recognised, the strongest first; at least one.
    Found(Vec<Found>),
}

impl Content {
    /// The strongest of what was recognised.
    #[must_use]
    pub fn first(&self) -> Option<&Found> {
        match self {
            Self::Found(found) => found.first(),
            Self::Blank | Self::Unknown | Self::DamagedTable(_) => None,
        }
    }

    /// Whether one kind was recognised and no other.
    #[must_use]
    pub fn is_only(&self, kind: Kind) -> bool {
        matches!(self, Self::Found(found) if found.iter().all(|found| found.kind == kind))
    }
}

/// Looks at a device.
#[must_use]
pub fn probe(ends: Ends<'_>) -> Content {
    let mut found = Vec::new();
    match table(ends) {
        Ok(table) => found.push(Found {
            uuid: table.disk().to_string(),
            block_size: ends.sector_size,
            size: ends.size,
            ..Found::new(Kind::Gpt)
        }),
        Err(GptError::Damaged { primary, backup }) => {
            return Content::DamagedTable(GptError::Damaged { primary, backup });
        }
        Err(_) => {}
    }
    let first = ends.first;
    found.extend(
        [
            container::luks(first),
            container::meta(first),
            filesystem::xfs(first),
            filesystem::ext4(first),
            filesystem::btrfs(first),
            filesystem::squashfs(first),
            container::swap(first),
            container::lvm(first),
            container::raid(ends),
            filesystem::iso9660(first),
            filesystem::vfat(first),
        ]
        .into_iter()
        .flatten(),
    );
    if found.is_empty() && container::mbr(first) {
        found.push(Found::new(Kind::Mbr));
    }
    if !found.is_empty() {
        return Content::Found(found);
    }
    let blank = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if blank(ends.first) && blank(ends.last) { Content::Blank } else { Content::Unknown }
}

/// The partition table of a device.
///
/// # Errors
/// As [`Table::parse`], and when the device cannot have a table.
pub fn table(ends: Ends<'_>) -> Result<Table, GptError> {
    let geometry = Geometry::new(ends.sector_size, ends.size)?;
    Table::parse(ends.first, ends.last, geometry).map(|found| found.table)
}

/// Writes that make a device blank for [`probe`]: zeros at both ends.
#[must_use]
pub fn wipe(size: u64) -> Vec<crate::Piece<'static>> {
    let edge = crate::bytes::wide(gpt::EDGE).min(size);
    let zeros = vec![0; narrow(edge)];
    let end = size - edge;
    let mut pieces = vec![crate::Piece::owned(0, zeros.clone())];
    if end > 0 {
        pieces.push(crate::Piece::owned(end, zeros));
    }
    pieces
}

/// A text in a field of fixed length, up to its first zero, without spaces at the end.
fn text(bytes: &[u8], at: usize, length: usize) -> String {
    let field = bytes.get(at..at.saturating_add(length)).unwrap_or_default();
    let field: Vec<u8> = field.iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&field).trim_end().to_owned()
}
