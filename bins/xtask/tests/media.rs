//! What machines start from: within its budgets, the same when made twice, and read without
//! complaint by the tools that others read it with. Needs what `cargo xtask machine` makes, which
//! `make test` does first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "sizes are for people to read")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use boot::initramfs::{DRIVERS, INIT, MODULES, ROOT, listed};
use boot::module::catalogue::{Catalogue, Lists};
use boot::pe::Program;
use image::component::Workshop;
use image::initramfs::{self, Content};
use image::kernel::{self, Kernel};
use image::machine::{self, Assets};
use image::pins::{DebianPin, Pins, ProfilePin};
use image::store::Store;
use image::{debian, drivers, media};

const MB: u64 = 1_000_000;

/// The level of compression of everything that is built.
const COMPRESSION: u32 = 19;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A file of `out/`; without it there is nothing to test, which is a failure.
fn out(path: &str) -> PathBuf {
    let path = checkout().join("out").join(path);
    assert!(path.exists(), "{} is missing; build it first: cargo xtask machine", path.display());
    path
}

fn workshop() -> Workshop<'static> {
    let sources = checkout().join("components");
    Workshop::new(Pins::read(&sources).unwrap(), sources, Store::of_user().unwrap(), &|_| ())
}

fn cloud(workshop: &Workshop<'_>) -> (ProfilePin, Kernel) {
    let profile = workshop.pins().profile("cloud").unwrap().clone();
    let kernel = kernel::build(workshop, &profile).unwrap();
    (profile, kernel)
}

