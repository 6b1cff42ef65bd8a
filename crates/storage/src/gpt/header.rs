//! One copy of a table as bytes: a header and the array of entries that it points to.

use thiserror::Error;

use super::{ENTRY, Geometry, Partition};
use crate::Guid;
use crate::bytes::{array, le32, le64, narrow, wide};
use crate::crc::crc32;

pub(super) const SIGNATURE: &[u8; 8] = b"EFI PART";
pub(super) const REVISION: u32 = 0x0001_0000;
pub(super) const LENGTH: usize = 92;
/// More entries than any tool makes; keeps a hostile table from costing memory.
const MOST_ENTRIES: u32 = 4096;

/// Why one copy of a table cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// There is no header.
    #[error("no header in sector {0}")]
    Signature(u64),
    /// A revision or length that is not defined.
    #[error("the header has an unknown form")]
    Form,
    /// The header's checksum is wrong.
    #[error("the header's checksum is wrong")]
    Checksum,
    /// The header says that it belongs elsewhere.
    #[error("the header in sector {at} says that it belongs into sector {says}")]
    Place {
        /// Where it was read.
        at: u64,
        /// Where it says it is.
        says: u64,
    },
    /// The range of usable sectors is not on the disk.
    #[error("the header uses sectors {first} to {last}, which the disk does not have")]
    Usable {
        /// First usable sector.
        first: u64,
        /// Last usable sector.
        last: u64,
    },
    /// The number or size of entries is not defined, or absurd.
    #[error("the header has {count} entries of {size} bytes")]
    Entries {
        /// How many.
        count: u32,
        /// How large each.
        size: u32,
    },
    /// The array was not read, or is among the usable sectors.
    #[error("the entries at sector {0} are not at the disk's ends")]
    ArrayPlace(u64),
    /// The array's checksum is wrong.
    #[error("the checksum of the entries is wrong")]
    ArrayChecksum,
    /// A partition is backwards or outside of the usable sectors.
    #[error("partition {0} is outside of the usable sectors")]
    Partition(u32),
    /// Two partitions share a sector.
    #[error("partitions {0} and {1} overlap")]
    Overlap(u32, u32),
}

/// What a valid copy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) alternate: u64,
    pub(super) first_usable: u64,
    pub(super) disk: Guid,
    pub(super) array: u64,
    pub(super) slots: u32,
    pub(super) partitions: Vec<(u32, Partition)>,
}

/// Bytes of a disk that were read, starting at sector `first`.
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) first: u64,
    pub(super) bytes: &'a [u8],
}

impl<'a> Window<'a> {
    /// `length` bytes at the start of `sector`, if they were read.
    pub(super) fn at(self, geometry: Geometry, sector: u64, length: u64) -> Option<&'a [u8]> {
        let start = sector.checked_sub(self.first)?.checked_mul(geometry.sector_size.into())?;
        self.bytes.get(narrow(start)..narrow(start.checked_add(length)?))
    }
}

/// Reads and checks the copy whose header is in `sector`.
pub(super) fn read(
    geometry: Geometry,
    window: Window<'_>,
    sector: u64,
) -> Result<Header, HeaderError> {
    let absent = HeaderError::Signature(sector);
    let header = window
        .at(geometry, sector, geometry.sector_size.into())
        .filter(|header| header.starts_with(SIGNATURE))
        .ok_or(absent)?;
    let word = |at| le32(header, at).ok_or(HeaderError::Form);
    let long = |at| le64(header, at).ok_or(HeaderError::Form);
    let length = usize::try_from(word(12)?).map_err(|_| HeaderError::Form)?;
    if word(8)? >> 16 != REVISION >> 16 || !(LENGTH..=header.len()).contains(&length) {
        return Err(HeaderError::Form);
    }
    let mut zeroed = header.get(..length).ok_or(HeaderError::Form)?.to_vec();
    crate::bytes::put(&mut zeroed, 16, &[0; 4]);
    if crc32(&zeroed) != word(16)? {
        return Err(HeaderError::Checksum);
    }
    if long(24)? != sector {
        return Err(HeaderError::Place { at: sector, says: long(24)? });
    }
    let (first, last) = (long(40)?, long(48)?);
    if first < 2 || first > last || last >= geometry.sectors {
        return Err(HeaderError::Usable { first, last });
    }
    let (count, size) = (word(80)?, word(84)?);
    let ordinary = wide(ENTRY) <= u64::from(size) && size.is_power_of_two() && size <= 4096;
    if !ordinary || count == 0 || count > MOST_ENTRIES {
        return Err(HeaderError::Entries { count, size });
    }
    let place = long(72)?;
    let length = u64::from(count) * u64::from(size);
    let after = place.saturating_add(length.div_ceil(geometry.sector_size.into()));
    let outside = (place >= 2 && after <= first) || (place > last && after <= sector);
    let bytes = window
        .at(geometry, place, length)
        .filter(|_| outside)
        .ok_or(HeaderError::ArrayPlace(place))?;
    if crc32(bytes) != word(88)? {
        return Err(HeaderError::ArrayChecksum);
    }
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(bytes.chunks_exact(narrow(size.into()))) {
        let Some(partition) = self::entry(entry) else { continue };
        if partition.first < first || partition.last > last || partition.first > partition.last {
            return Err(HeaderError::Partition(number));
        }
        partitions.push((number, partition));
    }
    no_overlap(&partitions)?;
    Ok(Header {
        alternate: long(32)?,
        first_usable: first,
        disk: Guid::from_disk(array(header, 56).ok_or(HeaderError::Form)?),
        array: place,
        slots: count,
        partitions,
    })
}

/// One entry, if it is used.
fn entry(bytes: &[u8]) -> Option<Partition> {
    let kind = Guid::from_disk(array(bytes, 0)?);
    if kind == Guid::ZERO {
        return None;
    }
    let label: Vec<u16> = bytes
        .get(56..ENTRY)?
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|unit| *unit != 0)
        .collect();
    Some(Partition {
        kind,
        id: Guid::from_disk(array(bytes, 16)?),
        first: le64(bytes, 32)?,
        last: le64(bytes, 40)?,
        attributes: le64(bytes, 48)?,
        label: String::from_utf16_lossy(&label),
    })
}

fn no_overlap(partitions: &[(u32, Partition)]) -> Result<(), HeaderError> {
    let mut sorted: Vec<_> = partitions.iter().collect();
    sorted.sort_by_key(|(_, partition)| partition.first);
    for ((one, before), (other, after)) in sorted.iter().zip(sorted.iter().skip(1)) {
        if after.first <= before.last {
            return Err(HeaderError::Overlap(*one, *other));
        }
    }
    Ok(())
}
