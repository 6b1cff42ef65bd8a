//! What a step writes, in an order in which no power cut loses anything: the old state or the new
//! one can be read after every single write.

use thiserror::Error;

use super::{Observed, Step, UNFORMATTED};
use crate::bytes::wide;
use crate::ext4::{self, Ext4Error, Filesystem};
use crate::gpt::{Geometry, GptError, Table};
use crate::probe::wipe;
use crate::{Guid, Piece};

/// Something to do to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write bytes.
    Write {
        /// The device's name, as `vda` or `vda3`.
        device: String,
        /// What and where.
        piece: Piece<'static>,
    },
    /// Wait until everything written to the device would survive a power cut.
    Sync {
        /// The device's name.
        device: String,
    },
    /// Tell the kernel about a partition.
    Tell {
        /// The disk's name.
        disk: String,
        /// It is new; otherwise its size is.
        new: bool,
        /// Its number.
        number: u32,
        /// Where it begins, in bytes.
        start: u64,
        /// How long it is, in bytes.
        length: u64,
    },
}

/// What a pure plan cannot make itself.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// 16 random bytes for each identity that a step may need: disk, partition, file system and
    /// hashes.
    pub random: [[u8; 16]; 4],
    /// The time in seconds since 1970 UTC.
    pub time: u32,
}

/// Why a step cannot be taken: the disk is no longer as it was when the step was planned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActionError {
    /// The disk or partition is gone.
    #[error("{0} is gone")]
    Gone(String),
    /// The table refused the change.
    #[error("the partition table of {disk} cannot be changed")]
    Table {
        /// The disk's name.
        disk: String,
        /// Why.
        #[source]
        source: GptError,
    },
    /// The partition cannot have a file system.
    #[error("{part} cannot be formatted")]
    Format {
        /// The partition's name.
        part: String,
        /// Why.
        #[source]
        source: Ext4Error,
    },
}

/// The actions of a step.
///
/// # Errors
/// [`ActionError`].
pub fn actions(step: &Step, observed: &Observed, fresh: Fresh) -> Result<Vec<Action>, ActionError> {
    let [disk_id, part_id, filesystem_id, seed] = fresh.random.map(Guid::random);
    match step {
        Step::Create { disk, request, new_table, .. } => {
            let failed = |source| ActionError::Table { disk: disk.clone(), source };
            let mut table = if *new_table {
                let found = observed.disks.iter().find(|found| found.name == *disk);
                let spec = &found.ok_or_else(|| ActionError::Gone(disk.clone()))?.spec;
                let sector = u32::try_from(spec.sector_size).unwrap_or(0);
                Table::new(Geometry::new(sector, spec.size).map_err(failed)?, disk_id)
            } else {
                self::table(observed, disk)?
            };
            let mut request = request.clone();
            request.id = part_id;
            let number = table.add(request).map_err(failed)?;
            let (start, length) = extent(&table, number, disk)?;
            // What was here before is nobody's, and must not be taken for the volume's content.
            let mut actions: Vec<Action> = wipe(length)
                .into_iter()
                .map(|piece| Action::Write { device: disk.clone(), piece: piece.shifted(start) })
                .collect();
            actions.push(Action::Sync { device: disk.clone() });
            write_table(&table, disk, &mut actions);
            actions.push(Action::Tell { disk: disk.clone(), new: true, number, start, length });
            Ok(actions)
        }
        Step::Grow { disk, number, max, .. } => {
            let mut table = self::table(observed, disk)?;
            table.grow(*number, *max);
            let (start, length) = extent(&table, *number, disk)?;
            let mut actions = Vec::new();
            write_table(&table, disk, &mut actions);
            let (disk, number) = (disk.clone(), *number);
            actions.push(Action::Tell { disk, new: false, number, start, length });
            Ok(actions)
        }
        Step::Format { disk, part, number, label, .. } => {
            let mut table = self::table(observed, disk)?;
            let (_, length) = extent(&table, *number, part)?;
            let parameters = ext4::Parameters {
                size: length,
                uuid: filesystem_id,
                hash_seed: seed,
                label: label.clone(),
                time: fresh.time,
            };
            let filesystem = Filesystem::new(&parameters)
                .map_err(|source| ActionError::Format { part: part.clone(), source })?;
            let mut actions: Vec<Action> = filesystem
                .pieces()
                .map(|piece| Action::Write { device: part.clone(), piece })
                .collect();
            actions.push(Action::Sync { device: part.clone() });
            if table.clear_attributes(*number, UNFORMATTED) {
                write_table(&table, disk, &mut actions);
            }
            Ok(actions)
        }
    }
}

fn table(observed: &Observed, disk: &str) -> Result<Table, ActionError> {
    let found = observed.disks.iter().find(|found| found.name == disk);
    let table = found.and_then(|found| found.table.clone());
    table.ok_or_else(|| ActionError::Gone(disk.to_owned()))
}

fn extent(table: &Table, number: u32, name: &str) -> Result<(u64, u64), ActionError> {
    let partition = table.partitions().get(&number);
    let partition = partition.ok_or_else(|| ActionError::Gone(name.to_owned()))?;
    Ok((table.offset(partition), table.size(partition)))
}

/// Writes the backup, and only when it is safe the other copy.
fn write_table(table: &Table, disk: &str, actions: &mut Vec<Action>) {
    let half = table.geometry().bytes() / 2;
    let write = |piece: Piece<'static>| Action::Write { device: disk.to_owned(), piece };
    let (backup, first): (Vec<_>, Vec<_>) =
        table.encode().into_iter().partition(|piece| piece.offset > half);
    debug_assert!(wide(backup.len()) == 2);
    for pieces in [backup, first] {
        actions.extend(pieces.into_iter().map(write));
        actions.push(Action::Sync { device: disk.to_owned() });
    }
}
