//! Images of optical media that also start from a USB stick: ISO 9660 (ECMA-119) with Rock Ridge
//! names, an El Torito entry for UEFI, and a GUID partition table that names the same EFI system
//! partition. Writes whole images only.
//!
//! The same arguments always give the same bytes.
//!
//! ```
//! use storage::{Guid, fat, iso, tree::Tree};
//!
//! let mut files = Tree::new();
//! files.file("EFI/BOOT/BOOTX64.EFI", b"MZ")?;
//! let esp = fat::Volume::new(
//!     &fat::Parameters {
//!         size: 64 << 20,
//!         sector_size: 512,
//!         hidden_sectors: 0,
//!         volume_id: 1,
//!         label: "EFI".into(),
//!         time: 0,
//!     },
//!     &files,
//! )?;
//! let mut tree = Tree::new();
//! tree.file("README.txt", b"Start this medium on a machine with UEFI.\n")?;
//! let parameters = iso::Parameters {
//!     label: "ICHOR".into(),
//!     time: 0,
//!     disk: Guid::derived(&["iso"]),
//!     partition: Guid::derived(&["iso", "EFI"]),
//! };
//! let image = iso::Image::new(&parameters, &tree, Some(&esp))?;
//! let mut bytes = vec![0; usize::try_from(image.size())?];
//! for piece in image.pieces() {
//!     let at = usize::try_from(piece.offset)?;
//!     bytes[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
//! }
//! assert_eq!(&bytes[0x8001..0x8006], b"CD001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory;
mod image;
mod name;

use thiserror::Error;

pub use image::Image;

use crate::Guid;
use crate::gpt::GptError;

/// Bytes of a block of the medium.
pub const BLOCK: u64 = 2048;

/// What an image is made with, apart from its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Volume label: 1 to 32 printable ASCII characters. The kernel shows it as it is.
    pub label: String,
    /// The time that the volume and all files have, in seconds since 1970 UTC.
    pub time: i64,
    /// Identity of the partition table.
    pub disk: Guid,
    /// Identity of the EFI system partition in the partition table.
    pub partition: Guid,
}

/// Why an image cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IsoError {
    /// Not a label.
    #[error("{0:?} is not a label of 1 to 32 printable ASCII characters")]
    Label(String),
    /// Directories are eight levels deep at most (ECMA-119, 6.8.2.1).
    #[error("{0:?} is more than eight directories deep")]
    TooDeep(String),
    /// A name that does not fit a directory record together with its attributes.
    #[error("the name of {0:?} is longer than 160 bytes")]
    NameTooLong(String),
    /// A directory in which no identifier is free.
    #[error("the directory {0:?} has too many entries")]
    TooManyEntries(String),
    /// A file whose size does not fit 32 bits.
    #[error("{0:?} is larger than a file on this medium can be")]
    FileTooLarge(String),
    /// The whole image does not fit 32 bits of blocks.
    #[error("the image would have {0} bytes, more than the medium's addresses reach")]
    TooLarge(u64),
    /// The partition table refused the EFI system partition.
    #[error("the image cannot have a partition table")]
    Table(#[source] GptError),
}
