//! Blocks of directories (kernel documentation, `filesystems/ext4/directory`).

use super::BLOCK;
use crate::bytes::{narrow, put, wide};
use crate::crc::crc32c;

/// Bytes at the end of a block that hold its checksum, in the form of an unused entry.
const TAIL: u64 = 12;
const TYPE_DIRECTORY: u8 = 2;

/// One block with entries for directories; without entries it is free for new ones.
pub(super) fn block(seed: u32, inode: u32, entries: &[(u32, &str)]) -> Vec<u8> {
    let mut bytes = vec![0; narrow(BLOCK)];
    let end = BLOCK - TAIL;
    let mut at = 0;
    let unused = [(0, "")];
    let entries = if entries.is_empty() { &unused[..] } else { entries };
    for (number, (target, name)) in entries.iter().enumerate() {
        // The last entry owns the rest of the block.
        let last = number + 1 == entries.len();
        let length = if last { end - at } else { (8 + wide(name.len())).next_multiple_of(4) };
        let place = narrow(at);
        put(&mut bytes, place, &target.to_le_bytes());
        put(&mut bytes, place + 4, &u16::try_from(length).unwrap_or(0).to_le_bytes());
        let kind = if *target == 0 { 0 } else { TYPE_DIRECTORY };
        put(&mut bytes, place + 6, &[u8::try_from(name.len()).unwrap_or(0), kind]);
        put(&mut bytes, place + 8, name.as_bytes());
        at += length;
    }
    let own = crc32c(crc32c(seed, &inode.to_le_bytes()), &0_u32.to_le_bytes());
    let sum = crc32c(own, bytes.get(..narrow(end)).unwrap_or_default());
    put(&mut bytes, narrow(end) + 4, &[12, 0, 0, 0xde]);
    put(&mut bytes, narrow(end) + 8, &sum.to_le_bytes());
    bytes
}
