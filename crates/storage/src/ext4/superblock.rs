//! The superblock (kernel documentation, `filesystems/ext4/super`): written, and read.

use super::inode::{JOURNAL, halves};
use super::shape::{DESCRIPTOR, FLEX_LOG, GROUP_BLOCKS, INODE_SIZE, Shape};
use super::{Ext4Error, Parameters};
use crate::Guid;
use crate::bytes::{array, le16, le32, put};
use crate::crc::crc32c;

/// Bytes of a superblock.
pub(super) const LENGTH: usize = 1024;
const MAGIC: u16 = 0xef53;

/// Features that older kernels may ignore.
mod compatible {
    pub(super) const JOURNAL: u32 = 0x4;
    pub(super) const ATTRIBUTES: u32 = 0x8;
    pub(super) const RESIZE_INODE: u32 = 0x10;
    pub(super) const DIRECTORY_INDEX: u32 = 0x20;
}

/// Features without which a kernel cannot use the file system.
mod incompatible {
    pub(super) const FILE_TYPE: u32 = 0x2;
    pub(super) const EXTENTS: u32 = 0x40;
    pub(super) const WIDE: u32 = 0x80;
    pub(super) const FLEX: u32 = 0x200;
    pub(super) const CHECKSUM_SEED: u32 = 0x2000;
}

/// Features without which a kernel can only read.
mod read_only {
    pub(super) const SPARSE: u32 = 0x1;
    pub(super) const LARGE_FILE: u32 = 0x2;
    pub(super) const HUGE_FILE: u32 = 0x8;
    pub(super) const MANY_LINKS: u32 = 0x20;
    pub(super) const EXTRA_INODE_SIZE: u32 = 0x40;
    pub(super) const METADATA_CHECKSUM: u32 = 0x400;
}

/// What all checksums of metadata start with.
pub(super) fn seed(uuid: Guid) -> u32 {
    crc32c(!0, &uuid.bytes())
}

/// The superblock or its copy in `group`. `journal` are the block addresses and the size of the
/// journal's inode, kept here once more for a damaged inode table.
pub(super) fn encode(
    parameters: &Parameters,
    shape: &Shape,
    group: u64,
    journal: (&[u8; 60], u64),
) -> Vec<u8> {
    let mut bytes = vec![0; LENGTH];
    let inodes = shape.groups * shape.group_inodes;
    let free: u64 = (0..shape.groups).map(|group| shape.free_blocks(group)).sum();
    let [blocks_low, blocks_high] = halves(shape.blocks);
    let [free_low, free_high] = halves(free);
    let mut long = |at: usize, value: u64| put(&mut bytes, at, &halves(value)[0]);
    long(0x0, inodes);
    long(0x10, inodes - u64::from(super::inode::LOST_FOUND));
    long(0x18, 2);
    long(0x1c, 2);
    long(0x20, GROUP_BLOCKS);
    long(0x24, GROUP_BLOCKS);
    long(0x28, shape.group_inodes);
    for at in [0x30, 0x40, 0x108] {
        long(at, parameters.time.into());
    }
    long(0x4c, 1);
    long(0x54, super::inode::LOST_FOUND.into());
    let resize = if shape.reserved > 0 { compatible::RESIZE_INODE } else { 0 };
    long(
        0x5c,
        (compatible::JOURNAL | compatible::ATTRIBUTES | compatible::DIRECTORY_INDEX | resize)
            .into(),
    );
    long(
        0x60,
        (incompatible::FILE_TYPE
            | incompatible::EXTENTS
            | incompatible::WIDE
            | incompatible::FLEX
            | incompatible::CHECKSUM_SEED)
            .into(),
    );
    long(
        0x64,
        (read_only::SPARSE
            | read_only::LARGE_FILE
            | read_only::HUGE_FILE
            | read_only::MANY_LINKS
            | read_only::EXTRA_INODE_SIZE
            | read_only::METADATA_CHECKSUM)
            .into(),
    );
    long(0xe0, JOURNAL.into());
    // Mounted with extended attributes and access control lists.
    long(0x100, 0xc);
    // Names are hashed as signed characters.
    long(0x160, 1);
    long(0x248, shape.overhead());
    long(0x268, super::inode::LOST_FOUND.into());
    long(0x270, seed(parameters.uuid).into());
    put(&mut bytes, 0x4, &blocks_low);
    put(&mut bytes, 0x150, &blocks_high);
    put(&mut bytes, 0xc, &free_low);
    put(&mut bytes, 0x158, &free_high);
    let mut short = |at: usize, value: u64| {
        put(&mut bytes, at, &u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
    };
    // No check after a number of mounts; clean; errors do not stop it.
    short(0x36, 0xffff);
    short(0x38, MAGIC.into());
    short(0x3a, 1);
    short(0x3c, 1);
    short(0x58, INODE_SIZE);
    short(0x5a, group);
    short(0xce, shape.reserved);
    short(0xfe, DESCRIPTOR);
    short(0x15c, 32);
    short(0x15e, 32);
    put(&mut bytes, 0x68, &parameters.uuid.bytes());
    put(&mut bytes, 0x78, parameters.label.as_bytes());
    put(&mut bytes, 0xec, &parameters.hash_seed.bytes());
    // Half MD4 for names; the journal's addresses are kept below.
    put(&mut bytes, 0xfc, &[1, 1]);
    let (map, size) = journal;
    let [size_low, size_high] = halves(size);
    put(&mut bytes, 0x10c, map);
    put(&mut bytes, 0x148, &size_high);
    put(&mut bytes, 0x14c, &size_low);
    put(&mut bytes, 0x174, &[FLEX_LOG, 1]);
    let sum = crc32c(!0, bytes.get(..0x3fc).unwrap_or_default());
    put(&mut bytes, 0x3fc, &sum.to_le_bytes());
    bytes
}

/// What a superblock says about a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Identity.
    pub uuid: Guid,
    /// Label.
    pub label: String,
    /// Bytes of a block.
    pub block_size: u64,
    /// The number of blocks.
    pub blocks: u64,
    /// Whether it was unmounted, and no error was found in it.
    pub clean: bool,
}

