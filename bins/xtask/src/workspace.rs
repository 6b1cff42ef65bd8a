//! Where things are in the checkout, and for which machine they are built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    // Cargo says where this package is, also when the checkout has moved since it was compiled;
    // it lies two directories below the root.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.ancestors().nth(2).map_or_else(|| PathBuf::from("."), Into::into)
}

/// Where everything that is built for users goes.
pub(crate) fn out() -> PathBuf {
    root().join("out")
}

/// The pins and the sources of components.
pub(crate) fn components() -> PathBuf {
    root().join("components")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The target of the programs: static, so that they need nothing of the machine they run on.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// The profile of the programs.
pub(crate) const PROFILE: &str = "release";

/// The version of Ichor, of which every crate has the same.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether Rust can build for the target.
pub(crate) fn target_installed() -> Result<bool> {
    let output = Command::new("rustc")
        .current_dir(root())
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("starting rustc; install Rust with rustup")?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
