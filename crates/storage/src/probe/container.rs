//! Things that are not file systems: encryption, META, swap, volume groups, RAID, old tables.

use super::{Ends, Found, Kind, text};
use crate::Guid;
use crate::bytes::{array, le32, le64, narrow, wide};
use crate::meta::{Meta, MetaError};

/// LUKS 1 or 2 ("LUKS2 On-Disk Format Specification" 1.1.4, chapter 2.1).
pub(super) fn luks(first: &[u8]) -> Option<Found> {
    let version = array(first, 6).map(u16::from_be_bytes)?;
    if !first.starts_with(b"LUKS\xba\xbe") || !(1..=2).contains(&version) {
        return None;
    }
    let label = if version == 2 { text(first, 24, 48) } else { String::new() };
    Some(Found { uuid: text(first, 168, 40), label, ..Found::new(Kind::Luks) })
}

/// META, sound or damaged.
pub(super) fn meta(first: &[u8]) -> Option<Found> {
    let present = !matches!(Meta::parse(first), Err(MetaError::Absent));
    present.then(|| Found::new(Kind::Meta))
}

/// Swap space of pages of 4 KiB to 64 KiB (`union swap_header` of the kernel's `linux/swap.h`).
pub(super) fn swap(first: &[u8]) -> Option<Found> {
    let page = [4096_usize, 8192, 16384, 65536].into_iter().find(|page| {
        let mark = first.get(page - 10..*page);
        mark == Some(b"SWAPSPACE2")
    })?;
    let last = le32(first, 1028)?;
    let size = (u64::from(last) + 1) * wide(page);
    let uuid = Guid::from_bytes(array(first, 1036)?).to_string();
    let block_size = u32::try_from(page).ok()?;
    Some(Found { uuid, label: text(first, 1052, 16), block_size, size, ..Found::new(Kind::Swap) })
}

/// A physical volume: its label is in one of the first four sectors (lvm2, `format_text`).
pub(super) fn lvm(first: &[u8]) -> Option<Found> {
    let at = [0, 512, 1024, 1536].into_iter().find(|at| {
        first.get(*at..at + 8) == Some(b"LABELONE")
            && first.get(at + 24..at + 32) == Some(b"LVM2 001")
    })?;
    Some(Found { uuid: text(first, at + 32, 32), ..Found::new(Kind::Lvm) })
}

/// A member of an array with a superblock of version 1 at its start, 4 KiB after it, or near its
/// end (kernel, `linux/raid/md_p.h`), or of version 0.90.
pub(super) fn raid(ends: Ends<'_>) -> Option<Found> {
    const MAGIC: u32 = 0xa92b_4efc;
    let first_of_last = ends.size.checked_sub(wide(ends.last.len()))?;
    let from_end = |offset: u64| {
        let at = offset.checked_sub(first_of_last)?;
        ends.last.get(narrow(at)..)
    };
    let version_1_0 = (ends.size & !4095).checked_sub(8192).and_then(from_end);
    let version_0_90 = (ends.size & !0xffff).checked_sub(0x1_0000).and_then(from_end);
    let places = [Some(ends.first), ends.first.get(4096..), version_1_0];
    let found = places
        .into_iter()
        .flatten()
        .find(|bytes| le32(bytes, 0) == Some(MAGIC) && le32(bytes, 4) == Some(1));
    let Some(bytes) = found else {
        let old = version_0_90.filter(|bytes| le32(bytes, 0) == Some(MAGIC));
        return old.map(|_| Found::new(Kind::Raid));
    };
    let uuid = Guid::from_bytes(array(bytes, 16)?).to_string();
    let size = le64(bytes, 80)?.saturating_mul(512);
    Some(Found { uuid, label: text(bytes, 32, 32), size, ..Found::new(Kind::Raid) })
}

/// The old partition table of PCs: its mark, and entries that can be true.
pub(super) fn mbr(first: &[u8]) -> bool {
    let entries = [446, 462, 478, 494].map(|at| {
        let flag = first.get(at).is_some_and(|flag| flag & 0x7f == 0);
        let kind = first.get(at + 4).copied().unwrap_or(0);
        let used = kind != 0 && le32(first, at + 12).is_some_and(|sectors| sectors > 0);
        (flag, used)
    });
    first.get(510..512) == Some(&[0x55, 0xaa])
        && entries.iter().all(|(flag, _)| *flag)
        && entries.iter().any(|(_, used)| *used)
}
