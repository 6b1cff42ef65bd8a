//! A table as the sectors that hold it.

use super::header::{LENGTH, REVISION, SIGNATURE};
use super::{ENTRY, Partition, Table};
use crate::Piece;
use crate::bytes::{narrow, put};
use crate::crc::crc32;

/// A header and array of one copy.
struct Copy {
    header: u64,
    other: u64,
    array: u64,
}

impl Table {
    /// All that has to be written: the protective MBR without its boot code, then both copies.
    /// Writing the backup first lets a power cut leave one good copy; the pieces are in that
    /// order.
    #[must_use]
    pub fn encode(&self) -> Vec<Piece<'static>> {
        let end = self.geometry.sectors - 1;
        let array = self.array_bytes();
        let backup = Copy { header: end, other: 1, array: end - self.array_sectors() };
        let primary = Copy { header: 1, other: end, array: self.array };
        let mut pieces = Vec::new();
        for copy in [backup, primary] {
            let header = self.header(&copy, &array);
            pieces.push(Piece::owned(self.geometry.offset(copy.array), array.clone()));
            pieces.push(Piece::owned(self.geometry.offset(copy.header), header));
        }
        pieces.push(Piece::owned(446, self.protective_mbr()));
        pieces
    }

    fn array_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; narrow(u64::from(self.slots)) * ENTRY];
        for (number, partition) in &self.partitions {
            let at = narrow(u64::from(number.saturating_sub(1))) * ENTRY;
            put(&mut bytes, at, &entry(partition));
        }
        bytes
    }

    fn header(&self, copy: &Copy, array: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; narrow(self.geometry.sector_size.into())];
        put(&mut bytes, 0, SIGNATURE);
        put(&mut bytes, 8, &REVISION.to_le_bytes());
        put(&mut bytes, 12, &u32::try_from(LENGTH).unwrap_or(0).to_le_bytes());
        put(&mut bytes, 24, &copy.header.to_le_bytes());
        put(&mut bytes, 32, &copy.other.to_le_bytes());
        put(&mut bytes, 40, &self.first_usable.to_le_bytes());
        put(&mut bytes, 48, &self.last_usable().to_le_bytes());
        put(&mut bytes, 56, &self.disk.to_disk());
        put(&mut bytes, 72, &copy.array.to_le_bytes());
        put(&mut bytes, 80, &self.slots.to_le_bytes());
        put(&mut bytes, 84, &u32::try_from(ENTRY).unwrap_or(0).to_le_bytes());
        put(&mut bytes, 88, &crc32(array).to_le_bytes());
        let checksum = crc32(bytes.get(..LENGTH).unwrap_or_default());
        put(&mut bytes, 16, &checksum.to_le_bytes());
        bytes
    }

    /// The four entries and the mark of sector 0 (UEFI 2.10, chapter 5.2.3): one partition of the
    /// type "GPT" from sector 1 to the end.
    fn protective_mbr(&self) -> Vec<u8> {
        let sectors = u32::try_from(self.geometry.sectors - 1).unwrap_or(u32::MAX);
        let mut bytes = vec![0; 66];
        put(&mut bytes, 0, &[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
        put(&mut bytes, 8, &1_u32.to_le_bytes());
        put(&mut bytes, 12, &sectors.to_le_bytes());
        put(&mut bytes, 64, &[0x55, 0xaa]);
        bytes
    }
}

fn entry(partition: &Partition) -> [u8; ENTRY] {
    let mut bytes = [0; ENTRY];
    put(&mut bytes, 0, &partition.kind.to_disk());
    put(&mut bytes, 16, &partition.id.to_disk());
    put(&mut bytes, 32, &partition.first.to_le_bytes());
    put(&mut bytes, 40, &partition.last.to_le_bytes());
    put(&mut bytes, 48, &partition.attributes.to_le_bytes());
    for (at, unit) in partition.label.encode_utf16().take(36).enumerate() {
        put(&mut bytes, 56 + 2 * at, &unit.to_le_bytes());
    }
    bytes
}