impl Superblock {
    /// Where it begins, in bytes from the start of the partition.
    pub const OFFSET: u64 = 1024;

    /// Reads the 1024 bytes at [`Superblock::OFFSET`], which ext2 and ext3 have as well.
    ///
    /// # Errors
    /// [`Ext4Error::Absent`] without its mark, [`Ext4Error::Damaged`] when it has one but is not
    /// consistent.
    pub fn parse(bytes: &[u8]) -> Result<Self, Ext4Error> {
        let bytes = bytes.get(..LENGTH).ok_or(Ext4Error::Absent)?;
        let long = |at| le32(bytes, at).ok_or(Ext4Error::Absent);
        let short = |at| le16(bytes, at).ok_or(Ext4Error::Absent);
        if short(0x38)? != MAGIC {
            return Err(Ext4Error::Absent);
        }
        let block_log = long(0x18)?;
        if block_log > 6 {
            return Err(Ext4Error::Damaged("the size of a block is impossible"));
        }
        if long(0x64)? & read_only::METADATA_CHECKSUM != 0 {
            let sum = crc32c(!0, bytes.get(..0x3fc).unwrap_or_default());
            if sum != long(0x3fc)? {
                return Err(Ext4Error::Damaged("its checksum is wrong"));
            }
        }
        let wide = long(0x60)? & incompatible::WIDE != 0;
        let upper = if wide { u64::from(long(0x150)?) << 32 } else { 0 };
        let blocks = upper | u64::from(long(0x4)?);
        let block_size = 1024_u64 << block_log;
        if blocks == 0 || blocks.checked_mul(block_size).is_none() {
            return Err(Ext4Error::Damaged("the number of blocks is impossible"));
        }
        let label: [u8; 16] = array(bytes, 0x78).ok_or(Ext4Error::Absent)?;
        let label: Vec<u8> = label.into_iter().take_while(|byte| *byte != 0).collect();
        Ok(Self {
            uuid: Guid::from_bytes(array(bytes, 0x68).ok_or(Ext4Error::Absent)?),
            label: String::from_utf8_lossy(&label).into_owned(),
            block_size,
            blocks,
            clean: short(0x3a)? & 3 == 1,
        })
    }

    /// Bytes of the file system.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size)
    }
}
