//! File systems by their superblocks.

use super::{Found, Kind, text};
use crate::Guid;
use crate::bytes::{array, le16, le32, le64, narrow};
use crate::ext4::{Ext4Error, Superblock};

/// XFS (kernel documentation, "XFS Algorithms & Data Structures", chapter 14).
pub(super) fn xfs(first: &[u8]) -> Option<Found> {
    if !first.starts_with(b"XFSB") {
        return None;
    }
    let block_size = array(first, 4).map(u32::from_be_bytes)?;
    let blocks = array(first, 8).map(u64::from_be_bytes)?;
    if !(512..=65536).contains(&block_size) || !block_size.is_power_of_two() {
        return None;
    }
    Some(Found {
        uuid: Guid::from_bytes(array(first, 32)?).to_string(),
        label: text(first, 108, 12),
        block_size,
        size: blocks.saturating_mul(block_size.into()),
        ..Found::new(Kind::Xfs)
    })
}

/// ext2 to ext4. A damaged superblock still is one: its data is somebody's.
pub(super) fn ext4(first: &[u8]) -> Option<Found> {
    let bytes = first.get(narrow(Superblock::OFFSET)..)?;
    match Superblock::parse(bytes) {
        Ok(superblock) => Some(Found {
            uuid: superblock.uuid.to_string(),
            block_size: u32::try_from(superblock.block_size).ok()?,
            size: superblock.size(),
            label: superblock.label,
            ..Found::new(Kind::Ext4)
        }),
        Err(Ext4Error::Absent) => None,
        Err(_) => Some(Found::new(Kind::Ext4)),
    }
}

/// Btrfs, whose superblock is 64 KiB from the start (kernel, `uapi/linux/btrfs_tree.h`).
pub(super) fn btrfs(first: &[u8]) -> Option<Found> {
    let bytes = first.get(0x1_0000..)?;
    if bytes.get(0x40..0x48) != Some(b"_BHRfS_M") {
        return None;
    }
    Some(Found {
        uuid: Guid::from_bytes(array(bytes, 0x20)?).to_string(),
        label: text(bytes, 0x12b, 256),
        block_size: le32(bytes, 0x90)?,
        size: le64(bytes, 0x70)?,
        ..Found::new(Kind::Btrfs)
    })
}

/// SquashFS 4 (kernel documentation, `filesystems/squashfs`).
pub(super) fn squashfs(first: &[u8]) -> Option<Found> {
    if !first.starts_with(b"hsqs") || le16(first, 28) != Some(4) {
        return None;
    }
    let (block_size, size) = (le32(first, 12)?, le64(first, 40)?);
    Some(Found { block_size, size, ..Found::new(Kind::Squashfs) })
}

/// ISO 9660: the primary volume descriptor, and the time it was changed as identity.
pub(super) fn iso9660(first: &[u8]) -> Option<Found> {
    let bytes = first.get(0x8000..0x8800)?;
    if !bytes.starts_with(b"\x01CD001\x01") {
        return None;
    }
    let block_size = u32::from(le16(bytes, 128)?);
    let digits = text(bytes, 830, 16);
    let mut uuid = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if [4, 6, 8, 10, 12, 14].contains(&at) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    let size = u64::from(le32(bytes, 80)?).saturating_mul(block_size.into());
    Some(Found { uuid, label: text(bytes, 40, 32), block_size, size, ..Found::new(Kind::Iso9660) })
}

/// FAT of any width, by its boot sector.
pub(super) fn vfat(first: &[u8]) -> Option<Found> {
    let sector = u32::from(le16(first, 11)?);
    let cluster = first.get(13)?;
    let sane = (512..=4096).contains(&sector)
        && sector.is_power_of_two()
        && cluster.is_power_of_two()
        && matches!(first.get(16), Some(1 | 2))
        && matches!(first.first(), Some(0xeb | 0xe9))
        && first.get(510..512) == Some(&[0x55, 0xaa]);
    let field = |at: usize| first.get(at..at + 3) == Some(b"FAT");
    if !sane || !(field(82) || field(54)) {
        return None;
    }
    let at = if field(82) { 67 } else { 39 };
    let serial = le32(first, at)?;
    let label = text(first, at + 4, 11);
    let sectors = match le16(first, 19)? {
        0 => u64::from(le32(first, 32)?),
        sectors => u64::from(sectors),
    };
    Some(Found {
        uuid: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff),
        label: if label == "NO NAME" { String::new() } else { label },
        block_size: sector,
        size: sectors.saturating_mul(sector.into()),
        ..Found::new(Kind::Vfat)
    })
}
