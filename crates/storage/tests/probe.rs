//! What is recognised: file systems made by their own tools, compared with what blkid says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::prelude::*;
use storage::gpt::EDGE;
use storage::meta::Meta;
use storage::probe::{Content, Ends, Kind, probe, wipe};
use storage::{Guid, ext4};

mod tool;
use tool::{Image, accepted, image, run};

const MIB: u64 = 1 << 20;

fn look(bytes: &[u8]) -> Content {
    let edge = EDGE.min(bytes.len());
    probe(Ends {
        first: &bytes[..edge],
        last: &bytes[bytes.len() - edge..],
        size: bytes.len() as u64,
        sector_size: 512,
    })
}

fn file(path: &Path) -> Content {
    look(&std::fs::read(path).unwrap())
}

fn blkid(path: &Path, field: &str) -> String {
    let output = run("blkid", &["-p", "-o", "value", "-s", field], path);
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn empty(mib: u64) -> Image {
    image(mib * MIB, std::iter::empty())
}

/// The arguments of a tool that makes something in a file of so many MiB.
type Made = (Kind, u64, &'static str, &'static [&'static str]);

#[test]
fn the_answers_are_those_of_blkid() {
    let made: [Made; 8] = [
        (Kind::Xfs, 320, "mkfs.xfs", &["-q", "-L", "EPHEMERAL"]),
        (Kind::Ext4, 20, "mke2fs", &["-q", "-t", "ext4", "-L", "a label"]),
        (Kind::Ext4, 20, "mke2fs", &["-q", "-t", "ext2", "-b", "1024"]),
        (Kind::Vfat, 20, "mkfs.fat", &["-n", "EFI"]),
        (Kind::Vfat, 2, "mkfs.fat", &["-F", "12"]),
        (Kind::Vfat, 64, "mkfs.fat", &["-F", "32", "-n", "BOOT PART"]),
        (Kind::Swap, 4, "mkswap", &["-L", "swap"]),
        (Kind::Swap, 4, "mkswap", &["-p", "65536"]),
    ];
    for (kind, mib, program, arguments) in made {
        let image = empty(mib);
        accepted(program, arguments, &image.path);
        let content = file(&image.path);
        assert!(content.is_only(kind), "{program} {arguments:?}: {content:?}");
        let found = content.first().unwrap();
        assert_eq!(found.uuid, blkid(&image.path, "UUID"), "{program} {arguments:?}");
        assert_eq!(found.label, blkid(&image.path, "LABEL"), "{program} {arguments:?}");
    }
}

#[test]
fn read_only_images_and_tables() {
    let image = empty(4);
    let directory = image.directory.path().join("content");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("a"), [1; 5000]).unwrap();
    let squashfs = image.directory.path().join("squashfs");
    accepted(
        "mksquashfs",
        &[directory.to_str().unwrap(), squashfs.to_str().unwrap(), "-noappend"],
        "-quiet".as_ref(),
    );
    assert!(file(&squashfs).is_only(Kind::Squashfs));
    let iso = image.directory.path().join("iso");
    let options = ["-as", "mkisofs", "-quiet", "-V", "cidata", "-o", iso.to_str().unwrap()];
    accepted("xorriso", &options, &directory);
    let content = file(&iso);
    assert!(content.is_only(Kind::Iso9660), "{content:?}");
    assert_eq!(content.first().unwrap().label, "cidata");
    assert_eq!(content.first().unwrap().uuid, blkid(&iso, "UUID"));

    accepted("sgdisk", &["-n1:0:0"], &image.path);
    let content = file(&image.path);
    assert!(content.is_only(Kind::Gpt), "{content:?}");
    let mut bytes = std::fs::read(&image.path).unwrap();
    bytes[530] ^= 1;
    assert!(look(&bytes).is_only(Kind::Gpt));
    let end = bytes.len();
    bytes[end - 500] ^= 1;
    assert!(matches!(look(&bytes), Content::DamagedTable(_)));

    let dos = empty(4);
    accepted("sgdisk", &["-n1:0:0", "-m1"], &dos.path);
    assert!(file(&dos.path).is_only(Kind::Mbr));
}

#[test]
fn what_is_made_here_is_recognised_and_wiped() {
    let mut bytes = vec![0; 20 << 20];
    assert_eq!(look(&bytes), Content::Blank);
    bytes[700_000] = 1;
    assert_eq!(look(&bytes), Content::Unknown);
    let write = |bytes: &mut Vec<u8>, pieces: &mut dyn Iterator<Item = storage::Piece<'static>>| {
        for piece in pieces {
            let at = usize::try_from(piece.offset).unwrap();
            bytes[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
        }
    };
    let parameters = ext4::Parameters {
        size: 20 * MIB,
        uuid: Guid::derived(&["a"]),
        hash_seed: Guid::derived(&["b"]),
        label: "STATE".into(),
        time: 0,
    };
    write(&mut bytes, &mut ext4::Filesystem::new(&parameters).unwrap().pieces());
    let content = look(&bytes);
    let found = content.first().unwrap();
    assert_eq!((found.kind, found.label.as_str(), found.size), (Kind::Ext4, "STATE", 20 * MIB));
    assert_eq!(found.uuid, parameters.uuid.to_string());
    // A damaged superblock is still somebody's file system.
    bytes[1024 + 0x70] ^= 1;
    assert!(look(&bytes).is_only(Kind::Ext4));
    write(&mut bytes, &mut wipe(20 * MIB).into_iter());
    assert_eq!(look(&bytes), Content::Blank);
    write(&mut bytes, &mut Meta::default().encode().into_iter());
    assert!(look(&bytes).is_only(Kind::Meta));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// No content is a panic, with any of the marks that make a reader go on.
    #[test]
    fn hostile_ends(
        noise in prop::collection::vec(any::<u8>(), 0..70_000),
        marks in prop::collection::vec((0_usize..10, any::<bool>()), 0..4),
    ) {
        let known: [(usize, &[u8]); 10] = [
            (0, b"XFSB"), (0, b"hsqs"), (0, b"LUKS\xba\xbe\0\x02"), (0x438, b"\x53\xef"),
            (0x1_0040, b"_BHRfS_M"), (4086, b"SWAPSPACE2"), (512, b"LABELONE"), (512, b"EFI PART"),
            (0x8000, b"\x01CD001\x01"), (4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
        ];
        let mut bytes = noise;
        for (mark, _) in marks {
            let (at, text) = known[mark];
            if let Some(place) = bytes.get_mut(at..at + text.len()) {
                place.copy_from_slice(text);
            }
        }
        drop(look(&bytes));
    }
}
