//! What the built image must be: small, reproducible, without a shell, and with every executable
//! known by name. Needs what `cargo xtask all` builds, which `make test` does first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the list of executables is for people to read")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use backhand::{FilesystemReader, InnerNode};
use image::component::{Event, Workshop};
use image::pins::Pins;
use image::root::{self, Content, EXECUTABLES};
use image::squashfs;
use image::store::Store;
use registry::layout::Layout;
use registry::manifest::{Config, Manifest};

const MB: u64 = 1_000_000;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A file of `out/`; without it there is nothing to test, which is a failure.
fn out(path: &str) -> PathBuf {
    let path = checkout().join("out").join(path);
    assert!(path.exists(), "{} is missing; build it first: cargo xtask all", path.display());
    path
}

fn workshop<'a>(store: Store, report: &'a dyn Fn(Event<'_>)) -> Workshop<'a> {
    let sources = checkout().join("components");
    Workshop::new(Pins::read(&sources).unwrap(), sources, store, report)
}

/// The files of the root image by path: permissions and content.
fn files() -> BTreeMap<String, (u16, Vec<u8>)> {
    let file = BufReader::new(File::open(out("image/root.sqfs")).unwrap());
    let image = FilesystemReader::from_reader(file).unwrap();
    let mut files = BTreeMap::new();
    for node in image.files() {
        if let InnerNode::File(content) = &node.inner {
            let mut bytes = Vec::new();
            image.file(content).reader().read_to_end(&mut bytes).unwrap();
            files.insert(node.fullpath.display().to_string(), (node.header.permissions, bytes));
        }
    }
    assert!(files.len() > 20, "only {} files were read", files.len());
    files
}

#[test]
fn twelve_executables_at_most_and_no_interpreter() {
    let files = files();
    let executables: Vec<&String> =
        files.iter().filter(|(_, (mode, _))| mode & 0o111 != 0).map(|(path, _)| path).collect();
    println!("{} executables in the root image:", executables.len());
    for path in &executables {
        println!("  {path}");
    }
    assert!(executables.len() <= EXECUTABLES, "{executables:?}");
    for (path, (mode, bytes)) in &files {
        assert_eq!(mode & 0o7000, 0, "{path} has a special permission bit");
        assert!(!bytes.starts_with(b"#!"), "{path} is a script");
        let name = path.rsplit('/').next().unwrap();
        let forbidden = [
            "sh", "bash", "dash", "ash", "busybox", "python3", "perl", "apt", "dpkg", "sshd", "ctr",
        ];
        assert!(!forbidden.contains(&name), "{path}");
        // A program that nobody may start as a file could still be started by the loader.
        let program = bytes.starts_with(b"\x7fELF") && mode & 0o111 == 0;
        assert!(!program || path.contains(".so"), "{path} is a program without permission to run");
    }
}

#[test]
fn sizes_stay_within_their_budgets() {
    let modules: usize = files()
        .iter()
        .filter(|(path, _)| path.starts_with("/usr/lib/modules/"))
        .map(|(_, (_, bytes))| bytes.len())
        .sum();
    let image = if modules == 0 { 45 * MB } else { 60 * MB };
    let budgets = [
        ("image/root.sqfs", image),
        ("bin/init", MB),
        ("bin/machined", 20 * MB),
        ("bin/ichorctl", 25 * MB),
    ];
    let mut over = Vec::new();
    for (path, budget) in budgets {
        let size = fs::metadata(out(path)).unwrap().len();
        println!("{path}: {size} bytes of {budget}");
        if size > budget {
            over.push(format!("{path} has {size} bytes, {} more than its budget", size - budget));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn our_programs_are_static() {
    for program in ["init", "machined", "ichorctl"] {
        let needs = image::elf::needs(&fs::read(out(&format!("bin/{program}"))).unwrap()).unwrap();
        assert_eq!(needs, image::elf::Needs::default(), "{program}");
    }
}

/// The same programs, copied elsewhere, make the same image: nothing of a place, a time or an order
/// gets into it.
#[test]
fn root_image_is_the_same_when_built_in_another_directory() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = |from: PathBuf, name: &str| {
        let to = elsewhere.path().join(name);
        fs::copy(from, &to).unwrap();
        to
    };
    let content = Content {
        init: copy(out("bin/init"), "first"),
        machined: copy(out("bin/machined"), "second"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sbom: fs::read(out("image/sbom.spdx.json")).unwrap(),
        compression: 19,
    };
    let tree = root::tree(&workshop(Store::of_user().unwrap(), &|_| ()), &content).unwrap();
    let again = elsewhere.path().join("again.sqfs");
    squashfs::write(&tree, None, &again, content.compression).unwrap();
    let same = fs::read(&again).unwrap() == fs::read(out("image/root.sqfs")).unwrap();
    assert!(same, "the root image differs from out/image/root.sqfs");
}

/// The program that is compiled in another checkout, with another target directory, is the same.
#[test]
fn init_is_the_same_when_compiled_in_another_directory() {
    let elsewhere = tempfile::tempdir().unwrap();
    let list = Command::new("git")
        .current_dir(checkout())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .unwrap();
    assert!(
        list.status.success(),
        "listing the checkout's files: {}",
        String::from_utf8_lossy(&list.stderr)
    );
    for name in String::from_utf8(list.stdout).unwrap().split_terminator('\0') {
        let from = checkout().join(name);
        // A file that was deleted but not yet committed is still listed.
        if from.is_file() {
            let to = elsewhere.path().join("checkout").join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    let build = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .env("CARGO_MANIFEST_DIR", elsewhere.path().join("checkout/bins/xtask"))
        .env("CARGO_TARGET_DIR", elsewhere.path().join("built"))
        .args(["programs", "init"])
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let again = fs::read(elsewhere.path().join("checkout/out/bin/init")).unwrap();
    let same = again == fs::read(out("bin/init")).unwrap();
    assert!(same, "init differs from out/bin/init");
}

#[test]
fn image_cache_is_the_same_when_made_in_another_directory() {
    let elsewhere = tempfile::tempdir().unwrap();
    image::cache::build(&workshop(Store::of_user().unwrap(), &|_| ()), elsewhere.path()).unwrap();
    let index = |root: &Path| fs::read_to_string(root.join("index.json")).unwrap();
    // The index holds the digests of everything else.
    assert_eq!(index(elsewhere.path()), index(&out("image/cache")));
}

#[test]
fn image_cache_is_intact_and_its_programs_are_there() {
    let layout = Layout::open(out("image/cache")).unwrap();
    layout.verify().unwrap();
    for (name, descriptor) in layout.images() {
        let manifest: Manifest =
            serde_json::from_slice(&layout.document(&descriptor.digest).unwrap()).unwrap();
        let config: Config =
            serde_json::from_slice(&layout.document(&manifest.config.digest).unwrap()).unwrap();
        let program = config.config.entrypoint.first().unwrap().trim_start_matches('/').to_owned();
        let mut found = None;
        for layer in &manifest.layers {
            let (blob, _) = layout.blob(&layer.digest).unwrap();
            for entry in tar::Archive::new(BufReader::new(blob)).entries().unwrap() {
                let entry = entry.unwrap();
                if entry.path().unwrap().to_string_lossy() == program {
                    found = Some((entry.header().mode().unwrap(), entry.header().entry_type()));
                }
            }
        }
        let (mode, kind) = found.unwrap_or_else(|| panic!("{name} does not hold /{program}"));
        // Images run as users that own none of their files.
        assert!(kind.is_symlink() || mode & 0o005 == 0o005, "{name}: /{program} has mode {mode:o}");
    }
}

/// The images that a new configuration names are those that the cache holds.
#[test]
fn image_cache_holds_every_image_a_new_cluster_needs() {
    use config::defaults as d;
    let layout = Layout::open(out("image/cache")).unwrap();
    let names: Vec<String> = layout.images().map(|(name, _)| name.to_string()).collect();
    let kubernetes = [
        d::KUBELET_IMAGE,
        d::API_SERVER_IMAGE,
        d::CONTROLLER_MANAGER_IMAGE,
        d::SCHEDULER_IMAGE,
        d::PROXY_IMAGE,
    ];
    let others = [d::ETCD_IMAGE, d::CORE_DNS_IMAGE, d::FLANNEL_IMAGE, d::PAUSE_IMAGE];
    let wanted = kubernetes
        .map(|repository| format!("{repository}:v{}", d::KUBERNETES_VERSION))
        .into_iter()
        .chain(others.map(str::to_owned));
    for name in wanted {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}

#[test]
fn bill_of_materials_names_what_is_in_the_image() {
    let bytes = fs::read(out("image/sbom.spdx.json")).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let names: Vec<&str> = document["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    for wanted in ["sys", "k8s.io/kubernetes", "go.etcd.io/etcd/server/v3", "libc6", "nftables"] {
        assert!(names.contains(&wanted), "{wanted} is not in the bill of materials");
    }
    assert!(names.iter().any(|name| name.starts_with("linux-image-")), "the kernel is missing");
    let (_, inside) = &files()["/usr/share/spdx/ichor.spdx.json"];
    assert!(*inside == bytes, "the image holds another bill of materials than out/image");
}
