//! The build commands: they wire the crate `image` to the checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use image::component::{Event, Workshop};
use image::kernel;
use image::pins::{Pins, ProfilePin};
use image::root::{self, Content};
use image::sbom;
use image::store::Store;
use registry::layout::Layout;

use crate::progress::Progress;
use crate::{tools, workspace};

/// The programs that are built for nodes and users.
const PROGRAMS: [&str; 3] = ["init", "machined", "ichorctl"];

/// The profile of virtual machines, which is built unless another one is asked for.
pub(crate) const CLOUD: &str = "cloud";

/// The level of compression of the root image: beyond it the time grows and the size hardly shrinks.
pub(crate) const COMPRESSION: u32 = 19;

pub(crate) fn workshop(report: &dyn Fn(Event<'_>)) -> Result<Workshop<'_>> {
    let sources = workspace::components();
    Ok(Workshop::new(Pins::read(&sources)?, sources, Store::of_user()?, report))
}

/// Builds everything, phase by phase.
pub(crate) fn all(progress: &Progress) -> Result<()> {
    progress.phase("programs", || programs(&[]))?;
    progress.phase("components", || components(progress, &[]))?;
    progress.phase("image cache", || cache(progress))?;
    progress.phase("root image", || image(progress))
}

/// Builds our own programs for nodes and users, all or the named.
pub(crate) fn programs(names: &[String]) -> Result<()> {
    let names: Vec<&str> = if names.is_empty() {
        PROGRAMS.to_vec()
    } else {
        names.iter().map(String::as_str).collect()
    };
    // Cargo gives crates that are built together the sum of their features; the first process is
    // built by itself, to stay small.
    let (alone, together): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| **name == "init");
    for group in [alone, together].iter().filter(|group| !group.is_empty()) {
        compile(group)?;
    }
    let bin = workspace::out().join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("making {}", bin.display()))?;
    let built = workspace::target().join(workspace::TARGET).join(workspace::PROFILE);
    for program in &names {
        place(&built.join(program), &bin.join(program))?;
        println!("  out/bin/{program}  {}", size(&bin.join(program))?);
    }
    Ok(())
}

fn compile(programs: &[&str]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root()).args(["build", "--locked"]);
    cargo.args(["--profile", workspace::PROFILE, "--target", workspace::TARGET]);
    let mut flags = remapped();
    // Addresses to be adapted at the start are written as a bitmap instead of 24 bytes each, and
    // functions that came out the same for several types are kept once.
    flags.extend(
        ["-fuse-ld=lld", "-Wl,--pack-dyn-relocs=relr", "-Wl,--icf=all", "-Wl,-O2"]
            .map(|argument| format!("-Clink-arg={argument}")),
    );
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    // Encryption with 512-bit vectors, in code that is unrolled for long streams, is a thirtieth of
    // a node's program; the 256-bit form serves as well for the short messages of the API.
    cargo.env("AWS_LC_SYS_CFLAGS", "-DMY_ASSEMBLER_IS_TOO_OLD_FOR_512AVX");
    // The kernel's random numbers are enough of a seed: to measure the jitter of the processor as well
    // takes 35 ms at the start of every program, four times what the rest of a short command takes.
    cargo.env("AWS_LC_SYS_NO_JITTER_ENTROPY", "1");
    // The allocator asks the kernel for huge pages, of which a small process then fills a corner.
    cargo.env(format!("CFLAGS_{}", workspace::TARGET.replace('-', "_")), "-DMI_NO_THP");
    for program in programs {
        cargo.args(["--package", program]);
    }
    let status = cargo.status().context("starting cargo")?;
    if !status.success() {
        let list = programs.join(", ");
        bail!("building {list} failed; what is missing, `cargo xtask tools` installs");
    }
    Ok(())
}

/// Compiler flags that keep the places of the checkout and of the user out of the programs.
fn remapped() -> Vec<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let root = workspace::root().display().to_string();
    let target = workspace::target().display().to_string();
    [(target, "target"), (root, "ichor"), (cargo, "cargo")]
        .into_iter()
        .filter(|(from, _)| !from.is_empty())
        .map(|(from, to)| format!("--remap-path-prefix={from}={to}"))
        .collect()
}

