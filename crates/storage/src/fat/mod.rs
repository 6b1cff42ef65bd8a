//! FAT32 file systems with content: how an EFI system partition is made without mounting it.
//! Writes whole file systems only; the kernel changes them later.
//!
//! The rules are those of Microsoft's "FAT32 File System Specification" 1.03, also chapter 13.3 of
//! UEFI 2.10. The same arguments always give the same bytes.
//!
//! ```
//! use storage::{fat, tree::Tree};
//!
//! let mut tree = Tree::new();
//! tree.file("EFI/BOOT/BOOTX64.EFI", b"MZ")?;
//! let parameters = fat::Parameters {
//!     size: 100 << 20,
//!     sector_size: 512,
//!     hidden_sectors: 2048,
//!     volume_id: 0x1234_abcd,
//!     label: "EFI".into(),
//!     time: 0,
//! };
//! let volume = fat::Volume::new(&parameters, &tree)?;
//! let image_size: u64 = parameters.size;
//! for piece in volume.pieces() {
//!     assert!(piece.offset < image_size); // Write it into the partition there.
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layout;
mod name;

use thiserror::Error;

pub use layout::Volume;

/// What a file system is made with, apart from its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Bytes of the partition.
    pub size: u64,
    /// Bytes of a sector of the disk: 512 to 4096.
    pub sector_size: u32,
    /// Sectors before the partition.
    pub hidden_sectors: u32,
    /// Serial number of the volume, in `/dev/disk/by-uuid` as `1234-ABCD`.
    pub volume_id: u32,
    /// Label: at most 11 ASCII letters, digits, `-`, `_` and spaces; small letters become capital.
    pub label: String,
    /// The time that all files have, in seconds since 1970 UTC; before 1980 it is 1980.
    pub time: i64,
}

/// Why a file system cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FatError {
    /// Not a disk's sector.
    #[error("sectors of {0} bytes are not supported; powers of two from 512 to 4096 are")]
    SectorSize(u32),
    /// Fewer clusters than FAT32 must have.
    #[error(
        "{size} bytes are too few for FAT32 with sectors of {sector_size} bytes: {least} needed"
    )]
    TooSmall {
        /// Bytes there are.
        size: u64,
        /// The sector size.
        sector_size: u32,
        /// Bytes that are enough.
        least: u64,
    },
    /// More sectors than fit 32 bits.
    #[error("{0} bytes are too many for FAT32")]
    TooLarge(u64),
    /// The files do not fit.
    #[error("the files take {needed} bytes, but the file system has room for {room}")]
    Full {
        /// Bytes in whole clusters.
        needed: u64,
        /// Bytes in whole clusters.
        room: u64,
    },
    /// A single file reaches 4 GiB.
    #[error("{0:?} is larger than a file on FAT32 can be")]
    FileTooLarge(String),
    /// Names that differ only in the case of letters.
    #[error("{0:?} and {1:?} are the same name on FAT32")]
    SameName(String, String),
    /// A directory has more than 65536 entries, or names that leave no short name free.
    #[error("the directory {0:?} has too many entries")]
    TooManyEntries(String),
    /// Not a label.
    #[error("{0:?} is not a label of up to 11 letters, digits, spaces, '-' and '_'")]
    Label(String),
}
