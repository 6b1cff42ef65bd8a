//! Inodes as bytes (kernel documentation, `filesystems/ext4/inodes`).

use super::shape::{BLOCK_SECTORS, INODE_SIZE};
use crate::bytes::put;
use crate::crc::crc32c;

pub(super) const ROOT: u32 = 2;
pub(super) const RESIZE: u32 = 7;
pub(super) const JOURNAL: u32 = 8;
pub(super) const LOST_FOUND: u32 = 11;

const EXTENTS: u32 = 0x8_0000;
pub(super) const DIRECTORY: u16 = 0o040_000;
pub(super) const FILE: u16 = 0o100_000;

/// Consecutive blocks of a file: (blocks, first block on the disk).
pub(super) type Extent = (u64, u64);

/// An inode with its blocks in extents, or with `map` as it is.
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) mode: u16,
    pub(super) links: u16,
    pub(super) size: u64,
    /// Blocks that belong to it, whatever holds their addresses.
    pub(super) blocks: u64,
    pub(super) map: [u8; 60],
    pub(super) extents: bool,
}

impl Inode {
    pub(super) fn encode(&self, seed: u32, time: u32) -> Vec<u8> {
        let mut bytes = vec![0; crate::bytes::narrow(INODE_SIZE)];
        let [size_low, size_high] = halves(self.size);
        let [blocks_low, blocks_high] = halves(self.blocks * BLOCK_SECTORS);
        put(&mut bytes, 0x0, &self.mode.to_le_bytes());
        put(&mut bytes, 0x4, &size_low);
        for at in [0x8, 0xc, 0x10, 0x90] {
            put(&mut bytes, at, &time.to_le_bytes());
        }
        put(&mut bytes, 0x1a, &self.links.to_le_bytes());
        put(&mut bytes, 0x1c, &blocks_low);
        put(&mut bytes, 0x20, &(if self.extents { EXTENTS } else { 0 }).to_le_bytes());
        put(&mut bytes, 0x28, &self.map);
        put(&mut bytes, 0x6c, &size_high);
        put(&mut bytes, 0x74, &blocks_high[..2]);
        put(&mut bytes, 0x80, &32_u16.to_le_bytes());
        let own = crc32c(crc32c(seed, &self.number.to_le_bytes()), &0_u32.to_le_bytes());
        let [low0, low1, high0, high1] = crc32c(own, &bytes).to_le_bytes();
        put(&mut bytes, 0x7c, &[low0, low1]);
        put(&mut bytes, 0x82, &[high0, high1]);
        bytes
    }
}

/// The lower and upper 32 bits.
pub(super) fn halves(value: u64) -> [[u8; 4]; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]]
}

/// The root of an extent tree of at most four extents.
pub(super) fn extent_map(extents: &[Extent]) -> [u8; 60] {
    let mut map = [0; 60];
    put(&mut map, 0, &0xf30a_u16.to_le_bytes());
    put(&mut map, 2, &u16::try_from(extents.len()).unwrap_or(0).to_le_bytes());
    put(&mut map, 4, &4_u16.to_le_bytes());
    let mut logical = 0_u64;
    for (at, (length, start)) in extents.iter().enumerate() {
        let at = 12 + 12 * at;
        let [low, high] = halves(*start);
        put(&mut map, at, &halves(logical)[0]);
        put(&mut map, at + 4, &u16::try_from(*length).unwrap_or(0).to_le_bytes());
        put(&mut map, at + 6, &high[..2]);
        put(&mut map, at + 8, &low);
        logical += length;
    }
    map
}
