//! How a file system of a size is divided: groups of blocks, and where each has its tables.

use super::{BLOCK, Ext4Error, Parameters};

/// Blocks that one bitmap block describes.
pub(super) const GROUP_BLOCKS: u64 = 8 * BLOCK;
pub(super) const INODE_SIZE: u64 = 256;
/// Inodes count their blocks in units of 512 bytes.
pub(super) const BLOCK_SECTORS: u64 = BLOCK / 512;
pub(super) const DESCRIPTOR: u64 = 64;
/// Block addresses in a block of the old, indirect kind.
pub(super) const ADDRESSES: u64 = BLOCK / 4;
/// Groups whose tables lie together, in the first of them.
pub(super) const FLEX: u64 = 16;
pub(super) const FLEX_LOG: u8 = 4;
/// Blocks of lost+found, made beforehand for when nothing can be allocated any more.
pub(super) const LOST_FOUND_BLOCKS: u64 = 4;
/// Blocks that a last group must have left over for files.
const USEFUL: u64 = 64;
const LEAST: u64 = 8 << 20;
const MOST: u64 = 64 << 40;

/// Sizes and places, all in blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) blocks: u64,
    pub(super) groups: u64,
    pub(super) group_inodes: u64,
    /// Blocks of one group's inode table.
    pub(super) table: u64,
    /// Blocks of group descriptors.
    pub(super) descriptors: u64,
    /// Blocks kept free after the descriptors, for more of them.
    pub(super) reserved: u64,
    pub(super) journal: u64,
}

impl Shape {
    pub(super) fn new(parameters: &Parameters) -> Result<Self, Ext4Error> {
        let size = parameters.size;
        if size < LEAST {
            return Err(Ext4Error::TooSmall { size, least: LEAST });
        }
        if size > MOST {
            return Err(Ext4Error::TooLarge { size, most: MOST });
        }
        let mut shape = Self::of(size / BLOCK);
        let last = shape.group_size(shape.groups - 1);
        if shape.groups > 1 && last < shape.metadata(shape.groups - 1) + USEFUL {
            shape = Self::of(shape.blocks - last);
        }
        Ok(shape)
    }

    fn of(blocks: u64) -> Self {
        let groups = blocks.div_ceil(GROUP_BLOCKS);
        // An inode for each 16 KiB, for fewer of the bytes where files tend to be large.
        let group_inodes = match blocks * BLOCK >> 40 {
            _ if groups == 1 => (blocks / 4).next_multiple_of(BLOCK / INODE_SIZE),
            0..4 => 8192,
            4..16 => 4096,
            _ => 2048,
        };
        let descriptors = (groups * DESCRIPTOR).div_ceil(BLOCK);
        // The kept blocks are found through an inode that has 32-bit addresses.
        let reserved = if blocks > u64::from(u32::MAX) {
            0
        } else {
            let most_groups = (groups * 1024).min((1 << 32) / GROUP_BLOCKS);
            let most = (most_groups * DESCRIPTOR).div_ceil(BLOCK);
            most.saturating_sub(descriptors).min(ADDRESSES)
        };
        Self {
            blocks,
            groups,
            group_inodes,
            table: (group_inodes * INODE_SIZE).div_ceil(BLOCK),
            descriptors,
            reserved,
            journal: match blocks {
                ..0x8000 => 1024,
                ..0x4_0000 => 4096,
                ..0x8_0000 => 8192,
                ..0x40_0000 => 16384,
                ..0x80_0000 => 32768,
                _ => 65536,
            },
        }
    }

    /// Blocks of a group; only the last can have fewer.
    pub(super) fn group_size(&self, group: u64) -> u64 {
        (self.blocks - group * GROUP_BLOCKS).min(GROUP_BLOCKS)
    }

    /// Whether a group starts with a copy of the superblock and descriptors: 0, 1 and the powers
    /// of 3, 5 and 7.
    pub(super) fn has_superblock(group: u64) -> bool {
        let power = |base: u64| {
            let mut value = group;
            while value > 1 && value % base == 0 {
                value /= base;
            }
            value == 1
        };
        group <= 1 || power(3) || power(5) || power(7)
    }

