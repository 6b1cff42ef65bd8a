//! Installs what building and testing need, saying what and why; asks nothing.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::{backports, workspace};

/// A Debian package that is needed.
struct Package {
    name: &'static str,
    why: &'static str,
}

const BUILD: &[Package] = &[
    Package { name: "gcc", why: "Rust and runc link with it" },
    Package { name: "lld", why: "it links a node's programs, each function once" },
    Package { name: "musl-tools", why: "the C parts of static programs are compiled with it" },
    Package { name: "libseccomp-dev", why: "runc filters system calls with it" },
];

/// What only tests and benchmarks need, as the tool that a result is compared with.
const TEST: &[Package] = &[
    Package {
        name: "dnsmasq-base",
        why: "tests ask it for addresses, as a DHCP server and router",
    },
    Package { name: "openssl", why: "tests check certificates against it" },
    Package { name: "squashfs-tools", why: "tests read the root image with it" },
    Package { name: "iproute2", why: "tests and the baseline make network namespaces with it" },
    Package { name: "nftables", why: "tests read firewall rules with it" },
    Package { name: "util-linux", why: "tests enter namespaces and probe images with it" },
    Package { name: "gdisk", why: "tests check partition tables with it" },
    Package { name: "dosfstools", why: "tests check FAT32 file systems with it" },
    Package { name: "mtools", why: "tests read files from FAT32 file systems with it" },
    Package { name: "e2fsprogs", why: "tests make, fill and check ext4 file systems with it" },
    Package { name: "xfsprogs", why: "tests make XFS file systems with it, to find them" },
    Package { name: "xorriso", why: "tests read ISO images with it" },
    Package { name: "binutils", why: "tests read unified kernel images with its objdump" },
    Package { name: "zstd", why: "tests unpack disk images with it" },
    Package { name: "cpio", why: "tests read the first file system with it" },
    Package { name: "kmod", why: "tests compare lists of kernel modules with those of its depmod" },
];

/// What only fuzzing needs.
const FUZZ: [Package; 1] =
    [Package { name: "g++", why: "the library that drives fuzz targets is written in C++" }];

/// What tests run but no machine should have installed for it.
const UNPACKED: [Package; 1] = [Package {
    name: "chrony",
    why: "tests ask it for the time; it is only unpacked, since installed it would replace the machine's own",
}];

/// What virtual machines are made of.
const MACHINES: &[Package] = &[
    Package { name: "qemu-system-x86", why: "virtual machines run in it" },
    Package { name: "qemu-utils", why: "it makes the disks of virtual machines" },
    Package { name: "ovmf", why: "it is the firmware of virtual machines" },
    Package { name: "swtpm", why: "it is the TPM of virtual machines" },
];

/// Installs what is missing to build, and with `tests` what is missing to test.
pub(crate) fn install(tests: bool) -> Result<()> {
    go()?;
    target()?;
    packages(BUILD.iter().chain(if tests { TEST } else { &[] }))?;
    if tests {
        for package in UNPACKED.iter().filter(|package| !installed(package.name)) {
            unpack(package)?;
        }
        machines()?;
    }
    Ok(())
}

/// Installs what is missing to fuzz.
pub(crate) fn install_for_fuzzing() -> Result<()> {
    packages(FUZZ.iter())
}

/// Installs what is missing to run virtual machines.
pub(crate) fn machines() -> Result<()> {
    // First, or the release's would be installed to be replaced.
    backports::emulator();
    packages(MACHINES.iter())
}

fn packages(wanted: impl Iterator<Item = &'static Package>) -> Result<()> {
    let missing: Vec<&Package> = wanted.filter(|package| !installed(package.name)).collect();
    if !missing.is_empty() {
        for package in &missing {
            println!("installing {}: {}", package.name, package.why);
        }
        apt(&["update", "-q"])?;
        let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
        apt(&[&["install", "-qy", "--no-install-recommends"], names.as_slice()].concat())?;
    }
    Ok(())
}

/// Unpacks a package below `out/tools`, where tests look for what is not installed.
fn unpack(package: &Package) -> Result<()> {
    let directory = workspace::out().join("tools");
    let stamp = directory.join(package.name);
    if stamp.exists() {
        return Ok(());
    }
    println!("unpacking {}: {}", package.name, package.why);
    std::fs::create_dir_all(&directory).context("making out/tools")?;
    apt(&["update", "-q"])?;
    // Fetching needs no privilege, so it is done in place and as this user.
    let status = Command::new("apt-get")
        .current_dir(&directory)
        .args(["download", "-q", package.name])
        .status()
        .context("starting apt-get; Ichor is built on Debian")?;
    if !status.success() {
        bail!("apt-get download {} failed; run as root: apt-get update", package.name);
    }
    let files = std::fs::read_dir(&directory).context("reading out/tools")?;
    let prefix = format!("{}_", package.name);
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if !(name.starts_with(&prefix) && name.ends_with(".deb")) {
            continue;
        }
        let status = Command::new("dpkg-deb").arg("-x").arg(file.path()).arg(&directory).status();
        if !status.context("starting dpkg-deb")?.success() {
            bail!("{} cannot be unpacked", file.path().display());
        }
        std::fs::remove_file(file.path()).context("removing the fetched package")?;
    }
    std::fs::write(&stamp, "").context("marking the package as unpacked")?;
    Ok(())
}

/// Makes sure that apt knows the package, so that it can be fetched.
pub(crate) fn refresh_lists(package: &str, version: &str) -> Result<()> {
    let wanted = format!("{package}={version}");
    if quiet("apt-cache", &["show", "--no-all-versions", &wanted]) {
        return Ok(());
    }
    println!(
        "updating the lists of Debian packages: images take their C programs from {wanted} and others"
    );
    apt(&["update", "-q"])
}

/// Updates what apt knows.
pub(crate) fn update_lists() -> Result<()> {
    apt(&["update", "-q"])
}

fn go() -> Result<()> {
    if quiet("go", &["version"]) {
        return Ok(());
    }
    bail!(
        "go is not installed; Kubernetes, containerd and etcd are built with it. Get release 1.26 or later from go.dev"
    );
}

fn target() -> Result<()> {
    if workspace::target_installed()? {
        return Ok(());
    }
    println!(
        "installing Rust's standard library for {}: a node's programs are static",
        workspace::TARGET
    );
    let done = Command::new("rustup")
        .current_dir(workspace::root())
        .args(["target", "add", workspace::TARGET])
        .status()
        .is_ok_and(|status| status.success());
    if !done {
        bail!("rustup could not add the target; run: rustup target add {}", workspace::TARGET);
    }
    Ok(())
}

fn installed(package: &str) -> bool {
    let query =
        Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]).output();
    query.is_ok_and(|output| output.stdout == b"installed")
}

/// Whether a program, told this, ends well; what it prints is nobody's.
pub(crate) fn quiet(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs apt-get, through sudo when this is not root.
pub(crate) fn apt(arguments: &[&str]) -> Result<()> {
    let root = std::fs::metadata("/proc/self")
        .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0);
    let mut command = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        command.args(["-n", "apt-get"]);
    }
    let status = command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments)
        .status()
        .context("starting apt-get; Ichor is built on Debian")?;
    if !status.success() {
        bail!("apt-get {0} failed; run as root: apt-get {0}", arguments.join(" "));
    }
    Ok(())
}
