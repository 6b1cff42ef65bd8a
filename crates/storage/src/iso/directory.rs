//! Directory records and their Rock Ridge entries (IEEE P1281 and P1282).

use crate::bytes::{narrow, put, wide};

use super::BLOCK;

/// What a record points to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// First block.
    pub(super) block: u32,
    /// Size in bytes.
    pub(super) size: u32,
    pub(super) directory: bool,
    /// Number of names of the inode, as POSIX counts it.
    pub(super) links: u32,
}

/// Both byte orders after each other, as the standard has numbers.
pub(super) fn both32(value: u32) -> [u8; 8] {
    let ([a, b, c, d], [e, f, g, h]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d, e, f, g, h]
}

/// Both byte orders of 16 bits.
pub(super) fn both16(value: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (value.to_le_bytes(), value.to_be_bytes());
    [a, b, c, d]
}

/// A record without Rock Ridge entries (ECMA-119, 9.1), as the volume descriptor has it.
pub(super) fn plain(identifier: &[u8], target: Target, date: [u8; 7]) -> Vec<u8> {
    let mut record = vec![0; 33];
    put(&mut record, 2, &both32(target.block));
    put(&mut record, 10, &both32(target.size));
    put(&mut record, 18, &date);
    put(&mut record, 25, &[if target.directory { 2 } else { 0 }]);
    put(&mut record, 28, &both16(1));
    put(&mut record, 32, &[u8::try_from(identifier.len()).unwrap_or(0)]);
    record.extend_from_slice(identifier);
    if record.len() % 2 == 1 {
        record.push(0);
    }
    measured(record)
}

/// A record with its attributes and, except for `.` and `..`, its name. `root` adds what says
/// that the volume has such entries at all.
pub(super) fn rock_ridge(
    identifier: &[u8],
    target: Target,
    date: [u8; 7],
    name: Option<&str>,
    root: bool,
) -> Vec<u8> {
    let mut record = plain(identifier, target, date);
    if root {
        record.extend_from_slice(&[b'S', b'P', 7, 1, 0xbe, 0xef, 0]);
    }
    let mode = if target.directory { 0o040_555 } else { 0o100_444 };
    record.extend_from_slice(&[b'P', b'X', 36, 1]);
    for value in [mode, target.links, 0, 0] {
        record.extend_from_slice(&both32(value));
    }
    if root {
        record.extend_from_slice(&[b'E', b'R', 18, 1, 10, 0, 0, 1]);
        record.extend_from_slice(b"RRIP_1991A");
    }
    if let Some(name) = name {
        let length = u8::try_from(name.len() + 5).unwrap_or(0);
        record.extend_from_slice(&[b'N', b'M', length, 1, 0]);
        record.extend_from_slice(name.as_bytes());
    }
    if record.len() % 2 == 1 {
        record.push(0);
    }
    measured(record)
}

fn measured(mut record: Vec<u8>) -> Vec<u8> {
    let length = u8::try_from(record.len()).unwrap_or(0);
    debug_assert!(length > 0, "a record has at most 255 bytes");
    put(&mut record, 0, &[length]);
    record
}

/// Records after each other; none crosses the end of a block.
pub(super) fn packed(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        let used = wide(bytes.len()) % BLOCK;
        if used + wide(record.len()) > BLOCK {
            bytes.resize(bytes.len().next_multiple_of(narrow(BLOCK)), 0);
        }
        bytes.extend_from_slice(record);
    }
    bytes.resize(bytes.len().next_multiple_of(narrow(BLOCK)), 0);
    bytes
}