    /// The groups with a copy, without the first.
    pub(super) fn backups(&self) -> impl Iterator<Item = u64> {
        (1..self.groups).filter(|group| Self::has_superblock(*group))
    }

    /// Blocks at the start of a group that belong to its copy of the superblock.
    pub(super) fn copy(&self, group: u64) -> u64 {
        if Self::has_superblock(group) { 1 + self.descriptors + self.reserved } else { 0 }
    }

    /// The group in which `group` has its tables.
    fn home(group: u64) -> u64 {
        group / FLEX * FLEX
    }

    /// How many groups have their tables in `home`.
    fn members(&self, home: u64) -> u64 {
        (self.groups - home).min(FLEX)
    }

    /// Blocks at the start of a group that are in use in an empty file system.
    pub(super) fn metadata(&self, group: u64) -> u64 {
        let tables =
            if group == Self::home(group) { self.members(group) * (2 + self.table) } else { 0 };
        self.copy(group) + tables
    }

    fn tables(&self, group: u64) -> u64 {
        let home = Self::home(group);
        home * GROUP_BLOCKS + self.copy(home)
    }

    pub(super) fn block_bitmap(&self, group: u64) -> u64 {
        self.tables(group) + group % FLEX
    }

    pub(super) fn inode_bitmap(&self, group: u64) -> u64 {
        self.tables(group) + self.members(Self::home(group)) + group % FLEX
    }

    pub(super) fn inode_table(&self, group: u64) -> u64 {
        self.tables(group) + 2 * self.members(Self::home(group)) + group % FLEX * self.table
    }

    /// The block that lists the kept blocks.
    pub(super) fn resize_list(&self) -> u64 {
        self.metadata(0)
    }

    pub(super) fn root(&self) -> u64 {
        self.resize_list() + u64::from(self.reserved > 0)
    }

    pub(super) fn lost_found(&self) -> u64 {
        self.root() + 1
    }

    /// First block of the journal: in the first group if it fits, else in the first groups
    /// without any metadata, 10 to 15.
    pub(super) fn journal_start(&self) -> u64 {
        let next = self.lost_found() + LOST_FOUND_BLOCKS;
        if next + self.journal <= self.group_size(0) { next } else { 10 * GROUP_BLOCKS }
    }

    /// Blocks in use in a group: those at its start up to the first number, and the journal's.
    pub(super) fn used(&self, group: u64) -> (u64, std::ops::Range<u64>) {
        let first =
            if group == 0 { self.lost_found() + LOST_FOUND_BLOCKS } else { self.metadata(group) };
        let start = group * GROUP_BLOCKS;
        let within = |block: u64| block.saturating_sub(start).min(self.group_size(group));
        let journal = self.journal_start();
        (first, within(journal)..within(journal + self.journal))
    }

    pub(super) fn free_blocks(&self, group: u64) -> u64 {
        let (first, journal) = self.used(group);
        self.group_size(group) - first - (journal.end - journal.start)
    }

    /// Blocks that never hold files, which `df` leaves out.
    pub(super) fn overhead(&self) -> u64 {
        (0..self.groups).map(|group| self.metadata(group)).sum::<u64>() + self.journal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies() {
        let groups: Vec<u64> = (0..130).filter(|group| Shape::has_superblock(*group)).collect();
        assert_eq!(groups, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn the_journal_is_whole_and_alone_at_every_size() {
        let mut size = LEAST;
        while size < MOST {
            let shape = Shape::of(size / BLOCK);
            let total: u64 = (0..shape.groups.min(64))
                .map(|group| {
                    let (first, journal) = shape.used(group);
                    assert!(journal.is_empty() || journal.start >= first, "{size} {group}");
                    journal.end - journal.start
                })
                .sum();
            assert_eq!(total, shape.journal, "{size}");
            size += size / 97;
        }
    }
}
