//! ext4: makes empty file systems and reads what a superblock says. Never looks into files: the
//! kernel does, once the file system is mounted.
//!
//! What is made has a journal, checksums on all metadata and room in its tables to grow to 1024
//! times its size while mounted. Inode tables are left for the kernel to clear in the background,
//! so that making a file system takes a few megabytes of writing, whatever its size. The rules are
//! those of the kernel's documentation, `filesystems/ext4`. The same arguments always give the
//! same bytes.
//!
//! ```
//! use storage::{Guid, ext4};
//!
//! let parameters = ext4::Parameters {
//!     size: 100 << 30,
//!     uuid: Guid::derived(&["EPHEMERAL"]),
//!     hash_seed: Guid::derived(&["EPHEMERAL", "hash"]),
//!     label: "EPHEMERAL".into(),
//!     time: 1_767_323_045,
//! };
//! let filesystem = ext4::Filesystem::new(&parameters)?;
//! let written: usize = filesystem.pieces().map(|piece| piece.bytes.len()).sum();
//! assert!(written < 16 << 20);
//! # Ok::<(), ext4::Ext4Error>(())
//! ```

mod directory;
mod group;
mod inode;
mod journal;
mod make;
mod shape;
mod superblock;

use thiserror::Error;

pub use make::Filesystem;
pub use superblock::Superblock;

use crate::Guid;

/// Bytes of a block in what is made here.
pub const BLOCK: u64 = 4096;

/// What a file system is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Bytes of the partition. A rest that makes no useful group of blocks is not used.
    pub size: u64,
    /// Identity.
    pub uuid: Guid,
    /// What hashes of names in directories start with: keep it unpredictable where users choose
    /// names.
    pub hash_seed: Guid,
    /// Label of at most 16 bytes.
    pub label: String,
    /// When the file system is made, in seconds since 1970 UTC; until 2106.
    pub time: u32,
}

/// Why a file system cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Ext4Error {
    /// No room for metadata and a journal.
    #[error("{size} bytes are too few for ext4: {least} are needed")]
    TooSmall {
        /// Bytes there are.
        size: u64,
        /// Bytes that are enough.
        least: u64,
    },
    /// More than is made here.
    #[error("{size} bytes are more than the {most} that an ext4 file system is made with here")]
    TooLarge {
        /// Bytes there are.
        size: u64,
        /// The limit.
        most: u64,
    },
    /// The label does not fit.
    #[error("the label {0:?} is longer than 16 bytes or has a zero byte")]
    Label(String),
    /// There is no ext4 file system.
    #[error("there is no ext4 superblock")]
    Absent,
    /// There is one, but its checksum or its numbers are wrong.
    #[error("the ext4 superblock is damaged: {0}")]
    Damaged(&'static str),
}
