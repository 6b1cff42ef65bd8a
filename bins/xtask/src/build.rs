//! The build commands: they wire the crate `image` to the checkout and say what they made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use image::component::Workshop;
use image::pins::Pins;
use image::root::{self, Content};
use image::sbom;
use image::store::Store;
use registry::layout::Layout;

use crate::progress::{seconds, show};
use crate::workspace;

/// The programs that are built for nodes and users.
const PROGRAMS: [&str; 3] = ["init", "machined", "ichorctl"];

/// The level of compression of the root image: beyond it, the time grows and the size does not shrink.
const COMPRESSION: u32 = 19;

fn workshop() -> Result<Workshop<'static>> {
    let sources = workspace::components();
    Ok(Workshop::new(Pins::read(&sources)?, sources, Store::of_user()?, &show))
}

/// Builds our own programs for nodes and users.
pub(crate) fn programs() -> Result<()> {
    let begun = Instant::now();
    require_target()?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace::root());
    cargo.args(["build", "--release", "--locked", "--target", workspace::TARGET]);
    for program in PROGRAMS {
        cargo.args(["--package", program]);
    }
    let status = cargo.status().context("starting cargo")?;
    if !status.success() {
        bail!("building {} failed", PROGRAMS.join(", "));
    }
    let bin = workspace::out().join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("making {}", bin.display()))?;
    let built = workspace::target().join(workspace::TARGET).join("release");
    for program in PROGRAMS {
        install(&built.join(program), &bin.join(program))?;
        println!("out/bin/{program}  {}", size(&bin.join(program))?);
    }
    println!("programs built in {}", seconds(begun.elapsed()));
    Ok(())
}

/// Builds components, all or the named, and puts kubectl where users find it.
pub(crate) fn components(names: &[String]) -> Result<()> {
    let begun = Instant::now();
    let workshop = workshop()?;
    let names: Vec<&str> = if names.is_empty() {
        workshop.names()
    } else {
        names.iter().map(String::as_str).collect()
    };
    for name in &names {
        let path = workshop.component(name)?;
        println!("{name}  {}", path.display());
    }
    if names.contains(&"kubernetes") {
        let bin = workspace::out().join("bin");
        fs::create_dir_all(&bin).with_context(|| format!("making {}", bin.display()))?;
        install(&workshop.program("kubernetes/kubernetes")?, &bin.join("kubectl"))?;
        println!("out/bin/kubectl  {}", size(&bin.join("kubectl"))?);
    }
    println!("components ready in {}", seconds(begun.elapsed()));
    Ok(())
}

/// Makes the image cache.
pub(crate) fn cache() -> Result<()> {
    let begun = Instant::now();
    let directory = workspace::out().join("image/cache");
    image::cache::build(&workshop()?, &directory)?;
    let layout = Layout::open(&directory)?;
    for (name, _) in layout.images() {
        println!("{name}");
    }
    println!("image cache made in {}", seconds(begun.elapsed()));
    Ok(())
}

/// Checks every blob of the image cache.
pub(crate) fn check_cache() -> Result<()> {
    let begun = Instant::now();
    let layout = Layout::open(workspace::out().join("image/cache"))?;
    let bytes = layout.verify()?;
    println!("{} MB checked in {}", bytes / 1_000_000, seconds(begun.elapsed()));
    Ok(())
}

/// Makes the root image and the bill of materials.
pub(crate) fn image() -> Result<()> {
    let begun = Instant::now();
    let workshop = workshop()?;
    let directory = workspace::out().join("image");
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let content = content(&workshop)?;
    let path = directory.join("sbom.spdx.json");
    fs::write(&path, &content.sbom).with_context(|| format!("writing {}", path.display()))?;
    let path = directory.join("root.sqfs");
    root::build(&workshop, &content, &path)?;
    println!("out/image/root.sqfs  {}", size(&path)?);
    println!("root image made in {}", seconds(begun.elapsed()));
    Ok(())
}

fn content(workshop: &Workshop<'_>) -> Result<Content> {
    let bin = workspace::out().join("bin");
    let sbom = sbom::build(workshop, &workspace::root(), &PROGRAMS, workspace::VERSION)?;
    Ok(Content {
        init: bin.join("init"),
        machined: bin.join("machined"),
        version: workspace::VERSION.to_owned(),
        sbom,
        compression: COMPRESSION,
    })
}

/// Says what is missing to build static programs, and how to get it.
fn require_target() -> Result<()> {
    let rustc = |arguments: &[&str]| -> Result<PathBuf> {
        let output = Command::new("rustc")
            .current_dir(workspace::root())
            .args(arguments)
            .output()
            .context("starting rustc; install Rust with rustup")?;
        Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    };
    let library = rustc(&["--print", "target-libdir", "--target", workspace::TARGET])?;
    if !library.is_dir() {
        bail!(
            "Rust's standard library for {target} is not installed; get it with: rustup target add {target}",
            target = workspace::TARGET
        );
    }
    if Command::new("musl-gcc").arg("--version").output().is_err() {
        bail!(
            "musl-gcc, which compiles the C parts of static programs, is not installed; get it with: apt-get install musl-tools"
        );
    }
    Ok(())
}

/// Copies a program beside its place and moves it there, so that one that runs is not disturbed.
fn install(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    fs::copy(from, &beside)
        .with_context(|| format!("copying {} to {}", from.display(), beside.display()))?;
    fs::rename(&beside, to).with_context(|| format!("moving {} into place", to.display()))
}

fn size(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    Ok(format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000))
}