/// Runs a tool and returns what it said; a failure of the tool is one of the test.
fn run(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    // Some of the tools are where only root's search path leads.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = command.args(arguments).env("PATH", path).output();
    let output =
        output.unwrap_or_else(|error| panic!("{program}: {error}; install it: cargo xtask tools"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed:\n{text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The disk, decompressed.
fn disk(directory: &Path) -> PathBuf {
    let path = directory.join("disk.raw");
    let mut decoder = zstd::Decoder::new(File::open(out("image/disk.raw.zst")).unwrap()).unwrap();
    let mut file = File::create(&path).unwrap();
    std::io::copy(&mut decoder, &mut Sparse(&mut file)).unwrap();
    file.set_len(media::DISK_SIZE).unwrap();
    path
}

/// Leaves holes where zeros would be written.
struct Sparse<'a>(&'a mut File);

impl Write for Sparse<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.iter().all(|byte| *byte == 0) {
            let distance = i64::try_from(bytes.len()).unwrap();
            std::io::Seek::seek(self.0, std::io::SeekFrom::Current(distance))?;
            return Ok(bytes.len());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn sizes_stay_within_their_budgets() {
    let workshop = workshop();
    let (profile, kernel) = cloud(&workshop);
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    let drivers = drivers::build(&workshop, &profile, &kernel, COMPRESSION).unwrap();
    let sizes = [
        ("root image and drivers", size(&out("image/root.sqfs")) + size(&drivers), 60 * MB),
        ("ichor.efi", size(&out("image/ichor.efi")), 75 * MB),
        ("disk.raw.zst", size(&out("image/disk.raw.zst")), 90 * MB),
    ];
    let mut over = Vec::new();
    for (name, size, budget) in sizes {
        println!("{name}: {size} bytes of {budget}");
        if size > budget {
            over.push(format!("{name} has {size} bytes, {} more than its budget", size - budget));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn checksums_are_those_of_the_files() {
    let image = out("image");
    for name in ["vmlinuz", "initramfs.img", "ichor.efi", "disk.raw.zst", "ichor.iso"] {
        let said = fs::read_to_string(out(&format!("image/{name}.sha256"))).unwrap();
        let counted = run("sha256sum", &[text(&image.join(name))]);
        assert_eq!(said.split_whitespace().next(), counted.split_whitespace().next(), "{name}");
        assert_eq!(said.split_whitespace().nth(1), Some(name));
    }
}

/// The same parts, copied elsewhere, make the same images: nothing of a place, a time or an order
/// gets into them.
#[test]
fn images_are_the_same_when_made_in_another_directory() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = |from: PathBuf, name: &str| {
        let to = elsewhere.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    // A store of its own: the kernel's package is taken apart again, the drivers packed again.
    let packages = Store::of_user().unwrap();
    let sources = checkout().join("components");
    let store = Store::new(elsewhere.path().join("store"));
    let workshop = Workshop::new(Pins::read(&sources).unwrap(), sources, store, &|_| ());
    let pins = workshop.pins();
    for pin in pins.profile("cloud").unwrap().packages().chain([&pins.loader]) {
        let part = image::debian::fetch(&packages, pin).unwrap().path;
        let to = elsewhere.path().join("store").join(part.file_name().unwrap());
        fs::create_dir_all(&to).unwrap();
        fs::copy(part.join("data.tar"), to.join("data.tar")).unwrap();
    }
    let (profile, kernel) = cloud(&workshop);
    let drivers = drivers::build(&workshop, &profile, &kernel, COMPRESSION).unwrap();
    let (loader, stub) = machine::loader(&workshop).unwrap();
    let root = copy(out("image/root.sqfs"), "root");
    let init = copy(out("bin/init"), "first");
    let content = Content { init: &init, root: &root, drivers: &drivers, kernel: &kernel };
    let assets = Assets {
        loader,
        stub,
        kernel: fs::read(kernel.image()).unwrap(),
        release: kernel.release.clone(),
        initramfs: initramfs::build(&content).unwrap(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let line = machine::command_line(&profile.arguments, &[]);
    let same = |name: &str, bytes: &[u8]| {
        let same = fs::read(out(&format!("image/{name}"))).unwrap() == bytes;
        assert!(same, "{name} differs from out/image/{name}");
    };
    same("vmlinuz", &assets.kernel);
    same("initramfs.img", &assets.initramfs);
    same("ichor.efi", &assets.image(&line).unwrap());
    let mut bytes = Vec::new();
    media::compressed_disk(&assets, &line, profile.menu, &mut bytes).unwrap();
    same("disk.raw.zst", &bytes);
    bytes.clear();
    media::stick(&assets, &line, &mut bytes).unwrap();
    same("ichor.iso", &bytes);
}

#[test]
fn first_file_system_holds_what_mounting_the_root_needs() {
    let compressed = File::open(out("image/initramfs.img")).unwrap();
    let archive = zstd::decode_all(BufReader::new(compressed)).unwrap();
    let entries = boot::cpio::read(&archive).unwrap();
    let files: BTreeMap<&str, &[u8]> =
        entries.iter().map(|entry| (entry.path, entry.content)).collect();
    assert_eq!(files[INIT], fs::read(out("bin/init")).unwrap());
    assert!(files[ROOT] == fs::read(out("image/root.sqfs")).unwrap());
    assert!(files[DRIVERS].starts_with(b"hsqs"));
    let modules = listed(std::str::from_utf8(files[MODULES]).unwrap()).concat();
    assert!(modules.contains(&"modules/loop.ko") && modules.contains(&"modules/squashfs.ko"));
    for module in modules {
        assert!(files[module].ends_with(b"~Module signature appended~\n"), "{module} is unsigned");
    }
}

/// The reference is unsquashfs, and the list of modules that a node needs is the one that was found
/// by running a cluster.
#[test]
fn drivers_are_all_there() {
    const NEEDED: &str = "virtio_net virtio_blk virtio_scsi sd_mod virtio_rng loop squashfs erofs \
        overlay xfs vfat nls_cp437 nls_ascii nls_iso8859-1 efivarfs bridge br_netfilter veth vxlan \
        dummy tun nf_conntrack nf_conntrack_netlink nf_tables nft_ct nft_chain_nat nft_nat \
        nft_masq nft_redir nft_reject nft_reject_inet nft_reject_ipv4 nft_reject_ipv6 nft_fib \
        nft_fib_inet nft_fib_ipv4 nft_fib_ipv6 nft_numgen nft_hash nft_limit nft_log nft_compat \
        x_tables xt_comment xt_mark xt_conntrack xt_addrtype xt_MASQUERADE xt_nat xt_statistic \
        xt_REDIRECT xt_multiport xt_tcpudp xt_limit xt_physdev i6300esb dm-mod dm-crypt dm-verity \
        ahci wireguard nvme";
    let workshop = workshop();
    let (profile, kernel) = cloud(&workshop);
    let path = drivers::build(&workshop, &profile, &kernel, COMPRESSION).unwrap();
    let list = run("unsquashfs", &["-no-progress", "-ls", text(&path)]);
    let inside: BTreeSet<&str> =
        list.lines().filter_map(|line| line.strip_prefix("squashfs-root/")).collect();
    for path in kernel.files() {
        assert!(inside.contains(format!("{}/{path}", kernel.release).as_str()), "{path}");
    }
    assert!(inside.contains("firmware"));
    let builtin = fs::read_to_string(kernel.modules().join("modules.builtin")).unwrap();
    let missing: Vec<&str> = NEEDED
        .split_whitespace()
        .filter(|name| {
            let name = boot::module::Name::new(name);
            let file = |path: &str| boot::module::Name::of_path(path) == name;
            !kernel.files().iter().any(|path| file(path)) && !builtin.lines().any(file)
        })
        .collect();
    assert!(missing.is_empty(), "the kernel has no {missing:?}");
}

/// depmod of kmod reads the same modules and comes to the same dependencies and aliases.
#[test]
fn lists_of_modules_are_those_of_depmod() {
    let (_, kernel) = cloud(&workshop());
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("lib/modules");
    let modules = base.join(&kernel.release);
    fs::create_dir_all(&modules).unwrap();
    std::os::unix::fs::symlink(kernel.modules().join("kernel"), modules.join("kernel")).unwrap();
    fs::copy(kernel.modules().join("modules.builtin"), modules.join("modules.builtin")).unwrap();
    run("depmod", &["-b", text(directory.path()), &kernel.release]);

    let read = |directory: &Path| Lists::of(|name| fs::read_to_string(directory.join(name)));
    let (ours, theirs) = (read(&kernel.modules()).unwrap(), read(&modules).unwrap());
    let sorted = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let needs = |text: &str| -> BTreeMap<String, BTreeSet<String>> {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(path, needs)| {
                (path.to_owned(), needs.split_whitespace().map(str::to_owned).collect())
            })
            .collect()
    };
    let (mine, reference) = (needs(&ours.dependencies), needs(&theirs.dependencies));
    assert!(reference.len() > 900, "depmod found only {} modules", reference.len());
    assert_eq!(mine, reference);
    let aliases = |text: &str| -> BTreeSet<String> {
        let lines = sorted(text);
        lines.into_iter().filter(|line| line.starts_with("alias ")).collect()
    };
    let (mine, reference) = (aliases(&ours.aliases), aliases(&theirs.aliases));
    let missing: Vec<_> = reference.difference(&mine).take(10).collect();
    let more: Vec<_> = mine.difference(&reference).take(10).collect();
    assert!(missing.is_empty() && more.is_empty(), "missing {missing:?}, too many {more:?}");

    // Both lists load everything in an order in which what is needed comes first.
    for lists in [&ours, &theirs] {
        let catalogue = Catalogue::read(lists).unwrap();
        for (name, _) in catalogue.modules() {
            let steps = catalogue.steps(name).unwrap();
            let paths: Vec<&str> = steps.iter().map(|step| step.path).collect();
            for (at, step) in steps.iter().enumerate() {
                for needed in &reference_needs(&theirs, step.path) {
                    let place = paths.iter().position(|path| path == needed);
                    assert!(place.is_some_and(|place| place < at), "{} before {needed}", step.path);
                }
            }
        }
    }
}

/// What depmod says that a module needs.
fn reference_needs<'a>(lists: &'a Lists, path: &str) -> Vec<&'a str> {
    let mut lines = lists.dependencies.lines().filter_map(|line| line.split_once(':'));
    let needs = lines.find(|(module, _)| *module == path).map(|(_, needs)| needs);
    needs.unwrap_or_default().split_whitespace().collect()
}

/// The reference is objdump.
#[test]
fn unified_kernel_image_has_its_sections() {
    let path = out("image/ichor.efi");
    let list = run("objdump", &["--section-headers", text(&path)]);
    let rows: BTreeMap<&str, Vec<&str>> = list
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() == 7)
        .map(|words| (words[1], words))
        .collect();
    let bytes = fs::read(&path).unwrap();
    let program = Program::read(&bytes).unwrap();
    let mut end = 0;
    for name in [".text", ".osrel", ".cmdline", ".uname", ".linux", ".initrd"] {
        let row = &rows[name];
        let number = |at: usize| u64::from_str_radix(row[at], 16).unwrap();
        let (size, address) = (number(2), number(3));
        assert!(address >= end, "{name} lies in another section:\n{list}");
        end = address + size;
        let own = program.sections().iter().find(|section| section.name == name).unwrap();
        assert_eq!(number(5), u64::from(own.raw_offset), "{name}");
    }
    assert_eq!(program.section(".linux").unwrap(), fs::read(out("image/vmlinuz")).unwrap());
    assert!(program.section(".initrd").unwrap() == fs::read(out("image/initramfs.img")).unwrap());
    let line = std::str::from_utf8(program.section(".cmdline").unwrap()).unwrap();
    let understood = boot::command_line::CommandLine::from(line).understand();
    assert_eq!(understood.problems, []);
    assert_eq!(understood.arguments.platform.as_deref(), Some("metal"));
    assert!(understood.arguments.signed_modules);
    let headers = run("objdump", &["--private-headers", text(&path)]);
    assert!(headers.contains("EFI application"), "{headers}");
}

/// The references are sgdisk, fsck.fat and mdir.
#[test]
fn disk_is_one_that_firmware_starts_from() {
    let directory = tempfile::tempdir().unwrap();
    let disk = disk(directory.path());
    let verified = run("sgdisk", &["--verify", text(&disk)]);
    assert!(verified.contains("No problems found"), "{verified}");
    let table = run("sgdisk", &["--print", text(&disk)]);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip_while(|line| !line.starts_with("Number"))
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert_eq!((rows[0][5], rows[0][6]), ("EF00", "EFI"), "{table}");
    assert_eq!((rows[1][5], rows[1][6]), ("8300", "META"), "{table}");
    let start: u64 = rows[0][1].parse().unwrap();

    let esp = directory.path().join("esp");
    let mut from = File::open(&disk).unwrap();
    std::io::Seek::seek(&mut from, std::io::SeekFrom::Start(start * 512)).unwrap();
    let mut to = File::create(&esp).unwrap();
    let mut part = std::io::Read::take(from, media::EFI_SIZE);
    std::io::copy(&mut part, &mut Sparse(&mut to)).unwrap();
    to.set_len(media::EFI_SIZE).unwrap();
    run("fsck.fat", &["-n", "-v", text(&esp)]);
    let files = run("mdir", &["-/", "-b", "-i", text(&esp), "::"]);
    let name = format!("::/EFI/Linux/Ichor-{}+3.efi", env!("CARGO_PKG_VERSION"));
    for wanted in [name.as_str(), "::/EFI/BOOT/BOOTX64.EFI", "::/loader/loader.conf"] {
        assert!(files.lines().any(|line| line.trim() == wanted), "{wanted} is not in:\n{files}");
    }
    let copy = directory.path().join("copy.efi");
    run("mcopy", &["-i", text(&esp), &name, text(&copy)]);
    assert!(fs::read(copy).unwrap() == fs::read(out("image/ichor.efi")).unwrap());
}

/// The reference is xorriso.
#[test]
fn stick_is_one_that_firmware_starts_from() {
    let iso = out("image/ichor.iso");
    let report = run("xorriso", &["-indev", text(&iso), "-report_el_torito", "plain"]);
    assert!(report.contains("UEFI"), "{report}");
    assert!(report.contains("Volume id    : 'ICHOR'"), "{report}");
    let verified = run("sgdisk", &["--verify", text(&iso)]);
    assert!(verified.contains("No problems found"), "{verified}");
}

/// An archive keeps only the present version of a package, so this happens to every pin one day.
#[test]
fn a_package_that_the_archive_no_longer_holds_names_the_cure() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(directory.path());
    let pin = DebianPin {
        package: "systemd-boot-efi".into(),
        version: "0.1-gone".into(),
        sha256: "0".repeat(64),
        newest: None,
    };
    let error = debian::fetch(&store, &pin).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("systemd-boot-efi 0.1-gone cannot be had"), "{text}");
    assert!(text.contains("make pins"), "{text}");
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| !entry.path().join("data.tar").exists()), "{left:?}");
}
