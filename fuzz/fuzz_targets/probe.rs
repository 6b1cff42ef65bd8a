//! Whatever is on a disk: recognising it never panics, neither do the superblock of ext4 and META.

#![no_main]

use storage::ext4::Superblock;
use storage::gpt::EDGE;
use storage::meta::Meta;
use storage::probe::{Ends, probe};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    drop(Superblock::parse(bytes));
    if let Ok(meta) = Meta::parse(bytes) {
        let written: Vec<u8> = meta.encode().into_iter().flat_map(|piece| piece.bytes.into_owned()).collect();
        assert_eq!(Meta::parse(&written), Ok(meta));
    }
    // One byte says where the marks of formats are, so that small inputs reach them.
    let Some((place, rest)) = bytes.split_first() else { return };
    let offset = [0, 512, 0x400, 4096, 0x8000, 0x1_0000][usize::from(*place) % 6];
    let mut first = vec![0; offset];
    first.extend_from_slice(rest);
    first.truncate(EDGE);
    let ends = Ends { first: &first, last: &first, size: first.len() as u64, sector_size: 512 };
    drop(probe(ends));
});
