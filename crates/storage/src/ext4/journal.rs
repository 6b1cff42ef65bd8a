//! The journal's first block (kernel documentation, `filesystems/ext4/journal`): an empty journal.

use super::BLOCK;
use crate::Guid;
use crate::bytes::{narrow, put};

/// An empty journal of `blocks` blocks. The rest of it keeps what is on the disk: numbers of
/// transactions start where `uuid` says, and checksums contain it, so old blocks do not count.
pub(super) fn first_block(blocks: u64, uuid: Guid) -> Vec<u8> {
    let mut bytes = vec![0; narrow(BLOCK)];
    let [a, b, c, d, ..] = uuid.bytes();
    let sequence = u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff | 1;
    put(&mut bytes, 0x0, &0xc03b_3998_u32.to_be_bytes());
    put(&mut bytes, 0x4, &4_u32.to_be_bytes());
    put(&mut bytes, 0xc, &u32::try_from(BLOCK).unwrap_or(0).to_be_bytes());
    put(&mut bytes, 0x10, &u32::try_from(blocks).unwrap_or(0).to_be_bytes());
    put(&mut bytes, 0x14, &1_u32.to_be_bytes());
    put(&mut bytes, 0x18, &sequence.to_be_bytes());
    put(&mut bytes, 0x30, &uuid.bytes());
    put(&mut bytes, 0x40, &1_u32.to_be_bytes());
    bytes
}
