//! Takes the emulator from Debian's backports where the release has an older one.
//!
//! The QEMU of Debian 12 lets a guest's second processor run half of an instruction that the first
//! is replacing, so one of some guests' kernels dies in code that it patches. The lists are kept
//! below `out/`: what the machine's own apt knows is not changed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::tools;
use crate::workspace;

/// The release whose emulator is too old.
const RELEASE: &str = "bookworm";
/// The oldest emulator that runs two processors well.
const OLDEST: &str = "1:8.2";
/// What has the emulator; what it needs comes along.
const PACKAGES: [&str; 2] = ["qemu-system-x86", "qemu-utils"];
/// Who signs Debian's archive.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Installs a newer emulator than the release has, where the release's is too old and this machine has no other; says so
/// where that cannot be done.
pub(crate) fn emulator() {
    let installed = installed_version();
    if installed.as_deref().is_some_and(|version| !is_older(version)) || !is_release() {
        return;
    }
    println!(
        "installing the QEMU of {RELEASE}-backports: in that of {RELEASE} a guest with two processors may fail while it starts"
    );
    if let Err(error) = install() {
        println!("machines run in the QEMU of {RELEASE}, and may have to start twice: {error:#}");
    }
}

/// Whether this machine runs that release.
fn is_release() -> bool {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines().any(|line| line.trim() == format!("VERSION_CODENAME={RELEASE}"))
}

fn installed_version() -> Option<String> {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${Version}", PACKAGES[0]]).output();
    let version = String::from_utf8(query.ok()?.stdout).ok()?;
    (!version.is_empty()).then_some(version)
}

fn is_older(version: &str) -> bool {
    tools::quiet("dpkg", &["--compare-versions", version, "lt", OLDEST])
}

fn install() -> Result<()> {
    let directory = workspace::out().join("tools/backports");
    std::fs::create_dir_all(directory.join("lists/partial"))
        .with_context(|| format!("making {}", directory.display()))?;
    let mirror = match mirror()? {
        Some(mirror) => mirror,
        // What apt has never updated it does not list.
        None => {
            tools::update_lists()?;
            mirror()?.with_context(|| format!("apt knows no source of {RELEASE}"))?
        }
    };
    let sources = directory.join("sources.list");
    let line = |suite: &str| format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
    let lines = line(RELEASE) + &line(&format!("{RELEASE}-backports"));
    std::fs::write(&sources, lines).with_context(|| format!("writing {}", sources.display()))?;
    let own = own_lists(&directory);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    tools::apt(&[&own[..], &["update", "-q"]].concat())?;
    let target = format!("{RELEASE}-backports");
    let install = ["install", "-qy", "--no-install-recommends", "-t", &target];
    tools::apt(&[&own[..], &install[..], &PACKAGES[..]].concat())
}

/// What has apt use the lists of this directory and no others.
fn own_lists(directory: &Path) -> [String; 3] {
    [
        format!("-oDir::Etc::sourcelist={}", directory.join("sources.list").display()),
        "-oDir::Etc::sourceparts=-".to_owned(),
        format!("-oDir::State::lists={}", directory.join("lists").display()),
    ]
}

/// Where this machine takes its release from, as far as apt knows.
fn mirror() -> Result<Option<String>> {
    let codename = format!("Codename: {RELEASE}");
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", &codename])
        .output()
        .context("starting apt-get; Ichor is built on Debian")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().map(str::to_owned))
}
