//! GUID partition tables (UEFI 2.10, chapter 5): read, change, write. Never reads or writes a
//! device: it takes the ends of a disk and gives the sectors to write.
//!
//! ```
//! use storage::gpt::{self, Geometry, Request, Table};
//! use storage::Guid;
//!
//! let geometry = Geometry::new(512, 1 << 30)?;
//! let mut table = Table::new(geometry, Guid::derived(&["disk"]));
//! table.add(Request {
//!     label: "META".into(),
//!     kind: gpt::LINUX_DATA,
//!     id: Guid::derived(&["disk", "META"]),
//!     attributes: 0,
//!     min: 1 << 20,
//!     max: Some(1 << 20),
//! })?;
//! let disk = table.encode();
//! assert_eq!(disk.len(), 5); // The protective MBR, two headers and two arrays.
//! # Ok::<(), gpt::GptError>(())
//! ```

mod encode;
mod header;
mod parse;
mod table;

use thiserror::Error;

pub use header::HeaderError;
pub use parse::{Found, Repair};
pub use table::{ALIGNMENT, Partition, Request, Table};

use crate::Guid;
use crate::bytes::wide;

/// Type of an EFI system partition.
pub const EFI_SYSTEM: Guid = Guid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);
/// Type of the partition that holds GRUB's core on a machine without UEFI.
pub const BIOS_BOOT: Guid = Guid::from_u128(0x21686148_6449_6e6f_744e_656564454649);
/// Type of partitions with Linux file systems or data of ours.
pub const LINUX_DATA: Guid = Guid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);
/// Type of swap partitions.
pub const LINUX_SWAP: Guid = Guid::from_u128(0x0657fd6d_a4ab_43c4_84e5_0933c84b4f4f);

/// Bytes at each end of a disk that a table of ours, or of the usual tools, lies in.
pub const EDGE: usize = 1 << 20;

/// Entries of a new table: the least that the standard allows (UEFI 2.10, chapter 5.3.1).
const SLOTS: u32 = 128;
const ENTRY: usize = 128;

/// How large a disk is, in what units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    sector_size: u32,
    sectors: u64,
}

impl Geometry {
    /// A disk of `bytes` bytes with sectors of `sector_size`; a rest of less than a sector at the
    /// end is not used.
    ///
    /// # Errors
    /// When the sector size is no power of two from 512 to 4096, or both tables and at least one
    /// sector between them do not fit.
    pub fn new(sector_size: u32, bytes: u64) -> Result<Self, GptError> {
        if !(512..=4096).contains(&sector_size) || !sector_size.is_power_of_two() {
            return Err(GptError::SectorSize(sector_size));
        }
        let geometry = Self { sector_size, sectors: bytes / u64::from(sector_size) };
        if geometry.sectors < 2 * geometry.array_sectors(SLOTS) + 4 {
            return Err(GptError::TooSmall { bytes });
        }
        Ok(geometry)
    }

    /// Bytes in a sector.
    #[must_use]
    pub fn sector_size(self) -> u32 {
        self.sector_size
    }

    /// The number of sectors.
    #[must_use]
    pub fn sectors(self) -> u64 {
        self.sectors
    }

    /// The size in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.sectors * u64::from(self.sector_size)
    }

    /// Sectors of an array with this many entries.
    fn array_sectors(self, slots: u32) -> u64 {
        (u64::from(slots) * wide(ENTRY)).div_ceil(u64::from(self.sector_size))
    }

    fn offset(self, sector: u64) -> u64 {
        sector.saturating_mul(u64::from(self.sector_size))
    }

    fn aligned(self) -> u64 {
        wide(ALIGNMENT) / u64::from(self.sector_size)
    }
}

/// Why there is no usable table, or a change of it is impossible.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GptError {
    /// Not a disk that can have a table.
    #[error("sectors of {0} bytes are not supported; powers of two from 512 to 4096 are")]
    SectorSize(u32),
    /// Not even the table fits.
    #[error("a disk of {bytes} bytes is too small for a partition table")]
    TooSmall {
        /// The disk's size.
        bytes: u64,
    },
    /// The disk has no partition table of this kind.
    #[error("the disk has no GUID partition table")]
    Absent,
    /// There is a table, but neither copy can be trusted. The disk may hold somebody's data.
    #[error("both copies of the partition table are damaged: {primary}; {backup}")]
    Damaged {
        /// What is wrong with the copy at the start.
        primary: HeaderError,
        /// What is wrong with the copy at the end.
        backup: HeaderError,
    },
    /// A label does not fit an entry.
    #[error("the partition label {0:?} is longer than 36 UTF-16 units")]
    Label(String),
    /// A partition has this label already.
    #[error("the disk has a partition {0:?} already")]
    LabelTaken(String),
    /// Unused entries have the type zero, so a partition cannot.
    #[error("partition {0:?} has the type of unused entries")]
    Kind(String),
    /// No gap is large enough.
    #[error("partition {label:?} needs {needed} bytes, but the largest free gap has {largest}")]
    NoSpace {
        /// The partition's label.
        label: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free in one piece.
        largest: u64,
    },
    /// All entries are in use.
    #[error("the partition table has no free entry for {label:?}")]
    NoEntry {
        /// The partition's label.
        label: String,
    },
    /// A disk cannot become smaller than its partitions.
    #[error("partition {index} ends at sector {last}, past the end of the smaller disk")]
    Shrunk {
        /// The partition's number.
        index: u32,
        /// Its last sector.
        last: u64,
    },
}
