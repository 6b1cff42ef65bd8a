//! Group descriptors and bitmaps (kernel documentation, `filesystems/ext4/globals`).

use super::BLOCK;
use super::inode::{LOST_FOUND, halves};
use super::shape::{DESCRIPTOR, GROUP_BLOCKS, Shape};
use crate::bytes::{narrow, put};
use crate::crc::crc32c;

/// The inode table and bitmap were never written.
const INODES_UNWRITTEN: u16 = 1;
/// The block bitmap was never written; its content follows from the layout.
const BLOCKS_UNWRITTEN: u16 = 2;

/// Whether a group's block bitmap is written: where more is in use than a copy of the superblock,
/// and in the last group, which may end early.
pub(super) fn has_bitmap(shape: &Shape, group: u64) -> bool {
    let (first, journal) = shape.used(group);
    first > shape.copy(group) || !journal.is_empty() || group + 1 == shape.groups
}

/// The bitmap of blocks in use. Blocks after the end of the file system count as used.
pub(super) fn block_bitmap(shape: &Shape, group: u64) -> Vec<u8> {
    let (first, journal) = shape.used(group);
    let mut bytes = vec![0; narrow(BLOCK)];
    set(&mut bytes, 0..first);
    set(&mut bytes, journal);
    set(&mut bytes, shape.group_size(group)..GROUP_BLOCKS);
    bytes
}

/// The bitmap of inodes in use in the first group.
pub(super) fn inode_bitmap(shape: &Shape) -> Vec<u8> {
    let mut bytes = vec![0; narrow(BLOCK)];
    set(&mut bytes, 0..u64::from(LOST_FOUND));
    set(&mut bytes, shape.group_inodes..8 * BLOCK);
    bytes
}

fn set(bytes: &mut [u8], range: std::ops::Range<u64>) {
    for bit in range {
        if let Some(byte) = bytes.get_mut(narrow(bit / 8)) {
            *byte |= 1 << (bit % 8);
        }
    }
}

/// The descriptor of one group.
pub(super) fn descriptor(shape: &Shape, group: u64, seed: u32) -> Vec<u8> {
    let mut bytes = vec![0; narrow(DESCRIPTOR)];
    let mut split = |low: usize, high: usize, value: u64| {
        let [lower, upper] = halves(value);
        put(&mut bytes, low, &lower);
        put(&mut bytes, high, &upper);
    };
    split(0x0, 0x20, shape.block_bitmap(group));
    split(0x4, 0x24, shape.inode_bitmap(group));
    split(0x8, 0x28, shape.inode_table(group));
    let first = group == 0;
    let used = if first { u64::from(LOST_FOUND) } else { 0 };
    let mut flags = 0;
    if !first {
        flags |= INODES_UNWRITTEN;
    }
    let mut short = |at: usize, value: u64| {
        put(&mut bytes, at, &u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
    };
    short(0xc, shape.free_blocks(group));
    short(0xe, shape.group_inodes - used);
    short(0x10, if first { 2 } else { 0 });
    short(0x1c, shape.group_inodes - used);
    let mut checksum = |low: usize, high: usize, value: u32| {
        let [a, b, c, d] = value.to_le_bytes();
        put(&mut bytes, low, &[a, b]);
        put(&mut bytes, high, &[c, d]);
    };
    if has_bitmap(shape, group) {
        checksum(0x18, 0x38, crc32c(seed, &block_bitmap(shape, group)));
    } else {
        flags |= BLOCKS_UNWRITTEN;
    }
    if first {
        let bitmap = inode_bitmap(shape);
        let bitmap = bitmap.get(..narrow(shape.group_inodes / 8)).unwrap_or_default();
        checksum(0x1a, 0x3a, crc32c(seed, bitmap));
    }
    put(&mut bytes, 0x12, &flags.to_le_bytes());
    let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
    let [low, high, ..] = crc32c(crc32c(seed, &number), &bytes).to_le_bytes();
    put(&mut bytes, 0x1e, &[low, high]);
    bytes
}
