//! FAT32: what fsck.fat, mdir and mcopy say about what is written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use storage::fat::{FatError, Parameters, Volume};
use storage::tree::{Node, Tree};

mod tool;
use tool::{accepted, image};

const MIB: u64 = 1 << 20;

fn parameters(size: u64, sector_size: u32) -> Parameters {
    Parameters {
        size,
        sector_size,
        hidden_sectors: 2048,
        volume_id: 0x1c40_4b05,
        label: "efi".into(),
        time: 1_767_323_045, // 2026-01-02 03:04:05.
    }
}

/// A boot partition with what makes names hard.
fn tree(kernel: &[u8]) -> Tree<'_> {
    let mut tree = Tree::new();
    for (path, content) in [
        ("EFI/BOOT/BOOTX64.EFI", &kernel[..kernel.len() / 3]),
        ("EFI/Linux/Ichor-1.0.0+3.efi", kernel),
        ("EFI/Linux/Ichor-1.0.1+3-0.efi", &kernel[1..]),
        ("EFI/Linux/exactly26charactersname.conf", b"two entries"),
        ("EFI/systemd/systemd-bootx64.efi", b"MZ"),
        ("loader/loader.conf", b"timeout 3\n"),
        ("loader/empty", b""),
        ("loader/keys/auto/\u{fc}ber \u{20ac}.auth", b"wide"),
    ] {
        tree.file(path, content).unwrap();
    }
    tree
}

fn files<'a>(tree: &Tree<'a>, above: &str, found: &mut Vec<(String, &'a [u8])>) {
    for (name, node) in tree.entries() {
        let path = format!("{above}/{name}");
        match node {
            Node::File(content) => found.push((path, content)),
            Node::Directory(inner) => files(inner, &path, found),
        }
    }
}

#[test]
fn the_tools_read_what_is_written() {
    let kernel: Vec<u8> = (0..3_000_001_u32).map(|at| (at / 7) as u8).collect();
    let tree = tree(&kernel);
    for (size, sector_size) in [
        (64 * MIB, 512),
        (100 * MIB + 512, 512),
        (300 * MIB, 512),
        (2101 * MIB, 512),
        (2101 * MIB, 4096),
        (20 << 30, 512),
    ] {
        let volume = Volume::new(&parameters(size, sector_size), &tree).unwrap();
        let image = image(size, volume.pieces());
        let checked = accepted("fsck.fat", &["-n", "-v"], &image.path);
        assert!(checked.contains("FAT32") || checked.contains("32 bit"), "{checked}");
        for complaint in ["differ", "wrong", "Free cluster summary", "dirty", "Orphan"] {
            assert!(!checked.contains(complaint), "{size} {sector_size}: {checked}");
        }
        let mut wanted = Vec::new();
        files(&tree, "", &mut wanted);
        let listed = accepted("mdir", &["-b", "-/", "::", "-i"], &image.path);
        let mut listed: Vec<_> =
            listed.lines().filter_map(|line| line.strip_prefix("::")).collect();
        listed.retain(|line| !line.ends_with('/'));
        listed.sort_unstable();
        let mut names: Vec<_> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(listed, names);
        for (name, content) in wanted {
            let image_option = format!("-i{}", image.path.display());
            let copy = image.directory.path().join("copy");
            accepted("mcopy", &["-n", "-o", &image_option, &format!("::{name}")], &copy);
            assert!(std::fs::read(copy).unwrap() == content, "{name} has another content");
        }
        let shown = accepted("mdir", &["::/EFI/Linux", "-i"], &image.path);
        assert!(shown.contains("Volume in drive : is EFI"), "{shown}");
        assert!(shown.contains("Serial Number is 1C40-4B05"), "{shown}");
        assert!(shown.contains("2026-01-02   3:04"), "{shown}");
    }
}

#[test]
fn many_files_in_one_directory() {
    let names: Vec<String> = (0..2000).map(|at| format!("a file with a long name {at}")).collect();
    let mut tree = Tree::new();
    for name in &names {
        tree.file(name, name.as_bytes()).unwrap();
    }
    let volume = Volume::new(&parameters(64 * MIB, 512), &tree).unwrap();
    let image = image(64 * MIB, volume.pieces());
    accepted("fsck.fat", &["-n"], &image.path);
    let listed = accepted("mdir", &["-b", "::", "-i"], &image.path);
    assert_eq!(listed.lines().count(), 2000);
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let kernel = vec![1; 100_000];
    let tree = tree(&kernel);
    let make = || {
        let volume = Volume::new(&parameters(64 * MIB, 512), &tree).unwrap();
        volume.pieces().map(|piece| (piece.offset, piece.bytes.into_owned())).collect::<Vec<_>>()
    };
    assert_eq!(make(), make());
}

#[test]
fn impossible_volumes_are_refused() {
    let content = vec![0; usize::try_from(40 * MIB).unwrap()];
    let mut full = Tree::new();
    full.file("a", &content).unwrap();
    full.file("b", &content).unwrap();
    let mut same = Tree::new();
    same.file("a/Readme", b"").unwrap();
    same.file("a/README", b"").unwrap();
    let small = Volume::new(&parameters(30 * MIB, 512), &Tree::new());
    let Err(FatError::TooSmall { least, .. }) = small else { panic!("{small:?}") };
    // The size that the error names is enough.
    Volume::new(&parameters(least, 512), &Tree::new()).unwrap();
    let error = |result: Result<Volume<'_>, FatError>| result.err().unwrap().to_string();
    assert_eq!(
        error(Volume::new(&parameters(64 * MIB, 512), &same)),
        "\"README\" and \"Readme\" are the same name on FAT32"
    );
    let text = error(Volume::new(&parameters(64 * MIB, 512), &full));
    assert!(text.starts_with("the files take 838"), "{text}");
    let labelled = Parameters { label: "a.b".into(), ..parameters(64 * MIB, 512) };
    assert!(error(Volume::new(&labelled, &Tree::new())).contains("is not a label"));
}
