//! Partition tables: properties, hostile bytes, and what sgdisk says about them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;
use storage::gpt::{self, EDGE, Found, Geometry, GptError, HeaderError, Repair, Request, Table};
use storage::{Guid, Piece};

mod tool;
use tool::{accepted, image};

const MIB: u64 = 1 << 20;

fn request(label: &str, min: u64, max: Option<u64>) -> Request {
    let kind = if label == "EFI" { gpt::EFI_SYSTEM } else { gpt::LINUX_DATA };
    let id = Guid::derived(&["test", label]);
    Request { label: label.into(), kind, id, attributes: 0, min, max }
}

/// The disk of an installed machine.
fn machine(geometry: Geometry) -> Table {
    let mut table = Table::new(geometry, Guid::derived(&["test"]));
    table.add(request("EFI", 20 * MIB, Some(20 * MIB))).unwrap();
    table.add(request("META", MIB, Some(MIB))).unwrap();
    table.add(request("STATE", 100 * MIB, Some(100 * MIB))).unwrap();
    table.add(request("EPHEMERAL", 50 * MIB, None)).unwrap();
    table
}

/// The two ends of a disk that has these pieces.
fn ends(geometry: Geometry, pieces: &[Piece<'_>]) -> (Vec<u8>, Vec<u8>) {
    let edge = EDGE as u64;
    let (mut first, mut last) = (vec![0; EDGE], vec![0; EDGE]);
    for piece in pieces {
        let start = geometry.bytes() - edge;
        let (side, at) = if piece.offset < edge {
            (&mut first, piece.offset)
        } else {
            (&mut last, piece.offset - start)
        };
        let at = usize::try_from(at).unwrap();
        side[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
    (first, last)
}

fn read_back(table: &Table) -> Result<Found, GptError> {
    let (first, last) = ends(table.geometry(), &table.encode());
    Table::parse(&first, &last, table.geometry())
}

#[test]
fn sgdisk_reads_what_is_written() {
    for sector_size in [512, 4096] {
        let geometry = Geometry::new(sector_size, 1 << 30).unwrap();
        let table = machine(geometry);
        let image = image(geometry.bytes(), table.encode().into_iter());
        if sector_size == 512 {
            let verified = accepted("sgdisk", &["-v"], &image.path);
            assert!(verified.contains("No problems found"), "{verified}");
            let printed = accepted("sgdisk", &["-p"], &image.path);
            assert!(printed.contains(&format!("{}", table.disk()).to_uppercase()), "{printed}");
            for (number, partition) in table.partitions() {
                let shown = accepted("sgdisk", &[&format!("-i{number}")], &image.path);
                for fact in [
                    format!("Partition GUID code: {}", partition.kind.to_string().to_uppercase()),
                    format!("unique GUID: {}", partition.id.to_string().to_uppercase()),
                    format!("First sector: {} ", partition.first),
                    format!("Last sector: {} ", partition.last),
                    format!("Partition name: '{}'", partition.label),
                ] {
                    assert!(shown.contains(&fact), "{fact:?} is not in\n{shown}");
                }
            }
        }
        assert_eq!(read_back(&table), Ok(Found { table, repair: vec![] }));
    }
}

#[test]
fn what_sgdisk_writes_is_read() {
    let geometry = Geometry::new(512, 200 * MIB).unwrap();
    let image = image(geometry.bytes(), std::iter::empty());
    accepted(
        "sgdisk",
        &["-n1:0:+10M", "-c1:größe", "-t1:ef00", "-A1:set:2", "-n7:0:0", "-c7:rest"],
        &image.path,
    );
    let bytes = std::fs::read(&image.path).unwrap();
    let (first, last) = (&bytes[..EDGE], &bytes[bytes.len() - EDGE..]);
    let found = Table::parse(first, last, geometry).unwrap();
    assert_eq!(found.repair, []);
    let (number, one) = found.table.labelled("größe").unwrap();
    assert_eq!((number, one.kind, one.attributes), (1, gpt::EFI_SYSTEM, 4));
    assert_eq!((found.table.offset(one), found.table.size(one)), (MIB, 10 * MIB));
    assert_eq!(found.table.labelled("rest").unwrap().0, 7);
    // Written again nothing changes but what neither says: padding and the MBR's boot code.
    let (again_first, again_last) = ends(geometry, &found.table.encode());
    assert_eq!(first[512..], again_first[512..]);
    assert_eq!(last, again_last);
}

#[test]
fn an_image_on_a_larger_disk_grows() {
    let small = Geometry::new(512, 300 * MIB).unwrap();
    let large = Geometry::new(512, 1 << 30).unwrap();
    let table = machine(small);
    let (first, _) = ends(small, &table.encode());
    let mut found = Table::parse(&first, &[0; EDGE], large).unwrap();
    assert_eq!(found.repair, [Repair::BackupPlace { at: small.sectors() - 1 }]);
    // The table is one for the disk as it is now.
    assert_eq!(found.table.grow(3, None), 0, "STATE is followed by EPHEMERAL");
    assert_eq!(found.table.grow(4, Some(60 * MIB)), 0, "it is larger already");
    let before = found.table.size(&found.table.partitions()[&4]);
    let gained = found.table.grow(4, None);
    assert_eq!(found.table.size(&found.table.partitions()[&4]), before + gained);
    let image = image(large.bytes(), found.table.encode().into_iter());
    let verified = accepted("sgdisk", &["-v"], &image.path);
    assert!(verified.contains("No problems found"), "{verified}");
    // And never smaller than what is on it.
    let shrunk = Geometry::new(512, 200 * MIB).unwrap();
    assert!(matches!(found.table.resize(shrunk), Err(GptError::Shrunk { index: 4, .. })));
}

#[test]
fn damage_is_named_and_repaired() {
    let geometry = Geometry::new(512, 1 << 30).unwrap();
    let table = machine(geometry);
    let (first, last) = ends(geometry, &table.encode());
    let parse = |first: &[u8], last: &[u8]| Table::parse(first, last, geometry);
    let changed = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let backup = EDGE - 512;
    let cases = [
        (changed(&first, 512), last.clone(), Repair::Primary(HeaderError::Signature(1))),
        (changed(&first, 512 + 60), last.clone(), Repair::Primary(HeaderError::Checksum)),
        (changed(&first, 1024 + 56), last.clone(), Repair::Primary(HeaderError::ArrayChecksum)),
        (first.clone(), changed(&last, backup + 24), Repair::Backup(HeaderError::Checksum)),
        (first.clone(), changed(&last, backup - 100), Repair::Backup(HeaderError::ArrayChecksum)),
        (changed(&first, 510), last.clone(), Repair::ProtectiveMbr),
    ];
    for (first, last, repair) in cases {
        let found = parse(&first, &last).unwrap();
        assert_eq!((found.table, found.repair), (table.clone(), vec![repair]));
    }
    assert_eq!(parse(&[0; EDGE], &[0; EDGE]), Err(GptError::Absent));
    assert_eq!(parse(&[], &[]), Err(GptError::Absent));
    let both = parse(&changed(&first, 530), &changed(&last, backup + 24));
    let checksum = HeaderError::Checksum;
    assert_eq!(both, Err(GptError::Damaged { primary: checksum.clone(), backup: checksum }));
}

#[test]
fn impossible_wishes_are_refused() {
    let geometry = Geometry::new(512, 300 * MIB).unwrap();
    let mut table = machine(geometry);
    assert_eq!(table.add(request("META", MIB, None)), Err(GptError::LabelTaken("META".into())));
    assert!(matches!(table.add(request(&"x".repeat(37), MIB, None)), Err(GptError::Label(_))));
    assert_eq!(
        table.add(request("more", MIB, None)),
        Err(GptError::NoSpace { label: "more".into(), needed: MIB, largest: 0 })
    );
    // The space of a removed partition is used again, with its number.
    table.remove(2).unwrap();
    assert_eq!(table.add(request("more", 1, None)), Ok(2));
    assert_eq!(Geometry::new(512, 10_000), Err(GptError::TooSmall { bytes: 10_000 }));
    assert_eq!(Geometry::new(520, 1 << 30), Err(GptError::SectorSize(520)));
}

proptest! {
    /// Whatever is added, removed and grown: no overlap, aligned, and read back the same.
    #[test]
    fn tables_stay_valid(
        mib in 8_u64..4096,
        big_sectors: bool,
        steps in prop::collection::vec((0_u8..4, 0_u64..900, prop::option::of(0_u64..900)), 0..40),
    ) {
        let geometry = Geometry::new(if big_sectors { 4096 } else { 512 }, mib * MIB).unwrap();
        let mut table = Table::new(geometry, Guid::derived(&["property"]));
        for (number, (step, min, max)) in steps.into_iter().enumerate() {
            match step {
                0 => drop(table.remove(u32::try_from(min % 12).unwrap())),
                1 => drop(table.grow(u32::try_from(min % 12).unwrap(), max.map(|max| max * MIB))),
                _ => {
                    let label = format!("p{number}");
                    let wish = request(&label, min * MIB, max.map(|max| max * MIB));
                    if let Ok(number) = table.add(wish) {
                        let partition = &table.partitions()[&number];
                        prop_assert!(table.size(partition) >= min * MIB);
                        prop_assert_eq!(table.offset(partition) % MIB, 0);
                    }
                }
            }
        }
        prop_assert_eq!(read_back(&table), Ok(Found { table, repair: vec![] }));
    }

    /// A header with any content is an error or a valid table, never a panic. The checksums are
    /// made right, so that what is behind them is reached.
    #[test]
    fn hostile_headers(
        changes in prop::collection::vec((8_usize..92, any::<u8>()), 0..6),
        entries in prop::collection::vec((0_usize..2048, any::<u8>()), 0..6),
        length in 0_usize..EDGE,
    ) {
        let geometry = Geometry::new(512, 1 << 30).unwrap();
        let (mut first, last) = ends(geometry, &machine(geometry).encode());
        for (at, value) in entries {
            first[1024 + at] = value;
        }
        let array = storage::crc::crc32(&first[1024..1024 + 16384]);
        first[512 + 88..512 + 92].copy_from_slice(&array.to_le_bytes());
        for (at, value) in changes {
            first[512 + at] = value;
        }
        first[512 + 16..512 + 20].fill(0);
        let header = storage::crc::crc32(&first[512..512 + 92]);
        first[512 + 16..512 + 20].copy_from_slice(&header.to_le_bytes());
        for last in [&last[..], &[]] {
            if let Ok(found) = Table::parse(&first, last, geometry) {
                let again = read_back(&found.table).unwrap();
                prop_assert_eq!(again, Found { table: found.table, repair: vec![] });
            }
        }
        drop(Table::parse(&first[..length], &last[length..], geometry));
    }
}
