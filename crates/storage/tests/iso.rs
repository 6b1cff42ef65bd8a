//! ISO images: what xorriso, sgdisk and mdir say about what is written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use storage::iso::{Image, IsoError, Parameters};
use storage::tree::Tree;
use storage::{Guid, fat};

mod tool;
use tool::{accepted, image, run};

const MIB: u64 = 1 << 20;

fn parameters() -> Parameters {
    Parameters {
        label: "ICHOR-1.0.0".into(),
        time: 1_767_323_045,
        disk: Guid::derived(&["iso"]),
        partition: Guid::derived(&["iso", "EFI"]),
    }
}

fn esp<'a>(tree: &Tree<'a>) -> fat::Volume<'a> {
    let parameters = fat::Parameters {
        size: 40 * MIB,
        sector_size: 512,
        hidden_sectors: 0,
        volume_id: 1,
        label: "EFI".into(),
        time: 0,
    };
    fat::Volume::new(&parameters, tree).unwrap()
}

#[test]
fn the_tools_read_what_is_written() {
    let large = vec![7; 3_000_000];
    let names: Vec<String> = (0..200).map(|at| format!("many/long-name-number.{at}")).collect();
    let mut tree = Tree::new();
    tree.file("README.txt", b"read me").unwrap();
    tree.file("readme.txt", b"read me too").unwrap();
    tree.file("user-data", b"#cloud-config").unwrap();
    tree.file("a/b/c/Large File+3.efi", &large).unwrap();
    tree.file("a/empty", b"").unwrap();
    for name in &names {
        tree.file(name, name.as_bytes()).unwrap();
    }
    let mut boot = Tree::new();
    boot.file("EFI/BOOT/BOOTX64.EFI", b"MZ").unwrap();
    let esp = esp(&boot);
    let layout = Image::new(&parameters(), &tree, Some(&esp)).unwrap();
    let image = image(layout.size(), layout.pieces());

    let copy = image.directory.path().join("copy");
    let device = image.path.to_str().unwrap();
    let read = ["-osirrox", "on", "-indev", device, "-extract", "/"];
    accepted("xorriso", &read, &copy);
    assert_eq!(std::fs::read(copy.join("a/b/c/Large File+3.efi")).unwrap(), large);
    assert_eq!(std::fs::read(copy.join("readme.txt")).unwrap(), b"read me too");
    assert_eq!(std::fs::read(copy.join("README.txt")).unwrap(), b"read me");
    assert_eq!(std::fs::read(copy.join("user-data")).unwrap(), b"#cloud-config");
    assert_eq!(std::fs::read(copy.join("a/empty")).unwrap(), b"");
    for name in &names {
        assert_eq!(std::fs::read(copy.join(name)).unwrap(), name.as_bytes());
    }
    let report = accepted("xorriso", &["-indev", device, "-report_el_torito"], "plain".as_ref());
    let block = layout.esp_offset().unwrap() / 2048;
    assert!(report.contains("UEFI"), "{report}");
    assert!(report.lines().any(|line| line.trim_end().ends_with(&format!(" {block}"))), "{report}");
    let described = accepted("xorriso", &["-indev", device], "-pvd_info".as_ref());
    assert!(described.contains("Volume Id    : ICHOR-1.0.0"), "{described}");

    let verified = accepted("sgdisk", &["-v"], &image.path);
    assert!(verified.contains("No problems found"), "{verified}");
    let part = format!("{}@@{}", image.path.display(), layout.esp_offset().unwrap());
    let listed = accepted("mdir", &["-b", "-/", "::", "-i"], part.as_ref());
    assert!(listed.contains("::/EFI/BOOT/BOOTX64.EFI"), "{listed}");
}

#[test]
fn a_medium_without_boot_is_small() {
    let mut tree = Tree::new();
    tree.file("config.yaml", b"version: v1alpha1\n").unwrap();
    let parameters = Parameters { label: "metal-iso".into(), ..parameters() };
    let layout = Image::new(&parameters, &tree, None).unwrap();
    let image = image(layout.size(), layout.pieces());
    let shown = run("blkid", &["-p", "-o", "export"], &image.path);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("LABEL=metal-iso"), "{shown}");
    assert!(shown.contains("TYPE=iso9660"), "{shown}");
}

#[test]
fn impossible_images_are_refused() {
    let refused = |label: &str, path: &str| {
        let mut tree = Tree::new();
        tree.file(path, b"").unwrap();
        Image::new(&Parameters { label: label.into(), ..parameters() }, &tree, None).err()
    };
    assert_eq!(refused("", "a"), Some(IsoError::Label(String::new())));
    assert!(matches!(refused("a", "1/2/3/4/5/6/7/8/9"), Some(IsoError::TooDeep(_))));
    assert!(matches!(refused("a", &"x".repeat(161)), Some(IsoError::NameTooLong(_))));
    assert_eq!(refused("a", &format!("1/2/3/4/5/6/7/{}", "x".repeat(160))), None);
}
