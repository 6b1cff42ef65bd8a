//! From the two ends of a disk to a table, and to what should be repaired about it.

use super::header::{self, Header, HeaderError, Window};
use super::{Geometry, GptError, Table};
use crate::bytes::{narrow, wide};

/// A table that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The table. Encoding it writes both copies anew.
    pub table: Table,
    /// What differs on the disk from what encoding would write; empty for a sound disk.
    pub repair: Vec<Repair>,
}

/// Something about a readable table that writing it again repairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The copy at the start is damaged; the one at the end was used.
    Primary(HeaderError),
    /// The copy at the end is damaged.
    Backup(HeaderError),
    /// The backup is not in the last sector: the disk has grown.
    BackupPlace {
        /// Where the backup is.
        at: u64,
    },
    /// The copy at the end has other partitions than the one at the start.
    BackupStale,
    /// No protective MBR, so the kernel and firmware ignore the table.
    ProtectiveMbr,
}

impl Table {
    /// Reads the table of a disk. `first` are the bytes at its start and `last` those up to the
    /// end of its last whole sector, [`EDGE`](super::EDGE) bytes each for a disk that has as many;
    /// any length is safe.
    ///
    /// The copy at the start decides when both are good.
    ///
    /// # Errors
    /// [`GptError::Absent`] when neither end has a table, [`GptError::Damaged`] when there is one
    /// that cannot be trusted.
    pub fn parse(first: &[u8], last: &[u8], geometry: Geometry) -> Result<Found, GptError> {
        let size = u64::from(geometry.sector_size);
        let (_, last) = last.split_at(narrow(wide(last.len()) % size));
        let first_of_last = geometry.sectors.saturating_sub(wide(last.len()) / size);
        let start = Window { first: 0, bytes: first };
        let end = Window { first: first_of_last, bytes: last };
        let at = geometry.sectors - 1;

        let primary = header::read(geometry, start, 1);
        let elsewhere = primary.as_ref().map(|header| header.alternate).ok().filter(|to| *to != at);
        let primary = primary.and_then(|header| table(geometry, header, false));
        let backup = header::read(geometry, end, at);
        let backup = backup.and_then(|header| table(geometry, header, true));
        let mut repair = Vec::new();
        let table = match (primary, backup) {
            (Ok(table), backup) => {
                match (elsewhere, backup) {
                    (Some(at), _) => repair.push(Repair::BackupPlace { at }),
                    (None, Ok(backup)) if backup.partitions == table.partitions => {}
                    (None, Ok(_)) => repair.push(Repair::BackupStale),
                    (None, Err(error)) => repair.push(Repair::Backup(error)),
                }
                table
            }
            (Err(error), Ok(table)) => {
                repair.push(Repair::Primary(error));
                table
            }
            (Err(HeaderError::Signature(_)), Err(HeaderError::Signature(_))) => {
                return Err(GptError::Absent);
            }
            (Err(primary), Err(backup)) => return Err(GptError::Damaged { primary, backup }),
        };
        if !protective(first) {
            repair.push(Repair::ProtectiveMbr);
        }
        Ok(Found { table, repair })
    }
}

/// Whether sector 0 says that the disk is partitioned by GPT (UEFI 2.10, chapter 5.2.3).
fn protective(first: &[u8]) -> bool {
    first.get(510..512) == Some(&[0x55, 0xaa])
        && [446, 462, 478, 494].iter().any(|at| first.get(at + 4) == Some(&0xee))
}

/// The table that a valid copy holds, if writing both copies leaves its partitions alone.
fn table(geometry: Geometry, header: Header, from_backup: bool) -> Result<Table, HeaderError> {
    // The backup's place says nothing about the place of the first array: that is sector 2.
    let array = if from_backup { 2 } else { header.array };
    if array + geometry.array_sectors(header.slots) > header.first_usable {
        return Err(HeaderError::ArrayPlace(array));
    }
    let table = Table {
        geometry,
        disk: header.disk,
        slots: header.slots,
        array,
        first_usable: header.first_usable,
        partitions: header.partitions.into_iter().collect(),
    };
    let end = table.last_usable();
    match table.partitions.iter().find(|(_, partition)| partition.last > end) {
        Some((number, _)) => Err(HeaderError::Partition(*number)),
        None => Ok(table),
    }
}