/// Builds components, all or the named, and puts kubectl where users find it.
pub(crate) fn components(progress: &Progress, names: &[String]) -> Result<()> {
    let report = |event: Event<'_>| progress.show(&event);
    let workshop = workshop(&report)?;
    let names: Vec<&str> = if names.is_empty() {
        workshop.names()
    } else {
        names.iter().map(String::as_str).collect()
    };
    progress.expect(names.len());
    for name in &names {
        workshop.component(name)?;
    }
    if names.contains(&"kubernetes") {
        let bin = workspace::out().join("bin");
        fs::create_dir_all(&bin).with_context(|| format!("making {}", bin.display()))?;
        place(&workshop.program("kubernetes/kubernetes")?, &bin.join("kubectl"))?;
    }
    Ok(())
}

/// Prints where the programs of components are, and the modules of the kernel that a profile has.
pub(crate) fn locate(wanted: &[String]) -> Result<()> {
    let workshop = workshop(&|_| ())?;
    for wanted in wanted {
        let place = match wanted.strip_prefix("modules/") {
            Some(profile) => kernel::build(&workshop, workshop.pins().profile(profile)?)?.modules(),
            None => workshop.program(wanted)?,
        };
        println!("{}", place.display());
    }
    Ok(())
}

/// Makes a directory with a link to every program of every component and returns it: tests of
/// adapters run the real program.
pub(crate) fn linked() -> Result<PathBuf> {
    let workshop = workshop(&|_| ())?;
    let directory = workspace::out().join("components");
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("removing {}", directory.display()))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    for name in workshop.names() {
        let component = workshop.component(name)?;
        let failed = || format!("linking the programs of {name}");
        for entry in fs::read_dir(&component).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            std::os::unix::fs::symlink(entry.path(), directory.join(entry.file_name()))
                .with_context(failed)?;
        }
    }
    Ok(directory)
}

/// Makes the image cache.
pub(crate) fn cache(progress: &Progress) -> Result<()> {
    let report = |event: Event<'_>| progress.show(&event);
    let workshop = workshop(&report)?;
    let pins = workshop.pins();
    progress.expect(
        pins.layer.iter().map(|layer| layer.files.len()).sum::<usize>() + pins.debian.len(),
    );
    if let Some(first) = pins.debian.first() {
        tools::refresh_lists(&first.package, &first.version)?;
    }
    let directory = workspace::out().join("image/cache");
    image::cache::build(&workshop, &directory)?;
    println!("  out/image/cache  {} images", Layout::open(&directory)?.images().count());
    Ok(())
}

/// Checks every blob of the image cache.
pub(crate) fn check_cache() -> Result<()> {
    let bytes = Layout::open(workspace::out().join("image/cache"))?.verify()?;
    println!("{} MB, every blob is intact", bytes / 1_000_000);
    Ok(())
}

/// Makes the root image and the bill of materials.
pub(crate) fn image(progress: &Progress) -> Result<()> {
    let report = |event: Event<'_>| progress.show(&event);
    let workshop = workshop(&report)?;
    let directory = workspace::out().join("image");
    root(&workshop, workshop.pins().profile(CLOUD)?, &directory)?;
    Ok(())
}

/// Makes the root image and the bill of materials of a profile in this directory.
pub(crate) fn root(
    workshop: &Workshop<'_>,
    profile: &ProfilePin,
    directory: &Path,
) -> Result<PathBuf> {
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    let bin = workspace::out().join("bin");
    let content = Content {
        init: bin.join("init"),
        machined: bin.join("machined"),
        version: workspace::VERSION.to_owned(),
        sbom: sbom::build(workshop, &workspace::root(), &PROGRAMS, profile, workspace::VERSION)?,
        compression: COMPRESSION,
    };
    let path = directory.join("sbom.spdx.json");
    fs::write(&path, &content.sbom).with_context(|| format!("writing {}", path.display()))?;
    let path = directory.join("root.sqfs");
    place(&root::build(workshop, &content)?, &path)?;
    println!("  {}  {}", shown(&path), size(&path)?);
    Ok(path)
}

/// A path as a user of the checkout names it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

/// Copies a file beside its place and moves it there, so that one in use is not disturbed.
fn place(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    fs::copy(from, &beside)
        .with_context(|| format!("copying {} to {}", from.display(), beside.display()))?;
    fs::rename(&beside, to).with_context(|| format!("moving {} into place", to.display()))
}

pub(crate) fn size(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    Ok(format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000))
}
