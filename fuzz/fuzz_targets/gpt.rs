//! Partition tables from any disk: reading never panics, and a table that was read is written as one that reads the
//! same. The checksums are made right first, so that what is behind them is reached.

#![no_main]

use storage::crc::crc32;
use storage::gpt::{EDGE, Geometry, Table};

const SECTOR: usize = 512;

fn ends(table: &Table) -> (Vec<u8>, Vec<u8>) {
    let (mut first, mut last) = (vec![0; EDGE], vec![0; EDGE]);
    let start = table.geometry().bytes() - EDGE as u64;
    for piece in table.encode() {
        let (side, at) = match piece.offset.checked_sub(start) {
            Some(at) => (&mut last, at as usize),
            None => (&mut first, piece.offset as usize),
        };
        side[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    (first, last)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(geometry) = Geometry::new(512, 1 << 30) else { return };
    let mut first = vec![0; EDGE];
    let length = bytes.len().min(EDGE - SECTOR);
    first[SECTOR..SECTOR + length].copy_from_slice(&bytes[..length]);
    drop(Table::parse(&first, bytes, geometry));
    let mut header = first[SECTOR..2 * SECTOR].to_vec();
    header[..16].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
    header[24..32].copy_from_slice(&1_u64.to_le_bytes());
    header[72..88].copy_from_slice(b"\x02\0\0\0\0\0\0\0\x80\0\0\0\x80\0\0\0");
    header[88..92].copy_from_slice(&crc32(&first[1024..1024 + 16384]).to_le_bytes());
    header[16..20].fill(0);
    let sum = crc32(&header[..92]);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    first[SECTOR..2 * SECTOR].copy_from_slice(&header);
    let Ok(found) = Table::parse(&first, &[], geometry) else { return };
    let (first, last) = ends(&found.table);
    let again = Table::parse(&first, &last, geometry).expect("a table that was written is refused");
    assert_eq!(again.repair, []);
    // A label that is no text is written as what it was read as.
    assert_eq!(again.table, found.table);
});
